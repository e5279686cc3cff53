"""Which allocations are requested and released, and which instances are assigned to them."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.allocation_policy import Assignment
from mtui.core.engine.status import Status
from mtui.core.plan.shared_allocations import PoolShare
from mtui.core.spec.study_spec import PackingOptions, Step
from tests.plans import plan, step
from tests.unit.engine.packed_study import ALL, TWO_POOLS, A, B, Study

# --- assignments


def test_it_is_assigned_what_is_ready_then_its_dependents_then_the_funnel() -> None:
    study = Study()
    study.allocation(began=False)
    for expected in (A, B, (ALL,)):
        gifts = study.packer().assignments(0, ahead=True)
        assert gifts == [Assignment("1", expected)]
        study.give(*gifts)
    assert study.packer().assignments(0, ahead=True) == []
    assert study.words() == ["pending"] * 3 + ["bound"] * 4
    assert sorted(study.state.allocations.by_name["1"].members) == [*A, *B, ALL]
    assert study.state.live_slurm == {}


def test_only_ready_ones_are_given_when_nothing_goes_ahead_and_no_more_than_the_throttle() -> None:
    study = Study()
    study.allocation()
    assert study.packer().assignments(2, ahead=False) == [Assignment("1", A[:2])]
    study.give(Assignment("1", A))
    assert study.packer().assignments(0, ahead=False) == []
    assert study.packer().assignments(4, ahead=True) == [Assignment("1", B[:1])]


def test_running_allocations_share_evenly_and_come_before_those_in_the_queue() -> None:
    study = Study(PackingOptions(allocations=3))
    study.allocation("1", began=False)
    study.allocation("2")
    study.allocation("3")
    assert study.packer().assignments(0, ahead=True) == [Assignment("2", (0, 2)), Assignment("3", (1,))]


def test_child_goes_to_the_allocation_that_has_its_parents_and_waits_for_parents_in_two() -> None:
    study = Study(PackingOptions(allocations=2))
    study.allocation("1")
    study.allocation("2")
    study.give(Assignment("1", (0, 1)), Assignment("2", (2,)))
    assert study.packer().assignments(0, ahead=True) == [Assignment("1", (3, 4)), Assignment("2", (5,))]
    study.give_all()
    assert study.words()[ALL] == "waiting"
    study.start(2, 5)
    study.finish(2, 5)
    assert study.packer().assignments(0, ahead=True) == [Assignment("1", (ALL,))]


def test_nothing_goes_ahead_to_an_allocation_that_works_down_a_list() -> None:
    study = Study()
    study.allocation(graph=False)
    study.give_all()
    assert study.words() == ["pending"] * 3 + ["waiting"] * 4


@pytest.mark.parametrize(
    "last",
    [step("c", after=["a"], uses="X"), step("c", after=["a_*"]), step("c", "b", after=["a"], uses="X")],
    ids=["of its row", "of a step", "beside a success"],
)
def test_what_waits_for_an_end_alone_is_given_once_that_has_come(last: Step) -> None:
    """A leader starts only what waits for successes: it would wait there for ever if the other one failed."""
    whole = plan(step("a", uses="X"), step("b", uses="X"), last, rows={"X": [1]})
    study = Study(PackingOptions(), whole)
    study.allocation()
    study.give_all()
    assert study.words() == ["pending", "pending", "waiting"]
    study.start(0)
    study.do(ev.Ended, instance=0, attempt=1, status=Status.FAILED, exit_code=3)
    assert study.packer().assignments(0, ahead=True) == [Assignment("1", (2,))]


def test_what_does_not_fit_into_what_is_left_waits_for_another_allocation() -> None:
    whole = plan(step("a", uses="X"), rows={"X": [1]})
    study = Study(PackingOptions(allocations=2), whole)
    study.allocation(seconds=20.0)  # an instance without a walltime needs more than that
    assert study.packer().assignments(0, ahead=True) == []
    assert len(study.packer().wanted(4)) == 1
    ending = Study(PackingOptions(), whole)
    ending.allocation()
    ending.do(ev.AllocationEnding, allocation="1")
    assert (ending.packer().assignments(0, ahead=True), len(ending.packer().wanted(4))) == ([], 1)


def test_allocation_that_is_completing_is_given_nothing() -> None:
    study = Study()
    study.allocation()
    study.do(ev.AllocationObserved, allocation="1", status=Status.COMPLETING)

    assert study.packer().assignments(0, ahead=True) == []


def test_allocation_without_a_known_job_is_given_nothing() -> None:
    study = Study()
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    study.do(ev.AllocationIntended, allocation="1", pool=share.pool.options, gpus=0, nodes=1, seconds=3600)
    study.do(ev.AllocationObserved, allocation="1", status=Status.PENDING)

    assert study.packer().assignments(0, ahead=True) == []


def test_throttle_counts_what_allocations_have_already() -> None:
    study = Study()
    study.allocation()
    study.give(Assignment("1", A[:2]))

    assert study.packer().assignments(2, ahead=True) == []


@pytest.mark.parametrize("leave", [ev.Held, ev.CancelRequested])
def test_child_of_an_instance_that_is_about_to_leave_its_allocation_is_not_assigned_ahead(
    leave: type[ev.Event],
) -> None:
    study = Study()
    study.allocation()
    study.give(Assignment("1", A))
    study.do(leave, instance=0)

    assert study.packer().assignments(0, ahead=True) == [Assignment("1", B[1:])]


def test_instance_is_assigned_to_an_allocation_of_its_pool_only() -> None:
    study = Study(whole=TWO_POOLS)
    study.allocation(of=B[0])

    assert study.packer().assignments(0, ahead=True) == [Assignment("1", B)]


# --- requests


def test_allocation_is_requested_once_something_is_ready() -> None:
    study = Study()
    (pool,) = study.packer().wanted(4)
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    assert pool == share.pool
    study.do(ev.AllocationIntended, allocation="1", pool=pool.options, gpus=0, nodes=1, seconds=3600)
    assert study.packer().wanted(4) == []
    assert study.packer().assignments(0, ahead=True) == []  # Slurm has not answered yet


def test_another_is_requested_while_the_work_would_wait_too_long() -> None:
    whole = plan(step("a", uses="X"), rows={"X": list(range(100))})
    study = Study(PackingOptions(allocations=2, more_after=600), whole)
    study.allocation()
    study.give_all()
    assert len(study.packer().wanted(4)) == 1  # 100 x a minute on 4 cores
    study.start(0)
    study.at += 8
    study.finish(0)  # in 9 seconds: the rest will take four minutes
    assert study.packer().wanted(4) == []


@pytest.mark.parametrize(("more_after", "expected"), [(5999, 1), (6000, 0)], ids=["beyond the limit", "at the limit"])
def test_another_is_requested_only_if_the_wait_is_longer_than_more_after(more_after: int, expected: int) -> None:
    whole = plan(step("a", uses="X"), rows={"X": range(100)})
    study = Study(PackingOptions(allocations=2, more_after=more_after), whole)
    study.allocation(began=False)

    pools = study.packer().wanted(1)  # 100 instances of a minute each on one core: 6000 seconds

    assert len(pools) == expected


@pytest.mark.parametrize(("more_after", "expected"), [(700, 1), (800, 0)])
def test_allocation_in_the_queue_counts_with_as_many_cores_as_the_known_nodes(more_after: int, expected: int) -> None:
    whole = plan(step("a", uses="X"), rows={"X": range(100)})
    study = Study(PackingOptions(allocations=3, more_after=more_after), whole)
    study.allocation("1")
    study.allocation("2", began=False)

    pools = study.packer().wanted(1)  # 100 instances of a minute each on 4 + 4 cores: 750 seconds

    assert len(pools) == expected


def test_each_allocation_that_began_counts_with_its_own_cores() -> None:
    whole = plan(step("a", uses="X"), rows={"X": range(100)})
    study = Study(PackingOptions(allocations=3, more_after=400), whole)
    study.allocation("1")
    study.allocation("2", began=False)
    study.do(ev.AllocationBegan, allocation="2", job="102", cores=8, seconds=3600.0)

    pools = study.packer().wanted(1)  # 100 instances of a minute each on 4 + 8 cores: 500 seconds

    assert len(pools) == 1


def test_no_more_allocations_are_requested_than_the_study_may_have() -> None:
    study = Study(PackingOptions(allocations=1, more_after=1))
    study.allocation()
    study.give_all()

    assert study.packer().wanted(1) == []


def test_no_other_allocation_is_requested_before_slurm_has_answered() -> None:
    study = Study(PackingOptions(allocations=3, more_after=1))
    study.allocation("1")
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    study.do(ev.AllocationIntended, allocation="2", pool=share.pool.options, gpus=0, nodes=1, seconds=3600)

    assert study.packer().wanted(1) == []


def test_walltime_is_the_guess_for_a_step_of_which_none_has_finished() -> None:
    study = Study(PackingOptions(allocations=2, more_after=600), plan(step("a", walltime="00:20:00")))
    study.allocation()
    study.do(ev.AllocationBegan, allocation="1", job="101", cores=1, seconds=3600.0)

    assert len(study.packer().wanted(1)) == 1


def test_allocation_of_one_pool_does_not_keep_another_pool_from_its_own() -> None:
    study = Study(whole=TWO_POOLS)
    study.allocation()

    pools = study.packer().wanted(4)

    share = study.packing.of(B[0])
    assert isinstance(share, PoolShare)
    assert pools == [share.pool]


def test_work_of_another_pool_does_not_count_for_an_allocation() -> None:
    study = Study(PackingOptions(allocations=2, more_after=60), TWO_POOLS)
    study.allocation("1")
    study.allocation("2", of=B[0])
    study.give_all()

    assert study.packer().wanted(4) == []  # 3 instances of a minute on 4 cores: 45 seconds for each pool


# --- releases


def test_allocations_are_released_when_everything_is_over() -> None:
    study = Study()
    study.allocation()
    study.give_all()
    study.start(*A, *B)
    study.finish(*A, *B)
    assert study.packer().releasable() == []
    study.start(ALL)
    study.finish(ALL)
    assert [allocation.name for allocation in study.packer().releasable()] == ["1"]
    assert study.state.allocations.by_name["1"].done == 7


def test_allocation_without_members_stays_while_another_instance_is_left_to_run() -> None:
    study = Study(whole=plan(step("a", uses="X"), rows={"X": [1, 2]}))
    study.allocation()
    study.give(*study.packer().assignments(1, ahead=False))
    study.start(0)
    study.finish(0)
    assert study.words() == ["finished", "ready"]
    assert study.state.allocations.by_name["1"].members == {}
    assert study.packer().releasable() == []


def test_allocation_that_is_ending_already_is_not_released_again() -> None:
    study = Study(whole=plan(step("a")))
    study.allocation()
    study.give_all()
    study.start(0)
    study.finish(0)
    study.do(ev.AllocationEnding, allocation="1")

    assert study.packer().releasable() == []
