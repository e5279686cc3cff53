"""Resources that a retry changes: what is accepted, and what the script then requests."""

from __future__ import annotations

import pytest

from mtui.core.errors import Refusal
from mtui.core.plan import Plan
from mtui.core.plan.instance_script import header_resources, render
from mtui.core.plan.launcher import LauncherError
from mtui.core.plan.resource_changes import CHANGEABLE, check_change, in_words
from tests.unit.planning import HEAD, plan_of

BATCH = "batch: {type: slurm, host: h, bank: m1, queue: regular, qos: low, nodes: 9}\n"
RUN = 'nodes: 2, procs: 4, cores per task: 8, gpus: 1, walltime: "1:30:00", qos: high, exclusive: true'


def study(run: str = RUN, cmd: str = "$(LAUNCHER) x", more: str = "") -> Plan:
    indented = "".join(f"      {line}\n" for line in cmd.splitlines())
    keys = "".join(f"    {key}\n" for key in run.split(", "))
    return plan_of(
        f"{HEAD}{BATCH}study:\n- name: a\n  description: d\n  run:\n    cmd: |\n{indented}{keys}{more}"
        "global.parameters: {P: {values: [6, 7], label: P.%%}}\n"
    )


def script(plan: Plan, **changes: str) -> list[str]:
    """The lines of the first instance's script that say what it requests, and its command."""
    body = render(plan, plan.instances[0], {key.replace("_", " "): value for key, value in changes.items()}).body
    names = ("#SBATCH --job-name", "#SBATCH --output", "#SBATCH --error", "#SBATCH --comment", "#!")
    return [line for line in body.splitlines() if line and not line.startswith(names)]


# --- what is accepted


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("walltime", ["90", "1:30:00", "0", "10:00", "1-12", "2-0:30:00", "UNLIMITED"]),
        ("nodes", ["1", "4096"]),
        ("procs", ["1", "131072"]),
        ("cores per task", ["1", "64"]),
        ("gpus", ["0", "4"]),
        ("exclusive", ["true", "False", "yes", "no"]),
        ("queue", ["regular", "a,b"]),
        ("bank", ["m1234_g"]),
        ("qos", ["shared-interactive", "gpu&urgent"]),
        ("reservation", ["maint.1"]),
    ],
)
def test_what_slurm_understands_is_accepted(key: str, values: list[str]) -> None:
    assert [check_change(key, value) for value in ["", *values]] == [None] * (len(values) + 1)


@pytest.mark.parametrize(
    ("key", "values", "reported"),
    [
        ("walltime", ["soon", "1h", "1:2:3:4", "-5", "1:30 ", "٣", "1:30:00\n#SBATCH -A x"], "the walltime"),
        ("nodes", ["0", "-1", "2.0", "1e3", "two", "٣", "1 2", "2\n", "1" * 5000], "at least 1"),
        ("procs", ["0", "x"], "at least 1"),
        ("cores per task", ["0", "x"], "at least 1"),
        ("gpus", ["-1", "a100:2"], "at least 0"),
        ("exclusive", ["maybe", "1"], "true or false"),
        ("queue", ["a b", "a\tb", 'a"', "it's", "a\\b", "a#", "a\nb", "\udcff", "\x1b", "q" * 300], "one word"),
        ("bank", ["a b"], "one word"),
        ("qos", ["a b"], "one word"),
        ("reservation", ['r" --wait'], "one word"),
    ],
)
def test_what_slurm_would_not_understand_is_reported(key: str, values: list[str], reported: str) -> None:
    for value in values:
        refusal = check_change(key, value)
        assert refusal is not None
        assert reported in refusal.message
        assert key in refusal.message


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("waltime", "did you mean 'walltime'?"),
        ("cores", "did you mean 'cores per task'?"),
        ("partition", "it can change walltime, nodes"),
        ("", "it can change walltime"),
        ("cmd", "it can change walltime"),
    ],
)
def test_unknown_key_is_reported_with_the_nearest_one_or_all(key: str, hint: str) -> None:
    refusal = check_change(key, "1")
    assert refusal is not None
    assert refusal.message == f"a retry cannot change '{key}'"
    assert hint in refusal.hint


def test_hint_names_every_key() -> None:
    refusal = check_change("", "")
    assert refusal is not None
    assert all(key in refusal.hint for key in CHANGEABLE)


@pytest.mark.parametrize(
    ("key", "value", "message", "hint"),
    [
        ("nodes", "0", "'nodes' must be an integer of at least 1, not '0'", "nodes=4, for example"),
        ("restart", "1", "'restart' must be true or false, not '1'", "restart=true, for example"),
        ("mem", "much", "'mem' must be an amount of memory, not 'much'", "mem=16G, for example"),
        ("qos", "a b", "'qos' must be one word without quotes, not 'a b'", ""),
        (
            "walltime", "1h", "Slurm does not accept the walltime '1h'",
            "use hours:minutes:seconds, for example 01:30:00",
        ),
    ],
)  # fmt: skip
def test_a_wrong_value_is_reported_with_an_example(key: str, value: str, message: str, hint: str) -> None:
    assert check_change(key, value) == Refusal(message, hint)


