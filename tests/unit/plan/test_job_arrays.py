"""Which instances can share a job array, and why others cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mtui.core.plan import job_arrays
from mtui.core.plan.expand import make_plan
from mtui.core.plan.job_arrays import ArraySplit, JobShapes, job_shape_of, split_into_arrays
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.problems import Problems
from mtui.core.spec.study_spec import Batch, Parameter, RunValue, Step, StudySpec

BATCH = Batch("slurm", values={"host": "h", "bank": "b", "queue": "q"})


def plan_of(cmd: str, run: Mapping[str, RunValue] | None = None, count: int = 4, description: str = "d") -> Plan:
    """A step `s` of so many instances: X is of each, W alternates."""
    parameters = (
        Parameter("X", tuple(map(str, range(count))), tuple(f"X.{x}" for x in range(count))),
        Parameter("W", tuple(str(1 + x % 2) for x in range(count)), tuple(f"W.{1 + x % 2}" for x in range(count))),
    )
    steps = (Step("s", description, "$(X) $(W)", run={"procs": 1, **(run or {})}),)
    study = StudySpec("t", "d", steps, BATCH, parameters=parameters)
    plan = make_plan(study, out="/o", spec_root="/", cwd="/", problems=Problems("t.yaml"))
    # Not in the study: plans of earlier versions have options that are refused now.
    return replace(plan, steps=(replace(plan.steps[0], cmd=f"{cmd}\n$(X) $(W)"),))


def kinds(plan: Plan) -> list[int]:
    """The kind of each instance, numbered by first sight."""
    found = JobShapes(plan)
    seen: dict[object, int] = {}
    return [seen.setdefault(found.of(instance.index), len(seen)) for instance in plan.instances]


def alone(cmd: str) -> str:
    plan = plan_of(cmd)
    return job_shape_of(plan, plan.instances[0]).alone


def test_kind_has_the_header_and_the_directives_but_for_the_jobs_own_files() -> None:
    plan = plan_of("#SBATCH --mem=1G\necho\n#SBATCH --late", {"nodes": 2, "walltime": "10"})
    kind = job_shape_of(plan, plan.instances[0])
    assert kind.options == (
        "#SBATCH --nodes=2",
        "#SBATCH --partition=q",
        "#SBATCH --account=b",
        "#SBATCH --time=10",
        "#SBATCH --ntasks=1",
        "#SBATCH --mem=1G",
    )
    assert (kind.alone, kind.waits) == ("", False)


def test_burst_buffer_lines_and_not_the_cluster_are_of_the_kind() -> None:
    plan = plan_of("#SBATCH --clusters=c --mem=1G\n#BB create $(W)\n$(X)")
    assert job_shape_of(plan, plan.instances[0]).options[-2:] == ("#SBATCH --mem=1G", "#BB create 1")
    assert kinds(plan) == [0, 1, 0, 1]


def test_instances_with_the_same_request_are_of_one_kind_though_names_and_comments_differ() -> None:
    assert kinds(plan_of("echo $(X)", description="run $(X)")) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("cmd", "run"),
    [
        ("true", {"walltime": "$(W)"}),
        ("true", {"nodes": "$(W)"}),
        ("#SBATCH --mem=$(W)G\ntrue", {}),
        ("# a word\n#SBATCH --comment=$(W)\ntrue", {}),
    ],
)
def test_instances_with_different_requests_are_of_different_kinds(cmd: str, run: Mapping[str, RunValue]) -> None:
    assert kinds(plan_of(cmd, run)) == [0, 1, 0, 1]


def test_resources_that_a_retry_has_changed_make_a_separate_kind() -> None:
    plan = plan_of("true", {"walltime": "10"})
    found = JobShapes(plan)
    assert found.of(0, {"walltime": "20"}) == found.of(1, {"walltime": "20"}) != found.of(0)
    assert "#SBATCH --time=20" in found.of(0, {"walltime": "20"}).options
    assert found.of(0, {"walltime": "10"}) == found.of(0)


@pytest.mark.parametrize("cmd", ["true", "echo $(X)", "#SBATCH --mem=1G\n$(LAUNCHER) x $(W)"])
def test_step_whose_options_depend_on_no_parameter_is_looked_at_once(monkeypatch: pytest.MonkeyPatch, cmd: str) -> None:
    calls: list[int] = []
    real = job_arrays.job_shape_of
    monkeypatch.setattr(job_arrays, "job_shape_of", lambda *words: (calls.append(1), real(*words))[1])
    assert kinds(plan_of(cmd)) == [0, 0, 0, 0]
    assert len(calls) == 1


def test_instance_that_waits_is_looked_at_once_and_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = job_arrays.job_shape_of
    monkeypatch.setattr(job_arrays, "job_shape_of", lambda *words: (calls.append(1), real(*words))[1])
    found = JobShapes(plan_of("true", {"walltime": "$(W)"}))
    first = [found.of(index) for index in range(4)]
    assert [found.of(index) for index in range(4)] == first
    assert len(calls) == 4
    assert found.of(0, {"walltime": "77"}) != first[0]
    monkeypatch.setattr(job_arrays, "_RECENT", 2)
    assert [found.of(index) for index in range(4)] == first


@pytest.mark.parametrize(
    "option",
    [
        "--output=x.log", "--output x.log", "-o x.log", "-ox.log", "--error=e", "-e e", "--input=f", "-i f",
        "--chdir=/x", "-D /x", "--array=1-4", "-a 1-4", "--dependency=singleton", "-d afterok:5", "--wait", "-W",
        "hetjob", "packjob", "--mem=1G --output=x.log", "-N 1 -o x",
    ],
)  # fmt: skip
def test_option_of_a_jobs_own_keeps_it_from_sharing(option: str) -> None:
    assert alone(f"#SBATCH {option}\ntrue") == option


@pytest.mark.parametrize(
    "option",
    [
        "--mem=1G", "-N 2", "--signal=B:USR1@60", "--open-mode=append", "--mail-user=-o@x.y",
        "--comment=output", "--no-kill", "-t 5", "--ntasks-per-node=4", "--constraint=a-d",
    ],
)  # fmt: skip
def test_other_option_can_be_shared(option: str) -> None:
    assert alone(f"#SBATCH {option}\ntrue") == ""


def test_option_that_begins_like_one_of_a_jobs_own_can_be_shared() -> None:
    assert alone("#SBATCH --wait-all-nodes=1\ntrue") == ""


@pytest.mark.parametrize("cmd", ["true\n#SBATCH -o x", "# SBATCH -o x\ntrue", " #SBATCH -o x\ntrue", "sort -o x"])
def test_lines_that_sbatch_does_not_read_keep_nothing_from_sharing(cmd: str) -> None:
    assert alone(cmd) == ""


@pytest.mark.parametrize(
    ("option", "waits"), [("--dependency=singleton", True), ("-d afterok:5", True), ("-D /x", False), ("-a 1", False)]
)
def test_dependency_that_the_author_gives_is_known(option: str, waits: bool) -> None:
    plan = plan_of(f"#SBATCH {option}\ntrue")
    assert job_shape_of(plan, plan.instances[0]).waits is waits


# --- how a step goes to Slurm


@pytest.mark.parametrize(
    ("most", "shares"),
    [
        (1000, ArraySplit((10,), 0)),
        (10, ArraySplit((10,), 0)),
        (4, ArraySplit((4, 4, 2), 0)),
        (3, ArraySplit((3, 3, 3), 1)),
        (1, ArraySplit((), 10)),
    ],
)
def test_step_is_shared_out_in_arrays_of_the_size_that_is_allowed(most: int, shares: ArraySplit) -> None:
    plan = plan_of("true", count=10)
    assert split_into_arrays(plan, plan.steps[0], most) == shares


def test_shares_show_what_differs() -> None:
    plan = plan_of("true", {"walltime": "$(W)", "nodes": "$(W)", "gpus": 1})
    shares = split_into_arrays(plan, plan.steps[0], 1000)
    assert (shares.arrays, shares.alone, shares.why, set(shares.by)) == ((2, 2), 0, "", {"walltime", "nodes"})


def test_shares_show_the_line_that_separates_them() -> None:
    plan = plan_of("#SBATCH --array=1-4\ntrue")
    assert split_into_arrays(plan, plan.steps[0], 1000) == ArraySplit((), 4, "--array=1-4")


def test_step_without_instances_has_no_shares() -> None:
    plan = plan_of("true", count=0)
    assert split_into_arrays(plan, plan.steps[0], 1000) == ArraySplit((), 0)
