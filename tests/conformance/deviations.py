"""Where mtui deliberately makes something else of a study than Maestro 1.2.1 does, and why: the one table of it.

A case is `folder/name`: a spec of the conformance data, or `ours/name` in tests/conformance/cases. Whatever
stands here is checked word by word, and must be a deviation: one that Maestro or mtui gives up fails the test.
Added header lines are not listed, they have a separate rule (plans.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Line = str | None  # None: no line at all


@dataclass(frozen=True)
class Accepted:
    """Maestro refuses the spec, mtui runs it: every instance with its command, and the parents of some."""

    reason: str
    commands: Mapping[str, str]
    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """Maestro runs the spec, mtui refuses it with this message."""

    reason: str
    message: str


@dataclass(frozen=True)
class Differs:
    """Both run the spec, but some lines of scripts differ, as (Maestro's, mtui's); None is no line.

    `only_maestro` are instances that mtui does not have, `only_ours` the reverse, with their commands.
    """

    reason: str
    lines: Mapping[str, Sequence[tuple[Line, Line]]] = field(default_factory=dict)
    only_maestro: Sequence[str] = ()
    only_ours: Mapping[str, str] = field(default_factory=dict)


Deviation = Accepted | Refused | Differs


@dataclass(frozen=True)
class Starts:
    """A start of a study makes something else: what is there after Maestro's, and after mtui's."""

    reason: str
    maestro: Sequence[str]
    mtui: Sequence[str]


_TEXT_NOT_NUMBER = "walltime is read as text: 1:30:00 is ninety minutes, where YAML 1.1 and Slurm make it 90 hours"
_BRACKETS = "a launcher's bracket works with what the step says, also by tokens or not at all"
_AS_MEANT = "nobody wants a directory called ~, $HOME or $(V): mtui replaces these in OUTPUT_PATH, too"
_SHARED_DIRECTORY = "instances that share a directory overwrite each other's scripts and output"

DEVIATIONS: Mapping[str, Deviation] = {
    # --- the study
    "bad/depends_later_step": Accepted(
        "steps may be in any order; circles are found and named",
        {"a": "echo\n", "b": "echo\n"},
        {"b": ["a"]},
    ),
    "bad/duplicate_step_names": Refused(
        "Maestro drops the second step without a word", "a second step named 'a'; the first is in line 5"
    ),
    "bad/step_name__source": Differs(
        "_source is the name of Maestro's own root; here it is a step like any other",
        only_ours={"_source": "echo hi\n"},
    ),
    "bad/two_workspaces_one_word": Accepted(
        "tokens side by side are two tokens",
        {"a": "echo hi\n", "b": "echo\n", "c": "echo @OUT@/a:@OUT@/b\n"},
        {"c": ["a", "b"]},
    ),
    "expand/wsnodep": Accepted(
        "Maestro takes a workspace without a dependency only for some orders of steps; here always, with a warning",
        {
            "pA_A.x": "echo x\n",
            "pA_A.y": "echo y\n",
            "user_A.x": "ls @OUT@/pA/A.x\n",
            "user_A.y": "ls @OUT@/pA/A.y\n",
        },
        {"user_A.x": [], "user_A.y": []},
    ),
    "ours/own_array": Refused(
        "Maestro follows one job of a step, and not the tasks of an array",
        "makes an array of tasks, which mtui cannot track",
    ),
    "ours/lsf_batch": Refused("mtui knows Slurm and this machine", "mtui has no 'lsf' scheduler"),
    # --- names and directories
    "launcher/name_with_space_slash": Accepted(
        "all file names of an instance are made safe, not only those of some; so a slash does not stop a restart",
        {"a b/c": "echo\n"},
    ),
    "ours/special_characters_in_job_names": Differs(
        "all file names of an instance are made safe, also those in the header",
        {
            "a_P.x=1,y": [
                ('#SBATCH --job-name="a_P.x=1,y"', '#SBATCH --job-name="a_P.x1y"'),
                ('#SBATCH --output="a_P.x=1,y.out"', '#SBATCH --output="a_P.x1y.out"'),
                ('#SBATCH --error="a_P.x=1,y.err"', '#SBATCH --error="a_P.x1y.err"'),
            ]
        },
    ),
    "ours/colliding_workspaces": Refused(
        _SHARED_DIRECTORY, "'a_P.a,b' and 'a_P.ab' would share the directory 'a/P.ab'"
    ),
    "ours/colliding_step_folders": Refused(_SHARED_DIRECTORY, "steps 'a b' and 'a_b' would share the directory 'a_b'"),
    "ours/instance_name_clash": Refused(
        "Maestro drops one of two instances of the same name", "steps 'a_p1' and 'a' both create an instance 'a_p1'"
    ),
    "ours/labels_that_join_alike": Refused(
        "Maestro drops the row whose labels, joined, are those of another row",
        "different rows of the sweep have the same instance name",
    ),
    "ours/long_name": Refused("no file system holds such a name; Maestro dies on it in the middle", "use --hashws"),
    "ours/step_named_dots": Refused("its directory would be the parent of the study", "cannot have a directory"),
    "ours/step_named_status_csv": Refused("its directory would be in the way of a file", "cannot have a directory"),
    "ours/relative_clone": Differs(
        "a clone's path is absolute: a script does not run where the study was started",
        {"a": [("ls clones/code", "ls /clones/code")]},
    ),
    # --- values
    "launcher/walltime_sexagesimal_1_30_00": Differs(
        _TEXT_NOT_NUMBER, {"a": [("#SBATCH --time=5400", "#SBATCH --time=1:30:00")]}
    ),
    "launcher/walltime_10_00": Differs(_TEXT_NOT_NUMBER, {"a": [("#SBATCH --time=600", "#SBATCH --time=10:00")]}),
    "ours/sexagesimal_variable": Differs(
        "a variable written like a time is what was written, with a warning", {"a": [("echo 5400", "echo 1:30:00")]}
    ),
    "ours/sexagesimal_value": Differs(
        "a parameter value written like a time is what was written, with a warning",
        only_maestro=("a_T.90", "a_T.120"),
        only_ours={"a_T.1:30": "echo 1:30\n", "a_T.2:00": "echo 2:00\n"},
    ),
    "ours/whole_numbers_as_floats": Differs(
        "the schema takes 2.0 for a whole number, but neither sbatch nor srun does",
        {
            "a": [
                ("#SBATCH --nodes=2.0", "#SBATCH --nodes=2"),
                ("#SBATCH --time=90.0", "#SBATCH --time=90"),
                ("srun -n 4.0 -N 2.0 x", "srun -n 4 -N 2 x"),
            ]
        },
    ),
    "launcher/exclusive_false_string_via_param": Differs(
        "the text False, which a parameter makes of it, is as false as the word itself",
        {"a_E.False": [("#SBATCH --exclusive", None)]},
    ),
    "ours/odd_quote_in_description": Differs(
        "a quotation mark without its fellow makes sbatch refuse the script",
        {"a": [('#SBATCH --comment "a 5" disk"', '#SBATCH --comment "a 5\' disk"')]},
    ),
    # --- $(LAUNCHER)
    "launcher/alloc_but_no_nodes_key": Accepted(_BRACKETS, {"a": "srun -n 4 -N 2 ./app\n"}),
    "launcher/alloc_but_no_procs_key": Accepted(_BRACKETS, {"a": "srun -n 4 -N 2 ./app\n"}),
    "launcher/token_nodes_procs_alloc": Accepted(
        _BRACKETS, {"a_N.1": "srun -n 1 -N 1 ./app\n", "a_N.2": "srun -n 1 -N 1 ./app\n"}
    ),
    "launcher/mixed_bare_and_alloc": Differs(
        "bare and bracketed launchers work in one cmd", {"a": [("$(LAUNCHER) ./b", "srun -n 4 -N 2 ./b")]}
    ),
    "launcher/batch_procs_step_nodes_only": Differs(
        "srun takes no empty number of tasks", {"a": [("srun -n  -N 1 ./app", "srun -N 1 ./app")]}
    ),
    "ours/nodes_only_launcher": Differs(
        "srun takes no empty number of tasks", {"a": [("srun -n  -N 1 x", "srun -N 1 x")]}
    ),
    "ours/legacy_bracket": Differs("one blank is enough", {"a": [("srun -n  4 -N 2 x", "srun -n 4 -N 2 x")]}),
    "ours/launchers_in_turn": Accepted(
        "a bracket ends at its first ']', and launchers that run one after the other do not add up",
        {"a": "srun -n 4 x; srun -n 4 y\n"},
    ),
    "ours/bracket_before_another": Differs(
        "a bracket ends at its first ']', not at the last one of the line",
        {"a": [("srun -n 2 -N 1}", "srun -n 2 -N 1 x ${v[0]}")]},
    ),
}

# What a start of a study makes on the disk; the cases are in test_on_disk.py.
STARTS: Mapping[str, Starts] = {
    "name with a slash": Starts(
        "Maestro makes the directory, and dies on the name of a log file in it",
        [],
        ["@/here/ab_TIME/s/s.sh: @/here/ab_TIME @/here @/here/ab_TIME/s"],
    ),
    "out that exists": Starts(
        "Maestro's -y deletes the directory that -o names, whatever is in it; no option of mtui deletes anything",
        ["@/here/out/s/s.sh: @/here/out @/here @/here/out/s"],
        ["@/here/out/s/s.sh: precious"],
    ),
    "path in the home": Starts(
        _AS_MEANT,
        ["@/here/~/runs/study_TIME/s/s.sh: @/here/~/runs/study_TIME @/here @/here/~/runs/study_TIME/s"],
        ["@/home/runs/study_TIME/s/s.sh: @/home/runs/study_TIME @/here @/home/runs/study_TIME/s"],
    ),
    "path with a token": Starts(
        _AS_MEANT,
        ["@/$(V)/runs/study_TIME/s/s.sh: @/v/runs/study_TIME @/here @/$(V)/runs/study_TIME/s"],
        ["@/v/runs/study_TIME/s/s.sh: @/v/runs/study_TIME @/here @/v/runs/study_TIME/s"],
    ),
    "path with the place of the spec": Starts(
        _AS_MEANT,
        [
            "@/here/$(SPECROOT)/runs/study_TIME/s/s.sh: @/here/@/specs/runs/study_TIME @/specs"
            " @/here/$(SPECROOT)/runs/study_TIME/s"
        ],
        ["@/specs/runs/study_TIME/s/s.sh: @/specs/runs/study_TIME @/specs @/specs/runs/study_TIME/s"],
    ),
    "path with a variable of the shell": Starts(
        _AS_MEANT,
        ["@/here/$HOME/runs/study_TIME/s/s.sh: @/here/$HOME/runs/study_TIME @/here @/here/$HOME/runs/study_TIME/s"],
        ["@/home/runs/study_TIME/s/s.sh: @/home/runs/study_TIME @/here @/home/runs/study_TIME/s"],
    ),
    "out in the home": Starts(
        "what a shell does to `-o ~/out` it does not do to `--out=~/out`, and nobody wants a directory called ~",
        ["@/here/~/out/s/s.sh: @/here/~/out @/here @/here/~/out/s"],
        ["@/home/out/s/s.sh: @/home/out @/here @/home/out/s"],
    ),
}

# Options of `maestro run` and `maestro` that mean something else here, or nothing.
OPTIONS: Mapping[str, str] = {
    "-y": "it answers questions; it never deletes a directory that exists, which is refused",
    "-n": "nothing is made, not even the directory: Maestro leaves it behind, and `conductor` could start it later",
    "-fg": "without it mtui shows the app, or without a terminal runs in the foreground: it goes into the background"
    " by `mtui detach`, by a lost terminal, or as a job (`mtui submit`)",
    "-s": "a safety net, as jobs report their ends: so 30 seconds are enough, where Maestro takes 60",
    "--usetmp": "Maestro's scripts are gone at the end of the study; here they stay with their workspaces, and only"
    " --dry writes them elsewhere, where they can be read",
    "--dry": "it waits for no poll, and never goes into the background",
    "-d": "there are no levels: all of it is in the study's directory",
    "-l": "nothing in Maestro reads it",
    "-c": "on by default in Maestro, with no way to turn it off",
}

# What a start does otherwise, by the test in test_on_disk.py that shows it.
OTHERWISE: Mapping[str, str] = {
    "test_dependency_that_maestro_refuses_is_refused_and_leaves_nothing": "Maestro leaves the new study's directory"
    " and all clones, so that the next try fails on these",
    "test_starts_in_the_same_second_do_not_share_a_directory": "Maestro gives both the same directory, where they"
    " overwrite each other; here each later one has the name of the next free second",
}
