"""The allocation that the driver runs in: its leader is started, restarted with delays, and its end is reported."""

from __future__ import annotations

import errno
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mtui.core.driver.allocations import in_job
from mtui.core.engine import events as ev
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.causes import text_cause
from mtui.core.engine.status import Status
from mtui.core.errors import UsageError
from mtui.core.store.allocation_lock import lock_allocation
from mtui.core.store.study_file import Settings
from tests.plans import step
from tests.unit.driver.fake_context import Clock
from tests.unit.driver.packed_study import Packed

pytestmark = pytest.mark.usefixtures("clock")


class Leader:
    """A leader's process, as the driver sees it."""

    started: ClassVar[list[list[str]]] = []

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


def use_for(study: Packed, seconds: float, clock: Clock) -> None:
    """The leader of the own allocation is ready, and `seconds` of its walltime are left."""
    study.own.begin()
    study.context.emit(
        ev.AllocationBegan(at=time.time(), allocation="1-1", job="90", hosts=("n1",), cores=4, seconds=seconds)
    )
    study.tracker.step()
    clock.pass_time(10)  # it does not answer how much time is left


# --- the leader's process


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


def test_allocation_of_a_dead_leader_is_over_even_if_its_list_cannot_be_written(inside: Packed, clock: Clock) -> None:
    inside.own.begin()
    inside.begin()
    inside.context.directory.allocation_file("1-1", "list").mkdir(parents=True)
    leader_of(inside).code = -9
    inside.own.step()
    clock.pass_time(2)
    inside.tracker.step()
    assert inside.context.state.allocations.by_name["1-1"].status is Status.FAILED


def test_leader_that_dies_at_once_is_started_again_with_growing_delays_and_a_limit(
    inside: Packed, clock: Clock
) -> None:
    """Then its waiting instances fail with the leader's output, until the user retries."""
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
    cause = text_cause("no worker started: srun exited with code 1")
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
        pid = context.directory.allocation_file("0-1", "pid")
        pid.mkdir(parents=True)
        with pytest.raises(OSError, match=re.escape(str(pid))):  # it cannot be read now, and is tried again
            study.own.begin()
        pid.rmdir()
        pid.write_text(f"{leader.pid}\n")
        study.own.step()
        study.own.begin()
        assert list(context.state.allocations.by_name) == ["0-1"]
        assert not context.directory.allocation_file("0-1", "list").exists()
        assert leader.stdin
        leader.stdin.close()


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


# --- too little time


def test_own_allocation_says_at_once_which_instances_are_too_long_for_it(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Leader, "started", [])
    monkeypatch.setattr(in_job.subprocess, "Popen", Leader)
    steps = step("a", walltime="00:05:00"), step("b", walltime="00:00:10")
    study = Packed(tmp_path, Settings(inside="90"), steps)
    use_for(study, 60, clock)
    clock.pass_time(2)
    assert study.own.why_exhausted() == "", "b can run"
    words = "allocation 90 has 00:00:59 left, not enough for a (walltime 00:05:00)"
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
