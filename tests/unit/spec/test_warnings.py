"""What Maestro passes over in silence is reported, at its place, and does not stop the study."""

from __future__ import annotations

import pytest

from mtui.core.plan import ParameterTable
from mtui.core.spec import Problems
from mtui.core.spec.problems import Place
from tests.unit.planning import HEAD, SLURM, hints, plan_of, problem_lines

STEP = "study:\n- {name: a, description: d, run: {cmd: x}}\n"
SWEEP = "global.parameters: {SIZE: {values: [1, 2], label: S%%}}\n"

# name: text of the study, everything that is said of it.
DOUBTS: dict[str, tuple[str, list[str]]] = {
    "unknown top-level key": (
        HEAD + "bacth: {type: local}\n" + STEP,
        ["2:1: warning: the study file: key 'bacth' is unknown and has no effect"],
    ),
    "unknown key of batch": (
        HEAD + "batch: {type: local, gpu: 1}\n" + STEP,
        ["2:22: warning: batch: key 'gpu' is unknown and has no effect"],
    ),
    "numbers that sbatch refuses": (
        HEAD + "batch: {type: slurm, host: h, bank: '', queue: '', nodes: x, procs: -3}\n" + STEP,
        [
            "2:59: warning: batch: 'nodes' must be an integer of at least 1, not 'x'; sbatch refuses it",
            "2:69: warning: batch: 'procs' must be an integer of at least 1, not '-3'; sbatch refuses it",
        ],
    ),
    "nodes in a study without a batch block": (
        HEAD + "bach: {type: slurm}\nstudy:\n- {name: a, description: d, run: {cmd: x, nodes: 2}}\n",
        [
            "2:1: warning: the study file: key 'bach' is unknown and has no effect",
            "4:3: warning: step 'a' requests nodes or procs, but there is no 'batch': it runs on this machine",
        ],
    ),
    "unknown kinds of dependencies": (
        HEAD + "env: {dependencies: {path: [{name: X}]}}\n" + STEP,
        ["2:22: warning: env.dependencies: key 'path' is unknown and has no effect"],
    ),
    "sources": (
        HEAD + "env: {sources: [a.sh]}\n" + STEP,
        ["2:7: warning: env.sources has no effect, as in Maestro: nothing is sourced"],
    ),
    "keys of other schedulers": (
        HEAD + "study:\n- {name: a, description: d, run: {cmd: x, bind: y, priority: low}}\n",
        [
            "3:43: warning: step 'a': 'bind' has no effect on Slurm or local steps",
            "3:52: warning: step 'a': 'priority' has no effect on Slurm or local steps",
        ],
    ),
    "unknown part of exclusive": (
        HEAD + "study:\n- {name: a, description: d, run: {cmd: x, exclusive: {alocation: true}}}\n",
        ["3:55: warning: step 'a': 'exclusive' knows no 'alocation'; it has no effect"],
    ),
    "key given twice": (
        HEAD + "study:\n- name: a\n  description: d\n  run: {cmd: x}\n  description: e\n",
        ["6:3: warning: key 'description' is given twice; the value of line 4 is ignored"],
    ),
    "walltime that Slurm does not know": (
        HEAD + "study:\n- {name: a, description: d, run: {cmd: x, walltime: 2h}}\n",
        ["3:53: warning: step 'a': Slurm does not accept the walltime '2h'"],
    ),
    "times without quotes": (
        HEAD + "env:\n  variables: {V: 1:30:00}\n" + STEP + "global.parameters: {P: {values: [10:00], label: P%%}}\n",
        [
            "3:18: warning: env.variables.V: 1:30:00 is kept as text; Maestro reads it as a number of seconds",
            "6:21: warning: parameter 'P' is used by no step",
            "6:34: warning: parameter 'P': 10:00 is kept as text; Maestro reads it as a number of seconds",
        ],
    ),
    "parameter that nobody uses": (HEAD + STEP + SWEEP, ["4:21: warning: parameter 'SIZE' is used by no step"]),
    "parameter under an env entry of its name": (
        HEAD + "env: {labels: {SIZE: 1}}\nstudy:\n- {name: a, description: d, run: {cmd: $(SIZE)}}\n" + SWEEP,
        ["5:21: warning: parameter 'SIZE' is hidden by the env entry of the same name and has no effect"],
    ),
    "label without a mark": (
        HEAD
        + "study:\n- {name: a, description: $(SIZE), run: {cmd: x}}\n"
        + "global.parameters: {SIZE: {values: [1, 2], label: S}}\n",
        ["4:21: warning: parameter 'SIZE': different values share one label, so only the first of them runs"],
    ),
    "no values": (
        HEAD
        + "study:\n- {name: a, description: $(SIZE), run: {cmd: x}}\n"
        + "global.parameters: {SIZE: {values: [], label: S%%}}\n",
        ["4:21: warning: parameter 'SIZE' has no values: steps that use it never run"],
    ),
    "env token in a value": (
        HEAD
        + "env: {variables: {V: 1}}\nstudy:\n- {name: a, description: $(SIZE), run: {cmd: x}}\n"
        + "global.parameters: {SIZE: {values: [$(V)], label: S%%}}\n",
        ["5:21: warning: parameter 'SIZE': nothing replaces $(V) in its values"],
    ),
    "tokens in block scalars": (
        HEAD
        + """\
study:
- name: a
  description: >
    of $(SIZE) and
    $(WORKSPACE)
  run:
    cmd: |
      echo $(SIZE) $(SIZ)
        echo é $(IT$R) $(ITR) $(date) $(b.workspce)

    restart: >-
      echo $(SIZE.labl)
      $(nproc) $(SIZZ)
    walltime: $(later)
"""
        + SWEEP,
        [
            "6:5: warning: step 'a': nothing replaces $(WORKSPACE); it is left unchanged",
            "9:20: warning: step 'a': nothing replaces $(SIZ); it is left unchanged",
            "10:24: warning: step 'a': nothing replaces $(ITR); it is left unchanged",
            "10:39: warning: step 'a': nothing replaces $(b.workspce); it is left unchanged",
            "13:12: warning: step 'a': nothing replaces $(SIZE.labl); it is left unchanged",
            "14:16: warning: step 'a': nothing replaces $(SIZZ); it is left unchanged",
            "15:15: warning: step 'a': nothing replaces $(later); it is left unchanged",
        ],
    ),
    "token that begins like another": (
        HEAD + "study:\n- {name: a, description: d, run: {cmd: 'echo $(SIZES) $(SIZ)'}}\n",
        [
            "3:46: warning: step 'a': nothing replaces $(SIZES); it is left unchanged",
            "3:55: warning: step 'a': nothing replaces $(SIZ); it is left unchanged",
        ],
    ),
    "token behind an escape": (
        HEAD + 'study:\n- {name: a, description: d, run: {cmd: "echo $(S\\x49ZE)"}}\n',
        ["3:40: warning: step 'a': nothing replaces $(SIZE); it is left unchanged"],
    ),
    "token in a step's name": (
        HEAD + "study:\n- {name: a$(SIZE), description: d, run: {cmd: x}}\n" + SWEEP,
        ["3:11: warning: step 'a$(SIZE)': nothing replaces $(SIZE); it is left unchanged"],
    ),
    "env entry used by an earlier one": (
        HEAD
        + """\
env:
  variables: {V: 1}
  labels: {L2: $(V)/b, L3: $(L2)/c}
study:
- {name: a, description: d, run: {cmd: "ls $(L3)"}}
""",
        ["6:40: warning: step 'a': nothing replaces $(L2); it is left unchanged"],
    ),
    "tokens where none are replaced": (
        HEAD
        + """\
env: {dependencies: {paths: [{name: P, path: $(SPECROOT)/x}]}}
batch: {type: local, shell: /bin/$(SHELL)}
"""
        + STEP,
        [
            "2:46: warning: env.dependencies.paths: tokens are not replaced in '$(SPECROOT)/x'",
            "3:29: warning: batch: tokens are not replaced in '/bin/$(SHELL)'",
        ],
    ),
    "workspace without a dependency": (
        HEAD
        + """\
study:
- {name: a, description: d, run: {cmd: "ls $(b.workspace)"}}
- {name: b, description: d, run: {cmd: x}}
- {name: c, description: d, run: {cmd: "ls $(b.workspace) $(a.workspace)", depends: [a]}}
""",
        [
            "3:44: warning: step 'a' uses $(b.workspace) but does not depend on 'b'",
            "5:44: warning: step 'c' uses $(b.workspace) but does not depend on 'b'",
        ],
    ),
    "launcher in a local step": (
        HEAD + SLURM + 'study:\n- {name: a, description: d, run: {cmd: "x; $(LAUNCHER) y"}}\n',
        ["4:44: warning: step 'a' uses $(LAUNCHER) but requests neither nodes nor procs"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), DOUBTS.values(), ids=DOUBTS)
def test_warnings_are_reported_at_their_places_and_the_study_runs(text: str, expected: list[str]) -> None:
    plan_of(text)
    assert problem_lines(text) == expected


@pytest.mark.parametrize(
    ("doubt", "hint"),
    [
        ("unknown top-level key", "did you mean 'batch'?"),
        ("unknown kinds of dependencies", "did you mean 'paths'?"),
        ("sources", "write 'source FILE' at the top of each step's cmd, below its #SBATCH lines"),
        ("times without quotes", 'put it in quotes for the same meaning in both: "1:30:00"'),
        ("label without a mark", "use %% as a placeholder for the value, for example label: SIZE.%%"),
        ("tokens in block scalars", "did you mean 'SIZE'?"),
        ("tokens in block scalars", "did you mean 'SIZE.label'?"),
        ("tokens in block scalars", "only cmd and restart take this token"),
        ("token in a step's name", "a step's name takes no tokens"),
        (
            "env entry used by an earlier one",
            "an env entry can use plain entries, and entries with tokens only if they are defined after it",
        ),
        ("workspace without a dependency", "without 'depends: [b]' it may start before 'b' is done"),
    ],
)
def test_hints_say_what_was_probably_meant(doubt: str, hint: str) -> None:
    assert hint in hints(DOUBTS[doubt][0])


@pytest.mark.parametrize(
    "command",
    [
        "$(date +%F) $(pwd) $(cat f | wc -l) $(nproc)",
        "$((1 + 2)) ${SIZE} $SIZE `date`",
        "$(SIZE) $(SIZE.label) $(SIZE.name) $(WORKSPACE) $(SPECROOT)/x $(OUTPUT_PATH)",
        "$( SIZE ) $(mktemp) $(hostname).$(whoami)",
    ],
)
def test_commands_of_the_shell_and_known_tokens_are_no_doubt(command: str) -> None:
    text = HEAD + f"study:\n- name: a\n  description: $(SIZE)\n  run:\n    cmd: |\n      echo {command}\n" + SWEEP
    assert problem_lines(text) == []


@pytest.mark.parametrize(
    "walltime", ["30", "30:00", "01:30:00", "1-12", "1-12:30", "1-12:30:15", "UNLIMITED", "$(SIZE)"]
)
def test_times_that_slurm_knows_are_no_doubt(walltime: str) -> None:
    text = f"study:\n- {{name: a, description: $(SIZE), run: {{cmd: x, walltime: '{walltime}'}}}}\n"
    assert problem_lines(HEAD + text + SWEEP) == []


def test_what_an_alias_repeats_is_reported_once_at_its_place() -> None:
    text = (
        HEAD
        + """\
study:
- name: a
  description: d
  run: &run
    cmd: echo $(SIZ)
- {name: b, description: $(SIZE), run: {<<: *run, depends: [a]}}
"""
        + SWEEP
    )
    assert problem_lines(text) == [
        "6:15: warning: step 'a': nothing replaces $(SIZ); it is left unchanged",
    ]


def test_what_a_generator_gives_counts_in_place_of_the_studys_own() -> None:
    values = (("1", "2"), ("1", "2"))
    table = ParameterTable(("SEED", "MORE"), ("SEED", "MORE"), values, (("s", "s"), ("m1", "m2")))
    text = HEAD + "study:\n- {name: a, description: $(SIZE), run: {cmd: echo $(SEED)}}\n" + SWEEP
    assert problem_lines(text, parameters=table) == [
        "warning: parameter 'SEED': different values share one label, so only the first of them runs",
        "warning: parameter 'MORE' is used by no step",
        "3:26: warning: step 'a': nothing replaces $(SIZE); it is left unchanged",
    ]


def test_warnings_are_in_the_order_of_the_file() -> None:
    problems = Problems("study.yaml")
    for line in (3, 1, 2):
        problems.warn(Place(line, 1), f"line {line}")
    assert [problem.message for problem in problems.warnings] == ["line 1", "line 2", "line 3"]


def test_a_step_that_gathers_and_still_runs_for_each_row() -> None:
    text = (
        HEAD + "study:\n- {name: sim, description: d, run: {cmd: echo $(SIZE)}}\n"
        "- {name: check, description: d, run: {cmd: x, depends: [sim]}}\n"
        "- {name: table, description: d, run: {cmd: cat $(sim.workspace)/*, depends: [check_*DEPENDS]}}\n" + SWEEP
    )
    assert problem_lines(text.replace("DEPENDS", "")) == [
        "5:3: warning: step 'table' depends on all of check, but runs 2 times: for each row of 'sim', "
        "since it uses $(sim.workspace)"
    ]
    assert hints(text.replace("DEPENDS", "")) == ["to run it once for all of them, add 'sim_*' to its depends"]
    for fixed in (", sim_*", ", sim"):  # one run of all, or a run for each row that is meant
        assert problem_lines(text.replace("DEPENDS", fixed)) == []
    assert problem_lines(text.replace("DEPENDS", "").replace("cat ", "cat $(SIZE) ")) == []
    assert problem_lines(text.replace("DEPENDS]", "], walltime: $(SIZE)")) == []


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("mem", "write it in the block mtui: {steps: {a: {mem: ...}}}, or in batch"),
        ("partition", "write it in the block mtui: {steps: {a: {queue: ...}}}, or in batch"),
        ("time", "the key is 'walltime'"),
        ("cpus-per-task", "the key is 'cores per task'"),
        ("nods", "did you mean 'nodes'?"),
    ],
)
def test_key_that_belongs_elsewhere_is_refused_with_its_place(key: str, hint: str) -> None:
    assert hints(f"{HEAD}study:\n- {{name: a, description: d, run: {{cmd: x, {key}: 4}}}}\n") == [hint]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("walltime", "write 'walltime' in the run block of each step"),
        ("partition", "the key is 'queue'"),
        ("time", "write 'walltime' in the run block of each step"),
        ("account", "the key is 'bank'"),
    ],
)
def test_key_of_batch_that_belongs_elsewhere_is_warned_about_with_its_place(key: str, hint: str) -> None:
    assert hints(f"{HEAD}batch: {{type: local, {key}: x}}\n{STEP}") == [hint]
