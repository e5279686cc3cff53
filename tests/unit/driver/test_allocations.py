"""Allocations: requested, assigned instances, released, and the leader's records read."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from mtui.core.backends.backend import Deferred, Refused, Unclear
from mtui.core.claims import Claims
from mtui.core.driver import preparation
from mtui.core.driver.allocations.members import return_instances
from mtui.core.engine import events as ev
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Instance
from tests.unit.driver.fake_context import Clock
from tests.unit.driver.packed_study import Packed
from tests.unit.engine.script import cancel, started

pytestmark = pytest.mark.usefixtures("clock")


# --- requests


def test_request_is_journalled_before_slurm_is_queried(packed: Packed) -> None:
    packed.step(answers=1)
    assert packed.context.trace == ["allocation_intended", "sync", "allocation_queued"]
    (script,) = packed.context.fake_slurm.scripts
    assert "#SBATCH --output=.mtui/allocations/1-1.out" in script
    assert packed.step() != ["allocation_intended"], "one is enough"
    packed.scheduler.close()


def test_deferred_request_is_repeated_after_thirty_seconds(packed: Packed, clock: Clock) -> None:
    packed.context.fake_slurm.answers = [Deferred("slurm is busy")]
    assert packed.step(answers=1) == ["allocation_intended", "allocation_over"]
    clock.pass_time(29.9)
    assert packed.step() == []
    clock.pass_time(0.2)
    assert packed.step(answers=1) == ["allocation_intended", "allocation_queued"]
    packed.scheduler.close()


def test_unclear_request_is_looked_for_by_the_next_poll(packed: Packed) -> None:
    packed.context.fake_slurm.answers = [Unclear("timed out")]
    assert packed.step(answers=1) == ["allocation_intended", "allocation_observed"]
    assert packed.tracker.watch.wants_poll
    packed.scheduler.close()


def test_refused_request_fails_what_waits_for_it(packed: Packed) -> None:
    packed.context.fake_slurm.answers = [Refused("invalid account")]
    packed.step(answers=1)
    assert packed.context.state.status[:2] == [Status.FAILED, Status.FAILED]
    packed.scheduler.close()


def test_after_an_allocation_that_ran_nothing_another_is_requested_later_and_after_three_none(
    packed: Packed, clock: Clock
) -> None:
    context = packed.context
    for name, pause in (("1-1", 15), ("1-2", 60), ("1-3", 0)):
        assert packed.step(answers=1)[-1] == "allocation_queued"
        context.emit(
            ev.AllocationOver(at=1.0, allocation=name, status=Status.FAILED, cause=Cause(CauseCode.OTHER, "no srun"))
        )
        clock.pass_time(0.1)
        reported = packed.step()
        if pause:
            assert reported == ["anomaly"]
            assert "no srun" in str(context.fake_log.events[-1])
            clock.pass_time(pause - 1)
            assert packed.step() == [], "too early"
            clock.pass_time(2)
    assert context.state.status[:2] == [Status.FAILED, Status.FAILED]
    assert "no srun" in cause_text(context.state.cause(0))
    assert ".mtui/allocations/1-3.out" in cause_text(context.state.cause(0))
    packed.scheduler.close()


# --- dispatch


def test_files_are_there_and_the_intent_is_on_the_disk_before_the_leader_reads_of_them(packed: Packed) -> None:
    packed.step(answers=1)
    before = len(packed.context.trace)
    packed.step(answers=1)
    assert packed.context.trace[before:] == ["submit_intended", "sync", "submitted"]
    assert "0.1" in packed.list_of()
    assert "1.1" in packed.list_of()
    assert len(list(packed.context.directory.root.rglob("a_X.1.slurm.sh"))) == 1
    packed.scheduler.close()


def test_child_is_dispatched_with_what_it_waits_for(packed: Packed) -> None:
    packed.step(answers=1)
    packed.begin()
    packed.step(answers=1)
    packed.step(answers=1)
    lines = [line for line in packed.list_of().splitlines() if "2.1" in line]
    assert any("0.1" in line for line in lines)
    assert packed.context.state.status[2] is Status.BOUND
    packed.scheduler.close()


def test_list_that_cannot_be_written_defers_the_dispatch_by_five_seconds(packed: Packed, clock: Clock) -> None:
    packed.step(answers=1)
    folder = packed.context.directory.allocation_file("1-1", "list")
    folder.mkdir()
    assert packed.step(answers=1) == ["submit_intended", "submit_deferred"]
    folder.rmdir()
    clock.pass_time(4.9)
    assert packed.step() == []
    clock.pass_time(0.2)
    assert packed.step(answers=1) == ["submit_intended", "submitted"]
    packed.scheduler.close()


def test_file_in_place_of_a_workspace_fails_that_instance_with_its_path(packed: Packed) -> None:
    packed.step(answers=1)
    workspace = packed.context.directory.workspace(packed.context.plan.instances[0])
    workspace.parent.mkdir(parents=True, exist_ok=True)
    workspace.write_text("in the way")
    packed.step(answers=1)
    assert packed.context.state.status[0] is Status.FAILED
    assert str(workspace) in str(packed.context.state.cause(0))
    packed.step(answers=1)
    assert packed.context.state.status[1] is Status.PENDING
    assert "0.1" not in packed.list_of()
    packed.scheduler.close()


def test_instance_whose_files_cannot_be_written_now_waits_and_holds_up_no_other(
    packed: Packed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = preparation.prepare_attempt

    def prepare(directory: Any, plan: Any, instance: Instance, *rest: Any) -> None:
        if instance is plan.instances[0]:
            raise OSError(errno.EIO, "Input/output error", instance.workspace)
        real(directory, plan, instance, *rest)

    packed.step(answers=1)
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "prepare_attempt", prepare)
        assert packed.step(answers=1) == ["submit_intended", "submit_deferred", "io_error_began"]
        assert packed.step(answers=1) == ["submit_intended", "submitted"]
        clock.pass_time(6)
        assert packed.step(answers=1) == ["submit_intended", "submit_deferred"]
        clock.pass_time(1.5)
        packed.step(answers=1)  # what depends on the other
        assert packed.context.state.status[0] is Status.READY, "the pause is longer now"
    clock.pass_time(6)
    assert packed.step(answers=1) == ["submit_intended", "io_error_ended", "submitted"]
    assert packed.context.state.attempts[0][-1].number == 1
    packed.scheduler.close()


def test_one_claim_that_cannot_be_revoked_leaves_the_others_to_be_returned(
    packed: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed.step(answers=1)
    packed.begin()
    packed.step(answers=1)
    real = Claims.revoke

    def revoke(self: Claims, attempt: str) -> bool:
        if attempt == "0.1":
            raise OSError(errno.EIO, "Input/output error")
        return real(self, attempt)

    monkeypatch.setattr(Claims, "revoke", revoke)
    return_instances(packed.context, [0, 1], Cause(CauseCode.NO_TIME_LEFT))
    assert packed.context.state.status[:2] == [Status.PENDING, Status.READY]
    packed.scheduler.close()


def test_allocation_is_released_once_nothing_needs_it(packed: Packed, clock: Clock) -> None:
    packed.step(answers=1)
    packed.begin()
    for index in range(4):
        packed.context.emit(ev.Marked(at=1.0, instance=index, status=Status.FINISHED))
    clock.pass_time(1)
    assert packed.step() == ["allocation_ending"]
    assert "end" in packed.list_of()
    packed.scheduler.close()


# --- cancelling


def test_instance_that_has_not_begun_is_cancelled_at_once_and_a_running_one_by_its_leader(packed: Packed) -> None:
    packed.step(answers=1)
    packed.begin()
    packed.step(answers=1)
    context = packed.context
    context.directory.claims.take("0.1", "101")
    context.emit(started(0, job=context.state.attempts[0][-1].job))
    context.emit_all([cancel(0), cancel(1)])
    packed.packed_canceller.step()
    assert context.state.status[1] is Status.CANCELLED
    assert context.directory.claims.is_revoked("1.1")
    assert "cancel\t0.1" in packed.list_of()
    assert "cancel\t1.1" not in packed.list_of()
    packed.scheduler.close()


# --- records


def test_records_of_a_leader_become_events(packed: Packed) -> None:
    packed.step(answers=1)
    packed.step(answers=1)
    job = packed.context.state.allocations.by_name["1-1"].job
    records = packed.context.directory.allocation_file("1-1", "records")
    records.write_text(
        f'{{"v":1,"kind":"start","attempt":"0.1","job":"{job}","node":"n1"}}\n'
        f'{{"v":1,"kind":"exit","attempt":"0.1","job":"{job}","node":"n1","code":0,"signal":""}}\n'
    )
    packed.tracker.step()
    assert packed.context.state.status[0] is Status.FINISHED
    packed.scheduler.close()


# --- a lost allocation


def test_instances_of_a_lost_allocation_are_taken_back_after_the_time_that_its_leader_has(
    packed: Packed, clock: Clock
) -> None:
    packed.step(answers=1)
    packed.begin()
    packed.step(answers=1)
    allocation = packed.context.state.allocations.by_name["1-1"]
    packed.tracker.end_allocation(allocation, Status.LOST, Cause(CauseCode.ALLOCATION_NODE_FAILED))
    assert "abort" in packed.list_of()
    assert packed.context.state.status[0] is Status.PENDING
    clock.pass_time(2)
    packed.tracker.step()
    assert packed.context.state.status[:2] == [Status.READY, Status.READY]
    assert packed.context.directory.claims.is_revoked("0.1")
    assert allocation.is_over
    packed.scheduler.close()
