"""Allocations: requested, given their instances, used from inside, and the leader's records read."""

from __future__ import annotations

import errno
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtui.core.backends.backend import Deferred, Refused, Unclear
from mtui.core.claims import Claims
from mtui.core.driver import preparation
from mtui.core.driver.allocations import in_job
from mtui.core.driver.allocations.in_job import OwnAllocation
from mtui.core.driver.allocations.members import return_instances
from mtui.core.driver.allocations.packed_cancel import PackedCanceller
from mtui.core.driver.allocations.scheduler import AllocationScheduler
from mtui.core.driver.allocations.tracker import AllocationTracker
from mtui.core.driver.cancel import Canceller
from mtui.core.engine import events as ev
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.causes import Cause, CauseCode, text_cause
from mtui.core.engine.status import Status
from mtui.core.errors import UsageError
from mtui.core.plan.study_plan import Instance
from mtui.core.spec.study_spec import PackingOptions, Step
from mtui.core.store.allocation_lock import lock_allocation
from mtui.core.store.study_file import Settings
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.engine.script import cancel, started

pytestmark = pytest.mark.usefixtures("clock")


CHAIN = step("a", uses="X"), step("b", "a", uses="X")


class Packed:
    """A study of two rows whose instances share allocations, and the parts of its driver that are concerned."""

    def __init__(self, folder: Path, settings: Settings, steps: tuple[Step, ...] = CHAIN) -> None:
        self.context = context = FakeContext(folder, *steps, rows={"X": [1, 2]}, settings=settings)
        canceller = Canceller(context)
        self.tracker = AllocationTracker(context, canceller)
        self.scheduler = AllocationScheduler(context, canceller, self.tracker)
        self.packed_canceller = PackedCanceller(context)
        self.own = OwnAllocation(context, self.tracker)

    def step(self, answers: int = 0) -> list[str]:
        """The events of one step of the scheduler, and of so many answers."""
        before = len(self.context.fake_log.events)
        self.scheduler.step()
        self.context.run_posted(answers)
        return self.context.since(before)

    def begin(self, name: str = "1-1") -> None:
        """The leader of an allocation is ready."""
        job = self.context.state.allocations.by_name[name].job
        self.context.emit(ev.AllocationBegan(at=1e9, allocation=name, job=job, hosts=("n1",), cores=4, seconds=0.0))

    def list_of(self, name: str = "1-1") -> str:
        return self.context.directory.allocation_file(name, "list").read_text()


@pytest.fixture
def packed(tmp_path: Path) -> Iterator[Packed]:
    packed = Packed(tmp_path, Settings(pack=PackingOptions(), submit_ahead=False))
    yield packed
    packed.scheduler.close()  # else its threads keep the process of the tests


# --- requests


def test_request_is_journalled_before_slurm_is_asked(packed: Packed) -> None:
    packed.step(answers=1)
    assert packed.context.trace == ["allocation_intended", "sync", "allocation_queued"]
    (script,) = packed.context.fake_slurm.scripts
    assert "#SBATCH --output=.mtui/allocations/1-1.out" in script
    assert packed.step() != ["allocation_intended"], "one is enough"
    packed.scheduler.close()


def test_deferred_request_is_made_again_after_thirty_seconds(packed: Packed, clock: Clock) -> None:
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
        told = packed.step()
        if pause:
            assert told == ["anomaly"]
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


# --- clocks that differ


def answer(packed: Packed, seconds: float) -> None:
    """The leader answers the last question that it finds in its list."""
    question = [line for line in packed.list_of().splitlines() if line.startswith("left\t")][-1].split("\t")[1]
    with packed.context.directory.allocation_file("1-1", "records").open("a") as records:
        records.write(f'{{"v":1,"kind":"left","job":"101","question":"{question}","left":{seconds},"at":1.0}}\n')
    packed.tracker.step()