def test_changes_in_words() -> None:
    assert (
        in_words({"walltime": "2:00:00", "nodes": "", "qos": "x"}) == "walltime=2:00:00, nodes as in the study, qos=x"
    )


# --- the script


def test_changed_resources_are_in_the_header_and_in_the_launcher() -> None:
    assert script(study()) == [
        "#SBATCH --nodes=2", "#SBATCH --partition=regular", "#SBATCH --account=m1", "#SBATCH --time=1:30:00",
        "#SBATCH --gres=gpu:1", "#SBATCH --ntasks=4", "#SBATCH --cpus-per-task=8", "#SBATCH --exclusive",
        "#SBATCH --qos=high", "srun -n 4 -N 2 -c 8 x",
    ]  # fmt: skip
    changed = script(
        study(), nodes="3", procs="12", cores_per_task="16", gpus="2", walltime="2:00:00", qos="debug", bank="m2",
        queue="other", reservation="r1", exclusive="false",
    )  # fmt: skip
    assert changed == [
        "#SBATCH --nodes=3", "#SBATCH --partition=other", "#SBATCH --account=m2", "#SBATCH --time=2:00:00",
        '#SBATCH --reservation="r1"', "#SBATCH --gres=gpu:2", "#SBATCH --ntasks=12", "#SBATCH --cpus-per-task=16",
        "#SBATCH --qos=debug", "srun -n 12 -N 3 -c 16 x",
    ]  # fmt: skip


def test_change_adds_what_the_study_did_not_request() -> None:
    assert script(study("procs: 4"), walltime="10", exclusive="yes", gpus="1") == [
        "#SBATCH --nodes=9", "#SBATCH --partition=regular", "#SBATCH --account=m1", "#SBATCH --time=10",
        "#SBATCH --gres=gpu:1", "#SBATCH --ntasks=4", "#SBATCH --exclusive", "#SBATCH --qos=low", "srun -n 4 x",
    ]  # fmt: skip


def test_no_gpus_means_no_request_for_gpus() -> None:
    assert not [line for line in script(study(), gpus="0") if "gpu" in line]


def test_empty_change_leaves_what_the_study_says() -> None:
    assert script(study(), nodes="", walltime="", gpus="", exclusive="") == script(study())


def test_change_wins_over_a_parameter() -> None:
    plan = study('procs: $(P), walltime: "00:$(P):00"')
    assert "#SBATCH --time=00:6:00" in script(plan)
    changed = script(plan, walltime="2:00:00", procs="3")
    assert "#SBATCH --time=2:00:00" in changed
    assert changed[-1] == "srun -n 3 x"


def test_change_wins_over_the_users_own_directives() -> None:
    plan = study(cmd="# a word\n#SBATCH --time=5 --mem=1G\n\n#SBATCH -N 1\necho a\n#SBATCH --no=directive")
    _, _, after = render(plan, plan.instances[0], {"nodes": "3", "walltime": "10", "gpus": "0"}).body.partition("\n\n")
    assert after.rstrip().splitlines() == [
        "# a word", "#SBATCH --time=5 --mem=1G", "", "#SBATCH -N 1", "#SBATCH --nodes=3", "#SBATCH --time=10",
        "echo a", "#SBATCH --no=directive",
    ]  # fmt: skip
    assert "--nodes" not in render(plan, plan.instances[0]).body.partition("\n\n")[2]


def test_restart_script_is_changed_as_well() -> None:
    plan = study(more="    restart: $(LAUNCHER) again\n")
    restart = render(plan, plan.instances[0], {"procs": "8"}).restart
    assert restart is not None
    assert "#SBATCH --ntasks=8\n" in restart
    assert restart.endswith("srun -n 8 -N 2 -c 8 again\n")


def test_launcher_that_wants_more_than_is_left_is_reported() -> None:
    plan = study(cmd="$(LAUNCHER)[2n, 4p] x")
    assert script(plan, procs="8")[-1] == "srun -n 4 -N 2 -c 8 x"
    with pytest.raises(LauncherError, match="uses 4 procs, but the step requests 3"):
        script(plan, procs="3")


def test_local_step_requests_nothing_whatever_is_changed() -> None:
    plan = study("gpus: 1", cmd="#SBATCH --x\ntrue")
    assert render(plan, plan.instances[0], {"procs": "3", "nodes": "2"}) == render(plan, plan.instances[0])


def test_current_request_of_an_instance_is_shown_by_key() -> None:
    plan = study()
    first = plan.instances[0]
    assert list(header_resources(plan, first).items()) == [
        ("walltime", "1:30:00"), ("nodes", "2"), ("procs", "4"), ("cores per task", "8"), ("gpus", "1"),
        ("exclusive", "true"), ("queue", "regular"), ("bank", "m1"), ("qos", "high"),
    ]  # fmt: skip
    changed = header_resources(
        plan, first, {"nodes": "", "gpus": "0", "exclusive": "no", "reservation": "r", "new": "x"}
    )
    assert changed == {
        "walltime": "1:30:00", "nodes": "2", "procs": "4", "cores per task": "8", "queue": "regular", "bank": "m1",
        "qos": "high", "reservation": "r",
    }  # fmt: skip
