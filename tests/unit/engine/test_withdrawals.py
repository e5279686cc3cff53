"""Which instances are withdrawn from an allocation that has not begun them."""

from __future__ import annotations

from mtui.core.engine import events as ev
from mtui.core.engine.allocation_policy import Assignment, Withdrawal
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.status import Status
from mtui.core.spec.study_spec import PackingOptions
from tests.plans import plan, step
from tests.unit.engine.packed_study import ALL, TWO_POOLS, A, B, Study

WALLTIMES = ["00:30:00", "00:02:00", "00:31:00", "00:03:00", "00:32:00", "00:04:00"]


# --- for an idle allocation


def test_idle_allocation_gets_from_the_richest_what_that_has_not_begun() -> None:
    study = Study(PackingOptions(allocations=2))
    study.allocation("1")
    study.give(Assignment("1", A))
    study.start(0)
    study.allocation("2")
    assert study.packer().withdrawals() == [Withdrawal("1", (2,), Cause(CauseCode.IDLE_ALLOCATION, job="102"))]
    study.start(1, 2)
    assert study.packer().withdrawals() == []


def test_idle_allocation_gets_only_what_fits_into_the_time_that_it_has_left() -> None:
    """Otherwise it would return what it cannot run at once, and receive it again, twice a second."""
    whole = plan(step("a", uses="X", walltime="$(X)"), rows={"X": WALLTIMES})
    study = Study(PackingOptions(allocations=2), whole)
    study.allocation("1", began=False)
    study.give(Assignment("1", (0, 1, 2, 3, 4, 5)))
    study.allocation("2", seconds=600)

    (back,) = study.packer().withdrawals()

    assert back.members == (1, 3, 5)
    study.do(ev.Returned, members=tuple((index, 1) for index in back.members), cause=back.cause)
    assert study.packer().assignments(0, ahead=True) == [Assignment("2", back.members)]
    study.at += 300
    assert study.packer().withdrawals() == []


def test_idle_allocation_gets_what_fits_from_another_than_the_richest() -> None:
    whole = plan(step("a", uses="X", walltime="$(X)"), rows={"X": WALLTIMES[::2] + WALLTIMES[1:2]})
    study = Study(PackingOptions(allocations=3), whole)
    study.allocation("1", began=False)
    study.allocation("2", began=False)
    study.give(Assignment("1", (0, 1, 2)), Assignment("2", (3,)))
    study.allocation("3", seconds=600)

    assert [(back.allocation, back.members) for back in study.packer().withdrawals()] == [("2", (3,))]


def test_nothing_is_moved_that_would_not_fit_a_moment_later() -> None:
    whole = plan(step("a", uses="X", walltime="00:02:00"), rows={"X": [1]})
    study = Study(PackingOptions(allocations=2), whole)
    study.allocation("1", began=False)
    study.give_all()
    study.allocation("2", seconds=150)

    assert study.packer().withdrawals() == []


def test_instance_that_no_idle_allocation_ever_starts_is_moved_three_times_at_most() -> None:
    study = Study(PackingOptions(allocations=2), plan(step("a", uses="X"), rows={"X": [1]}))
    study.allocation("1", began=False)
    study.give_all()
    for number in range(1, 10):
        study.allocation(str(number + 1))
        backs = study.packer().withdrawals()
        if not backs:
            break
        study.do(ev.Returned, members=((0, number),), cause=backs[0].cause)
        study.do(ev.AllocationEnding, allocation=str(number + 1))  # as if it were stuck
        study.give(Assignment("1", (0,)))

    assert len(study.state.attempts[0]) == 4


def test_idle_allocation_gets_half_of_what_the_richest_has_not_begun() -> None:
    whole = plan(step("a", uses="X"), rows={"X": range(5)})
    study = Study(PackingOptions(allocations=2), whole)
    study.allocation("1")
    study.give(Assignment("1", (0, 1, 2, 3, 4)))
    study.start(0)
    study.allocation("2")

    (back,) = study.packer().withdrawals()

    assert (back.allocation, back.members) == ("1", (3, 4))


def test_idle_allocation_gets_from_the_one_with_the_most_instances() -> None:
    study = Study(PackingOptions(allocations=3), plan(step("a", uses="X"), rows={"X": range(6)}))
    for name, members in (("1", (0, 1)), ("2", (2, 3, 4, 5))):
        study.allocation(name)
        study.give(Assignment(name, members))
    study.allocation("3")

    (back,) = study.packer().withdrawals()

    assert (back.allocation, back.members) == ("2", (4, 5))


def test_idle_allocation_gets_nothing_from_one_of_another_pool() -> None:
    study = Study(PackingOptions(allocations=2), TWO_POOLS)
    study.allocation("1")
    study.give(Assignment("1", A))
    study.allocation("2", of=B[0])

    assert study.packer().withdrawals() == []