@pytest.mark.parametrize("ahead", [7200.0, -7200.0])
def test_time_left_is_the_leaders_whatever_our_clock_shows(packed: Packed, clock: Clock, ahead: float) -> None:
    packed.step(answers=1)
    then = time.time() - ahead
    packed.context.directory.allocation_file("1-1", "records").write_text(
        f'{{"v":1,"kind":"began","job":"101","hosts":["n1"],"cores":4,"left":1190.0,"mode":"python","at":{then}}}\n'
    )
    packed.tracker.step()
    allocation = packed.context.state.allocations.by_name["1-1"]
    assert packed.tracker.time_left(allocation) is None, "until it has answered"
    answer(packed, 1190.0)
    clock.pass_time(90)
    assert packed.tracker.time_left(allocation) == 1100
    assert 1100 < allocation.ends_at - time.time() < 1200, "for those who read the journal"


def test_driver_that_takes_over_asks_the_leader_how_much_time_is_left(packed: Packed) -> None:
    """The end in the journal is by the clock of the driver before: it may be hours off."""
    packed.step(answers=1)
    packed.context.emit(
        ev.AllocationBegan(at=time.time() - 9000, allocation="1-1", job="101", hosts=("n1",), cores=4, seconds=3600.0)
    )
    packed.tracker.step()
    assert packed.step() == [], "nothing is withdrawn, dispatched or requested on the word of a clock"
    answer(packed, 1000.0)
    assert "allocation_time_left" in packed.context.trace
    assert packed.step(answers=1) == ["submit_intended", "submitted"]
    assert 990 < packed.context.state.allocations.by_name["1-1"].ends_at - time.time() <= 1000
    packed.scheduler.close()


def test_leader_that_does_not_answer_is_judged_by_the_journal(packed: Packed, clock: Clock) -> None:
    packed.step(answers=1)
    packed.context.emit(
        ev.AllocationBegan(at=time.time(), allocation="1-1", job="101", hosts=("n1",), cores=4, seconds=3600.0)
    )
    packed.tracker.step()
    clock.pass_time(10)
    left = packed.tracker.time_left(packed.context.state.allocations.by_name["1-1"])
    assert left is not None
    assert 3500 < left <= 3600
    packed.scheduler.close()


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


# --- the allocation that the driver runs in


class Leader:
    """A leader's process, as far as the driver sees it."""

    started: list[list[str]]

    def __init__(self, command: list[str], **_: Any) -> None:
        Leader.started.append(command)
        self.pid = 4711
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packed:
    Leader.started = []
    monkeypatch.setattr(in_job.subprocess, "Popen", Leader)
    return Packed(tmp_path, Settings(inside="90"))


def leader_of(study: Packed) -> Leader:
    process = study.own._process  # pyright: ignore[reportPrivateUsage]
    assert isinstance(process, Leader)
    return process


def test_leader_is_started_once_the_journal_has_its_allocation(inside: Packed, clock: Clock) -> None:
    inside.own.begin()
    assert inside.context.trace == ["allocation_intended", "allocation_queued", "sync"]
    (command,) = Leader.started
    home = str(inside.context.directory.home)
    assert command[:6] == [sys.executable, "-m", "mtui.core.packing.leader", home, "1-1", "604800"]
    assert inside.context.directory.allocation_file("1-1", "pid").read_text() == "4711\n"
    assert inside.own.due() == clock.now + 1


