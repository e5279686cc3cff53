"""Which instances share allocations, what each needs of one, and what is asked of Slurm for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mtui.core.errors import Refusal
from mtui.core.packing.protocol import ResourceRequest
from mtui.core.plan import shared_allocations
from mtui.core.plan.expand import make_plan
from mtui.core.plan.instance_script import header_resources
from mtui.core.plan.shared_allocations import PackingPlan, Pool, PoolShare
from mtui.core.plan.study_plan import Instance, Plan
from mtui.core.spec.problems import Problems
from mtui.core.spec.study_spec import Batch, PackingOptions, Parameter, RunValue, Step, StudySpec
from tests.plans import plan, step

PLACE = ("--partition=q", "--account=b")


def plan_of(cmd: str, run: Mapping[str, RunValue] | None = None, **batch: str) -> Plan:
    step = Step("run", "d", "$(X)", run={"procs": 1, **(run or {})})
    values = {"host": "h", "bank": "b", "queue": "q", **batch}
    parameters = (Parameter("X", ("1", "2"), ("X.1", "X.2")),)
    study = StudySpec("t", "d", (step,), Batch("slurm", values=values), parameters=parameters)
    plan = make_plan(study, out="/out", spec_root="/s", cwd="/c", problems=Problems("t.yaml"))
    # Not in the study: plans of earlier versions have options that are refused now.
    return replace(plan, steps=(replace(plan.steps[0], cmd=f"{cmd} $(X)"),))


def share(
    cmd: str = "true", run: Mapping[str, RunValue] | None = None, pack: PackingOptions | None = None, **batch: str
) -> PoolShare:
    found = PackingPlan(plan_of(cmd, run, **batch), pack or PackingOptions(nodes=4)).of(0)
    assert isinstance(found, PoolShare), found
    return found


def why_not(cmd: str = "true", run: Mapping[str, RunValue] | None = None, pack: PackingOptions | None = None) -> str:
    found = PackingPlan(plan_of(cmd, run), pack or PackingOptions()).of(0)
    assert isinstance(found, Refusal)
    return found.message


@pytest.mark.parametrize(
    ("run", "ask"),
    [
        ({}, ResourceRequest()),
        ({"procs": 64, "cores per task": 2, "walltime": "00:30:00"}, ResourceRequest(tasks=64, cpus=2, seconds=1800)),
        ({"nodes": 2, "procs": 8}, ResourceRequest(nodes=2, tasks=8)),
        ({"gpus": 2}, ResourceRequest(gpus=2)),
        ({"exclusive": True}, ResourceRequest(exclusive=True)),
        ({"procs": "$(X)"}, ResourceRequest(tasks=1)),
    ],
)
def test_request_of_a_step_is_its_part_of_an_allocation(run: dict[str, RunValue], ask: ResourceRequest) -> None:
    assert share(run=run).ask == ask


def test_nodes_without_procs_are_a_task_on_each() -> None:
    step = Step("run", "d", "true", run={"nodes": 3})
    plan = make_plan(
        StudySpec("t", "d", (step,), Batch("slurm")), out="/o", spec_root="/s", cwd="/c", problems=Problems("t.yaml")
    )
    found = PackingPlan(plan, PackingOptions(nodes=3)).of(0)
    assert isinstance(found, PoolShare)
    assert found.ask == ResourceRequest(nodes=3, tasks=3)


@pytest.mark.parametrize(
    ("line", "ask"),
    [
        ("--mem=4G", ResourceRequest(memory=4096)),
        ("--mem 512", ResourceRequest(memory=512)),
        ("-c 4", ResourceRequest(cpus=4)),
        ("-c4", ResourceRequest(cpus=4)),
        ("--cpus-per-task=3 -n 2", ResourceRequest(cpus=3, tasks=2)),
        ("--time=10", ResourceRequest(seconds=600)),
        ("--gpus-per-node=2", ResourceRequest(gpus=2)),
        ("--gres=gpu:2", ResourceRequest(gpus=2)),
        ("--exclusive", ResourceRequest(exclusive=True)),
        ("-J x # a word", ResourceRequest()),
    ],
)
def test_authors_own_directives_count(line: str, ask: ResourceRequest) -> None:
    found = share(f"#SBATCH {line}\ntrue")
    assert (found.ask, found.pool.options) == (ask, PLACE)


@pytest.mark.parametrize("line", ["--constraint=cpu", "-C cpu", "--licenses=a:1", "--mail-type=END", "--exclude=n1"])
def test_what_says_where_a_job_goes_says_where_the_allocation_goes(line: str) -> None:
    option = line.replace("-C cpu", "--constraint=cpu")
    assert share(f"#SBATCH {line}\ntrue").pool == Pool((*PLACE, option))


@pytest.mark.parametrize(
    "line",
    ["--output=x", "--array=1-3", "-d afterok:1", "--signal=B:USR1@60", "--gpus-per-task=1", "-G 2", "-w n1",
     "--ntasks-per-node=2", "--mem-per-gpu=1G", "--begin=now+1hour", "--hint=nomultithread", "--nodes=1-2",
     "--gres=gpu:a100:2", "--gres=gpu:2,shard:1"],
)  # fmt: skip
def test_step_with_a_separate_job_is_not_packed(line: str) -> None:
    word = line.partition(" ")[0]
    assert why_not(f"#SBATCH {line}\ntrue").startswith(f"'#SBATCH {word}")


@pytest.mark.parametrize(
    ("run", "pack", "why"),
    [
        ({"nodes": 2}, PackingOptions(), "it requests 2 nodes, an allocation has 1"),
        ({"procs": 5}, PackingOptions(cores=4), "it requests 5 cores, a node of an allocation has 4"),
        ({"gpus": 4}, PackingOptions(gpus=2), "it requests 4 GPUs, a node of an allocation has 2"),
        (
            {"walltime": "01:00:00"},
            PackingOptions(walltime="01:00:00"),
            "its walltime is longer than an allocation of 01:00:00",
        ),
        ({}, PackingOptions(steps=("other",)), "its step is not packed"),
    ],
)
def test_what_does_not_fit_is_not_packed_and_says_why(run: dict[str, RunValue], pack: PackingOptions, why: str) -> None:
    assert why_not(run=run, pack=pack) == why


def test_instance_with_a_burst_buffer_is_not_packed() -> None:
    assert why_not("#BB create\ntrue") == "'#BB create' needs a separate job"


def test_without_the_block_nothing_is_packed() -> None:
    packing = PackingPlan(plan_of("true"), None)
    assert (packing.steps, packing.takes(0), packing.takes_all(0)) == (frozenset(), False, False)


def test_instances_for_other_places_or_with_gpus_are_of_other_pools() -> None:
    plain = share().pool
    assert plain == Pool(PLACE) == share(run={"walltime": "10", "procs": 3}).pool
    assert share(qos="debug").pool == Pool((*PLACE, "--qos=debug"))
    assert share(run={"gpus": 1}).pool == Pool(PLACE, gpus=1)
    assert share(run={"gpus": 1}, pack=PackingOptions(gpus=4)).pool == Pool(PLACE, gpus=4)


@pytest.mark.parametrize(
    ("walltime", "given", "seconds"),
    [("", "", 3600), ("00:10:00", "", 3600), ("02:00:00", "", 7500), ("00:10:00", "00:30:00", 1800)],
)
def test_walltime_of_an_allocation_has_room_for_the_longest(walltime: str, given: str, seconds: int) -> None:
    plan = plan_of("true", {"walltime": walltime} if walltime else {})
    packing = PackingPlan(plan, PackingOptions(walltime=given))
    assert packing.seconds == seconds
    assert packing.takes(0)


def test_request_is_for_whole_nodes_or_for_the_given_cores() -> None:
    plan = plan_of("true", {"gpus": 1})
    packing = PackingPlan(plan, PackingOptions(nodes=2))
    found = packing.of(0)
    assert isinstance(found, PoolShare)
    head = ("--nodes=2", "--ntasks-per-node=1")
    tail = ("--time=01:00:00", "--gres=gpu:1", *PLACE)
    assert packing.request(found.pool) == (*head, "--exclusive", *tail)
    packing = PackingPlan(plan, PackingOptions(nodes=2, cores=16))
    assert packing.request(found.pool) == (*head, "--cpus-per-task=16", *tail)


def test_retry_with_other_resources_counts() -> None:
    packing = PackingPlan(plan_of("true"), PackingOptions())
    before, after = packing.of(0), packing.of(0, {"procs": "3"})
    assert isinstance(before, PoolShare)
    assert after == replace(before, ask=ResourceRequest(tasks=3))
    assert packing.of(0, {"nodes": "2"}) == Refusal("it requests 2 nodes, an allocation has 1")
    assert packing.of(0, {"queue": "other"}) == PoolShare(Pool(("--partition=other", "--account=b")), ResourceRequest())


def test_share_of_an_instance_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each turn of a driver looks at up to a thousand: where all differ it took 61 ms."""
    whole = plan(step("a", uses="X", procs="$(X)"), rows={"X": [1, 2, 3]})
    packing = PackingPlan(whole, PackingOptions())
    work, worked_out = header_resources, list[int]()

    def note(plan: Plan, instance: Instance, changes: Mapping[str, str]) -> dict[str, str]:
        worked_out.append(instance.index)
        return work(plan, instance, changes)

    monkeypatch.setattr(shared_allocations, "header_resources", note)
    for _ in range(3):
        tasks = [share.ask.tasks for index in range(3) if isinstance(share := packing.of(index), PoolShare)]
        assert tasks == [1, 2, 3]
        changed = packing.of(0, {"procs": "5"})
        assert isinstance(changed, PoolShare)
        assert changed.ask.tasks == 5
    assert sorted(worked_out) == [0, 0, 1, 2]


def test_changed_number_of_gpus_does_not_drop_their_type() -> None:
    plan = plan_of("#SBATCH --gres=gpu:a100:2\ntrue")
    refusal = PackingPlan(plan, PackingOptions()).of(0, {"gpus": "4"})
    assert isinstance(refusal, Refusal)
    assert "--gres=gpu:a100:2" in refusal.message