def test_allocation_with_its_own_work_gets_nothing_from_another() -> None:
    study = Study(PackingOptions(allocations=2))
    study.allocation("1")
    study.allocation("2")
    study.give(Assignment("1", (0, 1)), Assignment("2", (2,)))

    assert study.packer().withdrawals() == []


def test_allocation_that_has_not_begun_gets_nothing_from_another() -> None:
    study = Study(PackingOptions(allocations=2))
    study.allocation("1")
    study.give(Assignment("1", A))
    study.allocation("2", began=False)

    assert study.packer().withdrawals() == []


def test_allocation_that_is_ending_gets_nothing_from_another() -> None:
    study = Study(PackingOptions(allocations=2))
    study.allocation("1")
    study.give(Assignment("1", A))
    study.allocation("2")
    study.do(ev.AllocationEnding, allocation="2")

    assert study.packer().withdrawals() == []


def test_one_that_has_not_begun_loses_everything() -> None:
    study = Study(PackingOptions(allocations=2))
    study.allocation("1", began=False)
    study.give_all()
    study.allocation("2")
    (back,) = study.packer().withdrawals()
    assert back.members == A
    study.do(ev.Returned, members=tuple((index, 1) for index in A), cause=back.cause)
    assert sorted(study.state.to_unbind) == list(B)  # their dependents there
    assert study.words()[:3] == ["ready"] * 3
    assert study.packer().assignments(0, ahead=True) == [Assignment("2", A)]


# --- what an allocation cannot run


def test_instances_of_several_nodes_leave_an_allocation_without_python() -> None:
    study = Study(PackingOptions(nodes=2), plan(step("a", nodes=2), step("b")))
    study.allocation(began=False)
    study.give_all()
    study.do(ev.AllocationBegan, allocation="1", job="101", cores=4, graph=False)
    (back,) = study.packer().withdrawals()
    assert (back.members, back.cause) == ((0,), Cause(CauseCode.NO_PYTHON, job="101"))
    study.do(ev.Returned, members=((0, 1),), cause=back.cause)
    assert study.packer().assignments(0, ahead=True) == []
    assert len(study.packer().wanted(4)) == 1


def test_what_was_given_with_something_to_wait_for_is_taken_from_one_that_cannot_wait() -> None:
    study = Study()
    study.allocation(began=False)
    study.give_all()
    study.do(ev.AllocationBegan, allocation="1", job="101", cores=4, graph=False)
    assert [set(back.members) for back in study.packer().withdrawals()] == [{*B, ALL}]
    study.start(0)
    study.finish(0)
    assert study.words()[3] == "pending"
    assert [set(back.members) for back in study.packer().withdrawals()] == [{*B, ALL}]


def test_what_does_not_fit_any_more_is_taken_back() -> None:
    study = Study()
    study.allocation()
    study.give_all()
    study.at += 3599
    (back,) = study.packer().withdrawals()
    assert (back.members, back.cause) == (A, Cause(CauseCode.NO_TIME_LEFT, job="101"))


def test_only_instances_that_do_not_fit_the_time_left_are_withdrawn() -> None:
    study = Study(whole=plan(step("a", walltime="00:10:00"), step("b", walltime="00:30:00")))
    study.allocation()
    study.give_all()
    study.at += 3600 - 20 * 60

    (back,) = study.packer().withdrawals()

    assert (back.members, back.cause) == ((1,), Cause(CauseCode.NO_TIME_LEFT, job="101"))


def test_retry_with_a_longer_walltime_is_withdrawn_from_an_allocation_with_too_little_time() -> None:
    study = Study(whole=plan(step("a", run={"walltime": "00:01:00"})))
    study.allocation(seconds=3600)
    study.give_all()
    study.start(0)
    study.do(ev.Ended, instance=0, attempt=1, status=Status.FAILED, exit_code=1)
    study.do(ev.Retried, instance=0, changes=(("walltime", "00:30:00"),))
    study.give_all()
    study.at += 3000  # less than ten minutes are left
    assert [withdrawal.members for withdrawal in study.packer().withdrawals()] == [(0,)]


# --- held


def test_what_an_allocation_has_not_begun_can_be_held_and_released() -> None:
    study = Study()
    study.allocation()
    study.give_all()
    for held in (True, False):
        study.do(ev.Held, instance=0)
        assert (list(study.state.to_unbind), study.words()[0]) == ([0], "pending")
        if held:
            study.do(ev.Released, instance=0)
            assert (study.state.to_unbind, study.state.held) == ({}, set())
    study.do(ev.Unbound, members=((0, 1),), cause=Cause(CauseCode.HELD))
    assert (study.words()[0], study.state.held) == ("held", {0})
    study.do(ev.Held, instance=1)
    study.start(1)  # too late
    assert (study.words()[1], study.state.held, study.state.to_unbind) == ("running", {0}, {3: None})
