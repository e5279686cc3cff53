"""What allocations are asked for, what they are given, what is taken back from them."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.allocation_policy import AllocationPolicy, Assignment, Withdrawal
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.engine.vain_text import vain_text
from mtui.core.plan.shared_allocations import PackingPlan, PoolShare
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.study_spec import PackingOptions
from tests.plans import plan, step

CHAIN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"), rows={"X": [1, 2, 3]})
A, B, ALL = (0, 1, 2), (3, 4, 5), 6
WALLTIMES = ["00:30:00", "00:02:00", "00:31:00", "00:03:00", "00:32:00", "00:04:00"]
TWO_POOLS = plan(step("a", uses="X", queue="one"), step("b", uses="X", queue="two"), rows={"X": [1, 2, 3]})


class Study:
    """A state and what is asked of it; each event is a second after the one before."""

    def __init__(self, pack: PackingOptions | None = None, whole: Plan = CHAIN) -> None:
        self.state = StudyState(whole)
        self.packing = PackingPlan(whole, pack or PackingOptions())
        self.at = 1000.0

    def packer(self) -> AllocationPolicy:
        return AllocationPolicy(self.state, self.packing, self.at)

    def do(self, event: type[ev.Event], **fields: object) -> None:
        self.at += 1
        self.state.apply(event(at=self.at, **fields))

    def allocation(
        self, name: str = "1", *, of: int = 0, began: bool = True, seconds: float = 3600.0, **more: bool
    ) -> None:
        """Request one for the pool of an instance; it is in the queue, and begins if it is to."""
        pool = self.packing.of(of)
        assert isinstance(pool, PoolShare)
        self.do(ev.AllocationIntended, allocation=name, pool=pool.pool.options, gpus=0, nodes=1, seconds=3600)
        self.do(ev.AllocationQueued, allocation=name, job=f"10{name}")
        if began:
            self.do(ev.AllocationBegan, allocation=name, job=f"10{name}", cores=4, seconds=seconds, **more)

    def give(self, *gifts: Assignment) -> None:
        for gift in gifts:
            members = tuple((index, self.state.next_attempt(index)) for index in gift.members)
            name = f"s{self.at}"
            self.do(ev.SubmitIntended, submission=name, backend="pack", members=members, allocation=gift.allocation)
            self.do(ev.Submitted, submission=name, job=self.state.allocations.by_name[gift.allocation].job)

    def give_all(self) -> None:
        while gifts := self.packer().assignments(0, ahead=True):
            self.give(*gifts)

    def start(self, *indices: int) -> None:
        for index in indices:
            self.do(ev.Started, instance=index, attempt=1, job="101", node="n1")

    def finish(self, *indices: int) -> None:
        for index in indices:
            self.do(ev.Ended, instance=index, attempt=1, status=Status.FINISHED, exit_code=0)

    def words(self) -> list[str]:
        return [status.value for status in self.state.status]


def test_allocation_is_asked_for_once_something_is_ready() -> None:
    study = Study()
    (pool,) = study.packer().wanted(4)
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    assert pool == share.pool
    study.do(ev.AllocationIntended, allocation="1", pool=pool.options, gpus=0, nodes=1, seconds=3600)
    assert study.packer().wanted(4) == []
    assert study.packer().assignments(0, ahead=True) == []  # Slurm has not answered yet


def test_it_is_given_what_is_ready_then_what_hangs_on_that_then_the_funnel() -> None:
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


def test_another_is_asked_for_while_the_work_would_wait_too_long() -> None:
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
def test_another_is_asked_for_only_if_the_wait_is_longer_than_more_after(more_after: int, expected: int) -> None:
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
    """Otherwise what it cannot run goes back at once, and so on, twice a second."""
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


def test_allocation_with_work_of_its_own_gets_nothing_from_another() -> None:
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


def test_one_that_has_not_begun_loses_everything() -> None:
    study = Study(PackingOptions(allocations=2))
    study.allocation("1", began=False)
    study.give_all()
    study.allocation("2")
    (back,) = study.packer().withdrawals()
    assert back.members == A
    study.do(ev.Returned, members=tuple((index, 1) for index in A), cause=back.cause)
    assert sorted(study.state.to_unbind) == list(B)  # what hung on them there
    assert study.words()[:3] == ["ready"] * 3
    assert study.packer().assignments(0, ahead=True) == [Assignment("2", A)]


def test_allocations_are_let_go_when_everything_is_over() -> None:
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


def test_after_three_that_never_began_no_other_is_asked_for() -> None:
    study = Study()
    for name in "123":
        assert len(study.packer().wanted(4)) == 1
        study.allocation(name, began=False)
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    assert (study.packer().wanted(4), study.packer().never_began(share.pool)) == ([], "3")
    assert study.packer().stuck(share.pool) == list(A)


def test_another_is_asked_for_if_one_of_the_last_three_began() -> None:
    study = Study()
    for name in "123":
        study.allocation(name, began=name == "2")
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)

    assert len(study.packer().wanted(4)) == 1


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.LOST])
def test_another_is_asked_for_after_three_that_were_cancelled_or_lost_before_they_began(status: Status) -> None:
    study = Study()
    for name in "123":
        study.allocation(name, began=False)
        study.do(ev.AllocationOver, allocation=name, status=status, cause=None)

    assert len(study.packer().wanted(4)) == 1


def test_allocations_that_begin_and_run_nothing_count_as_well() -> None:
    study = Study(whole=plan(step("a", uses="X", walltime="00:30:00"), rows={"X": [1, 2]}))
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    for count, name in enumerate("123", 1):
        assert len(study.packer().wanted(4)) == 1
        study.allocation(name, seconds=1000)  # its leader took too long
        assert [own.name for own in study.packer().in_vain(share.pool)] == list("123"[:count])[::-1]
        study.do(ev.AllocationEnding, allocation=name)
    assert (study.packer().wanted(4), study.packer().never_began(share.pool)) == ([], "3")
    assert vain_text(study.packer().in_vain(share.pool), study.packer().needed(share.pool)) == (
        "the last 3 allocations ran nothing: 1000 seconds were left when its leader was ready, 1810 are needed "
        "(a longer walltime under `pack` leaves more)"
    )
    study.do(ev.SubmitIntended, submission="s", backend="pack", members=((0, 1),))
    study.do(ev.SubmitRefused, submission="s", message="in vain")
    study.do(ev.Retried, instance=0)
    assert (len(study.packer().wanted(4)), study.packer().in_vain(share.pool)) == (1, [])


def test_allocations_in_vain_do_not_count_once_another_runs_something() -> None:
    study = Study()
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    for number, name in enumerate("12", 1):
        study.allocation(name)
        study.give(Assignment(name, A[:1]))
        study.do(ev.Returned, members=((0, number),), cause=Cause(CauseCode.ALLOCATION_ENDED, job=f"10{name}"))
        study.do(ev.AllocationOver, allocation=name, status=Status.FINISHED)
    assert len(study.packer().in_vain(share.pool)) == 2
    study.allocation("3")
    study.give_all()
    study.start(1)
    assert study.packer().in_vain(share.pool) == []


def test_instances_are_not_given_up_while_an_allocation_may_run_them() -> None:
    study = Study(PackingOptions(allocations=3), plan(step("a", uses="X"), rows={"X": range(8)}))
    study.allocation("1")
    study.give(Assignment("1", (0, 1, 2, 3)))
    for name in "234":
        study.allocation(name, began=False)
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    assert (len(study.packer().in_vain(share.pool)), study.packer().never_began(share.pool)) == (3, "")


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.PREEMPTED, Status.NODE_FAILED])
def test_what_slurm_takes_away_before_it_could_run_anything_is_not_in_vain(status: Status) -> None:
    study = Study()
    for name in "123":
        study.allocation(name)
        study.do(ev.AllocationOver, allocation=name, status=status)
    assert len(study.packer().wanted(4)) == 1


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


def test_person_who_lets_them_run_again_gets_another_allocation() -> None:
    study = Study()
    for name in "123":
        study.allocation(name, began=False)
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)
    members = tuple((index, 1) for index in A)
    study.do(ev.SubmitIntended, submission="s", backend="pack", members=members)
    study.do(ev.SubmitRefused, submission="s", message="none began")
    assert study.packer().wanted(4) == []
    study.do(ev.Retried, instance=A[0])
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


# --- several pools


def test_instance_is_assigned_to_an_allocation_of_its_own_pool_only() -> None:
    study = Study(whole=TWO_POOLS)
    study.allocation(of=B[0])

    assert study.packer().assignments(0, ahead=True) == [Assignment("1", B)]


def test_allocation_of_one_pool_does_not_keep_another_pool_from_its_own() -> None:
    study = Study(whole=TWO_POOLS)
    study.allocation()

    pools = study.packer().wanted(4)

    share = study.packing.of(B[0])
    assert isinstance(share, PoolShare)
    assert pools == [share.pool]


def test_allocations_of_other_pools_that_never_began_do_not_count() -> None:
    study = Study(whole=TWO_POOLS)
    for name, of in (("1", A[0]), ("2", A[0]), ("3", B[0])):
        study.allocation(name, of=of, began=False)
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)

    assert len(study.packer().wanted(4)) == 2


def test_work_of_another_pool_does_not_count_for_an_allocation() -> None:
    study = Study(PackingOptions(allocations=2, more_after=60), TWO_POOLS)
    study.allocation("1")
    study.allocation("2", of=B[0])
    study.give_all()

    assert study.packer().wanted(4) == []  # 3 instances of a minute on 4 cores: 45 seconds for each pool


def test_idle_allocation_gets_nothing_from_one_of_another_pool() -> None:
    study = Study(PackingOptions(allocations=2), TWO_POOLS)
    study.allocation("1")
    study.give(Assignment("1", A))
    study.allocation("2", of=B[0])

    assert study.packer().withdrawals() == []


# --- limits


def test_no_more_allocations_are_asked_for_than_the_study_may_have() -> None:
    study = Study(PackingOptions(allocations=1, more_after=1))
    study.allocation()
    study.give_all()

    assert study.packer().wanted(1) == []


def test_no_other_allocation_is_asked_for_before_slurm_has_answered() -> None:
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


def test_throttle_counts_what_allocations_have_already() -> None:
    study = Study()
    study.allocation()
    study.give(Assignment("1", A[:2]))

    assert study.packer().assignments(2, ahead=True) == []


# --- what is left of the walltime


def test_only_instances_that_do_not_fit_the_time_left_are_withdrawn() -> None:
    study = Study(whole=plan(step("a", walltime="00:10:00"), step("b", walltime="00:30:00")))
    study.allocation()
    study.give_all()
    study.at += 3600 - 20 * 60

    (back,) = study.packer().withdrawals()

    assert (back.members, back.cause) == ((1,), Cause(CauseCode.NO_TIME_LEFT, job="101"))


# --- parents, idle and ending allocations


@pytest.mark.parametrize("leave", [ev.Held, ev.CancelRequested])
def test_child_of_an_instance_that_is_about_to_leave_its_allocation_is_not_assigned_ahead(
    leave: type[ev.Event],
) -> None:
    study = Study()
    study.allocation()
    study.give(Assignment("1", A))
    study.do(leave, instance=0)

    assert study.packer().assignments(0, ahead=True) == [Assignment("1", B[1:])]


def test_idle_allocation_gets_from_the_one_with_the_most_instances() -> None:
    study = Study(PackingOptions(allocations=3), plan(step("a", uses="X"), rows={"X": range(6)}))
    for name, members in (("1", (0, 1)), ("2", (2, 3, 4, 5))):
        study.allocation(name)
        study.give(Assignment(name, members))
    study.allocation("3")

    (back,) = study.packer().withdrawals()

    assert (back.allocation, back.members) == ("2", (4, 5))


def test_allocation_that_is_ending_already_is_not_released_again() -> None:
    study = Study(whole=plan(step("a")))
    study.allocation()
    study.give_all()
    study.start(0)
    study.finish(0)
    study.do(ev.AllocationEnding, allocation="1")

    assert study.packer().releasable() == []