def test_leader_waits_while_the_journal_cannot_be_written(inside: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    context = inside.context

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        inside.own.begin()
        inside.own.step()
        assert not context.catch_up()
    assert context.trace[:3] == ["allocation_intended", "allocation_queued", "no sync"]
    assert Leader.started == []
    assert not context.state.allocations.by_name["1-1"].is_over
    assert context.fake_log.catch_up()
    inside.own.step()
    inside.own.step()
    assert [command[4] for command in Leader.started] == ["1-1"]


def test_leader_that_cannot_be_started_now_is_started_later_for_the_same_allocation(
    inside: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(in_job.subprocess, "Popen", no_process)
        for call in (inside.own.begin, inside.own.step):
            with pytest.raises(OSError, match="temporarily"):
                call()
    inside.own.step()
    assert [command[4] for command in Leader.started] == ["1-1"]
    assert list(inside.context.state.allocations.by_name) == ["1-1"]


@pytest.mark.parametrize("call", ["open", "write"])
def test_leader_whose_pid_cannot_be_written_is_ended_and_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Otherwise no later driver would find it, and it would hold the lock of the allocation."""
    study = Packed(tmp_path, Settings(inside="90"))
    pid_file = study.context.directory.allocation_file("1-1", "pid")
    leaders: list[subprocess.Popen[bytes]] = []

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def start(_: object, real: type[subprocess.Popen[bytes]] = subprocess.Popen, **options: Any) -> object:
        options["stdin"] = subprocess.PIPE
        leaders.append(real([sys.executable, "-c", "input()"], **options))
        if call == "write" and len(leaders) == 1:
            patch.setattr(os, "write", full)
        return leaders[-1]

    monkeypatch.setattr(in_job.subprocess, "Popen", start)
    if call == "open":
        pid_file.mkdir(parents=True)
    with monkeypatch.context() as patch, pytest.raises(OSError, match=re.escape(str(pid_file))):
        study.own.begin()

    assert [leader.poll() for leader in leaders] == [-signal.SIGKILL] * (call == "write")
    assert study.own._process is None  # pyright: ignore[reportPrivateUsage]

    if call == "open":
        pid_file.rmdir()
    study.own.step()

    assert pid_file.read_text() == f"{leaders[-1].pid}\n"
    assert list(study.context.state.allocations.by_name) == ["1-1"]
    with pytest.raises(UsageError, match="allocation 90 is used"):
        lock_allocation("90", tmp_path)
    leaders[-1].communicate(b"\n", timeout=20)
    lock = lock_allocation("90", tmp_path)
    assert lock is not None
    os.close(lock)
    for leader in leaders:
        assert leader.stdin
        leader.stdin.close()


def test_leader_that_was_killed_is_started_again(inside: Packed) -> None:
    inside.own.begin()
    leader_of(inside).code = -9
    inside.own.step()
    assert [name for name, own in inside.context.state.allocations.by_name.items() if not own.is_over] == ["1-2"]
    assert len(Leader.started) == 2


def test_leader_that_dies_at_once_is_started_with_growing_pauses_and_not_for_ever(inside: Packed, clock: Clock) -> None:
    """Then what waits for it fails with what it printed, until the user retries."""
    inside.own.begin()
    starts = [clock.now]
    for number in range(1, 20):
        inside.context.directory.allocation_file(f"1-{number}", "out").write_text("no module named x\n")
        leader_of(inside).code = 1
        inside.own.step()
        while len(Leader.started) == number and inside.own.due() is not None and clock.now < 1100:
            clock.pass_time(0.5)
            inside.own.step()
        if len(Leader.started) == number:
            break
        starts.append(clock.now)
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == [0.0, 1.0, 2.0, 4.0, 8.0]
    state = inside.context.state
    words = cause_text(state.allocations.by_name["1-1"].cause)
    assert words == "the leader in allocation 90 ended: no module named x"
    assert set(state.status) == {Status.FAILED, Status.BLOCKED}
    refused = next(event for event in inside.context.fake_log.events if isinstance(event, ev.SubmitRefused))
    assert refused.message == "the leader in allocation 90 ended 6 times in a row: no module named x"
    inside.context.emit(ev.Retried(at=time.time() + 1, instance=0))
    inside.own.step()
    inside.own.step()
    assert len(Leader.started) == len(starts) + 1


def test_leader_that_ran_for_a_while_counts_as_the_first_again(inside: Packed, clock: Clock) -> None:
    inside.own.begin()
    for _ in range(9):
        clock.pass_time(120)
        leader_of(inside).code = -9
        inside.own.step()
    assert len(Leader.started) == 10


def test_leader_that_has_ended_as_it_should_is_not_started_again(inside: Packed) -> None:
    inside.own.begin()
    inside.context.emit(ev.AllocationEnding(at=1.0, allocation="1-1"))
    leader_of(inside).code = 0
    inside.own.step()
    assert inside.context.state.allocations.by_name["1-1"].status is Status.FINISHED
    assert (len(Leader.started), inside.own.due()) == (1, None)


def test_leader_that_fails_and_reports_its_end_is_started_again(inside: Packed) -> None:
    inside.own.begin()
    cause = text_cause("no worker began: srun ended with code 1")
    inside.context.emit(ev.AllocationEnding(at=1.0, allocation="1-1", cause=cause))
    leader_of(inside).code = 1
    inside.own.step()
    assert inside.context.state.allocations.by_name["1-1"].status is Status.FAILED
    inside.own.step()
    assert len(Leader.started) == 2


def test_leader_of_an_earlier_driver_is_used_if_it_runs(tmp_path: Path) -> None:
    study = Packed(tmp_path, Settings(inside="90"))
    context = study.context
    context.emit(ev.AllocationIntended(at=1.0, allocation="0-1", pool=("any",), gpus=0, nodes=1, seconds=3600))
    context.emit(ev.AllocationQueued(at=1.0, allocation="0-1", job="90"))
    program = "print(flush=True); input()"
    command = [sys.executable, "-c", program, str(context.directory.home), "0-1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as leader:
        assert leader.stdout
        leader.stdout.readline()  # its command line is in /proc by now
        context.directory.allocation_file("0-1", "pid").write_text(f"{leader.pid}\n")
        study.own.begin()
        assert list(context.state.allocations.by_name) == ["0-1"]
        assert leader.stdin
        leader.stdin.close()


def use_for(study: Packed, seconds: float, clock: Clock) -> None:
    """The leader of the own allocation is ready, and its walltime is over after so many seconds."""
    study.own.begin()
    study.context.emit(
        ev.AllocationBegan(at=time.time(), allocation="1-1", job="90", hosts=("n1",), cores=4, seconds=seconds)
    )
    study.tracker.step()
    clock.pass_time(10)  # it does not answer how much time is left


def test_own_allocation_says_at_once_which_instances_are_too_long_for_it(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_job.subprocess, "Popen", Leader)
    steps = step("a", walltime="00:05:00"), step("b", walltime="00:00:10")
    study = Packed(tmp_path, Settings(inside="90"), steps)
    use_for(study, 60, clock)
    clock.pass_time(2)
    assert study.own.why_exhausted() == "", "b can run"
    words = "allocation 90 has 00:00:59 left, too little for a (walltime 00:05:00)"
    assert [event.message for event in study.context.fake_log.events if isinstance(event, ev.Anomaly)] == [words]
    clock.pass_time(2)
    assert study.own.why_exhausted() == ""
    assert study.context.trace.count("anomaly") == 1
    study.context.emit(ev.Marked(at=1.0, instance=1, status=Status.FINISHED))
    clock.pass_time(2)
    assert study.own.why_exhausted() == words


def test_own_allocation_is_not_exhausted_while_something_runs_or_is_held(inside: Packed, clock: Clock) -> None:
    use_for(inside, 20, clock)  # too little for an instance without a walltime
    inside.context.emit(ev.Held(at=1.0, instance=0))
    clock.pass_time(2)
    assert inside.own.why_exhausted(), "it would not run if it were released"
    use_for(inside, 0, clock)  # no limit
    clock.pass_time(2)
    assert inside.own.why_exhausted() == ""


def test_leader_of_an_allocation_that_has_ended_is_not_started_again(inside: Packed, clock: Clock) -> None:
    use_for(inside, 3600, clock)
    inside.context.emit(ev.AllocationOver(at=1.0, allocation="1-1", status=Status.TIMED_OUT))
    leader_of(inside).code = -9
    inside.own.step()
    assert len(Leader.started) == 1
    clock.pass_time(2)
    assert inside.own.why_exhausted() == "allocation 90 has ended"


def test_driver_outside_of_an_allocation_starts_no_leader(packed: Packed) -> None:
    packed.own.begin()
    packed.own.step()
    assert (packed.context.trace, packed.own.due()) == ([], None)
