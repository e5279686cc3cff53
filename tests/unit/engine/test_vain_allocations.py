"""Allocations that end without running anything: after three in a row no other is requested."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.allocation_policy import Assignment
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.status import Status
from mtui.core.engine.vain_text import vain_text
from mtui.core.plan.shared_allocations import PoolShare
from mtui.core.spec.study_spec import PackingOptions
from tests.plans import plan, step
from tests.unit.engine.packed_study import TWO_POOLS, A, B, Study


def test_after_three_that_never_began_no_other_is_requested() -> None:
    study = Study()
    for name in "123":
        assert len(study.packer().wanted(4)) == 1
        study.allocation(name, began=False)
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)
    share = study.packing.of(0)
    assert isinstance(share, PoolShare)
    assert (study.packer().wanted(4), study.packer().never_began(share.pool)) == ([], "3")
    assert study.packer().stuck(share.pool) == list(A)


def test_another_is_requested_if_one_of_the_last_three_began() -> None:
    study = Study()
    for name in "123":
        study.allocation(name, began=name == "2")
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)

    assert len(study.packer().wanted(4)) == 1


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.LOST])
def test_another_is_requested_after_three_that_were_cancelled_or_lost_before_they_began(status: Status) -> None:
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
        "(set a longer walltime under `pack`)"
    )
    study.do(ev.SubmitIntended, submission="s", backend="pack", members=((0, 1),))
    study.do(ev.SubmitRefused, submission="s", message="in vain")
    study.do(ev.Retried, instance=0)
    assert (len(study.packer().wanted(4)), study.packer().in_vain(share.pool)) == (1, [])


def test_vain_allocations_do_not_count_once_another_runs_something() -> None:
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
def test_allocation_that_slurm_ends_before_it_could_run_anything_is_not_in_vain(status: Status) -> None:
    study = Study()
    for name in "123":
        study.allocation(name)
        study.do(ev.AllocationOver, allocation=name, status=status)
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


def test_allocations_of_other_pools_that_never_began_do_not_count() -> None:
    study = Study(whole=TWO_POOLS)
    for name, of in (("1", A[0]), ("2", A[0]), ("3", B[0])):
        study.allocation(name, of=of, began=False)
        study.do(ev.AllocationOver, allocation=name, status=Status.FAILED, cause=None)

    assert len(study.packer().wanted(4)) == 2
