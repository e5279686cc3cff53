"""Long work of any amount does not stop the heartbeat: full spools and inboxes, many events and claims."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mtui.core.driver import Driver, collect, file_recovery
from mtui.core.driver.allocations.members import return_instances
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.collect import Collector
from mtui.core.driver.command_runner import CommandRunner
from mtui.core.engine import events as ev
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.store import inbox
from mtui.core.store.journal import Journal
from mtui.core.store.lease import BEAT_EVERY, Lease
from mtui.core.store.study_directory import create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from tests.plans import plan, step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.engine.script import at, intend, submitted

COUNT = 120
SLOW = 0.5  # seconds for a file, on a file system that has much to do


@pytest.fixture
def beats(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When heartbeats were written."""
    times: list[float] = []

    def beat(self: Any, now: float, real: Callable[[Any, float], None] = Lease.beat) -> None:
        before = self._count
        real(self, now)
        times.extend([clock.now] if self._count != before else [])

    monkeypatch.setattr(Lease, "beat", beat)
    return times


def study_with_journal(folder: Path, *events: ev.Event) -> Driver:
    """A driver of a study whose first driver has left these events."""
    directory = create_directory(folder / "out", "", [])
    made = plan(step("a", uses="X", local=True), rows={"X": range(COUNT)}, out=str(directory.root))
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), made)
    write_study_file(directory.study_file, study)
    Lease.acquire(directory.owner).release()
    journal = Journal(directory.journal, 1)
    for event in events:
        journal.append(event)
    journal.close()
    return Driver(directory, study, ignore)


def ignore(event: ev.Event, state: StudyState) -> None:
    """A listener that shows nothing."""


def slow(clock: Clock, call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*words: Any) -> Any:
        clock.pass_time(SLOW)
        return call(*words)

    return called


def longest_gap(beats: list[float], clock: Clock) -> float:
    times = [*beats, clock.now]
    return max(later - earlier for earlier, later in pairwise(times))


def test_heartbeat_continues_while_a_full_spool_is_read(
    tmp_path: Path, clock: Clock, beats: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        event
        for index in range(COUNT)
        for event in (intend(f"s{index}", (index, 1), backend="local"), submitted(f"s{index}", "7", "gone"))
    ]
    driver = study_with_journal(tmp_path, *events)
    spool = tmp_path / "out" / ".mtui" / "spool" / "new"
    for index in range(COUNT):
        record = f'{{"v":1,"kind":"exit","attempt":"{index}.1","job":"7","node":"gone","code":0,"signal":""}}\n'
        (spool / f"{index}.1.exit.7").write_text(record)
    monkeypatch.setattr(collect, "read_record", slow(clock, collect.read_record))

    assert driver.run() == "finished"

    assert clock.now - beats[0] >= COUNT * SLOW
    assert longest_gap(beats, clock) < 2 * BEAT_EVERY
    assert list(spool.iterdir()) == []


def test_heartbeat_continues_while_a_full_inbox_is_read_and_every_command_is_carried_out(
    tmp_path: Path, clock: Clock, beats: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = study_with_journal(tmp_path)
    for index in range(COUNT):
        inbox.send_command(tmp_path / "out" / ".mtui" / "inbox", "cancel", (f"a_X.{index}",), {})
    monkeypatch.setattr(inbox, "read_command", slow(clock, inbox.read_command))

    assert driver.run(only_commands=True) == "cancelled"

    assert clock.now - beats[0] >= COUNT * SLOW
    assert longest_gap(beats, clock) < 2 * BEAT_EVERY
    assert list((tmp_path / "out" / ".mtui" / "inbox" / "new").iterdir()) == []


def test_heartbeat_continues_while_one_command_adds_very_many_events(
    tmp_path: Path, clock: Clock, beats: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = study_with_journal(tmp_path)
    inbox.send_command(tmp_path / "out" / ".mtui" / "inbox", "cancel", ("*",), {})
    monkeypatch.setattr("mtui.core.driver.event_log._RENEW_EVERY", 10)
    monkeypatch.setattr(StudyState, "apply", slow(clock, StudyState.apply))

    assert driver.run(only_commands=True) == "cancelled"

    assert longest_gap(beats, clock) < 2 * BEAT_EVERY


def test_poll_counts_only_once_all_reports_before_it_are_read(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": range(10)})
    for index in range(10):
        context.submit(index, f"7{index}")
        record = f'{{"v":1,"kind":"start","attempt":"{index}.1","job":"7{index}","node":"n1"}}\n'
        (context.directory.spool / f"{index}.1.start.7{index}").write_text(record)
    monkeypatch.setattr(collect, "read_record", slow(clock, collect.read_record))
    collector = Collector(context, Canceller(context))

    turns = [collector.read_spool() for _ in range(3)]

    assert turns == [False, False, True]
    assert (collector.is_behind, context.state.counts[Status.RUNNING]) == (False, 10)


def test_records_of_attempts_that_are_not_known_yet_do_not_hold_up_the_others(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": range(20)})
    context.submit(19, "79")
    for index in range(20):
        record = f'{{"v":1,"kind":"start","attempt":"{index}.1","job":"79","node":"n1"}}\n'
        (context.directory.spool / f"{index:02d}.1.start.79").write_text(record)
    monkeypatch.setattr(collect, "read_record", slow(clock, collect.read_record))
    collector = Collector(context, Canceller(context))

    turns = [collector.read_spool() for _ in range(6)]

    assert turns[-1]
    assert context.state.status[19] is Status.RUNNING
    context.submit(0, "79")
    before = clock.now
    assert collector.read_spool()
    assert (context.state.status[0], clock.now) == (Status.RUNNING, before), "it was read before"


def test_command_that_waits_for_the_next_turn_makes_that_turn_due_at_once(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext(tmp_path, step("a"))
    for _ in range(10):
        inbox.send_command(context.directory.inbox, "hold", ("a",), {})
    monkeypatch.setattr(inbox, "read_command", slow(clock, inbox.read_command))
    runner = CommandRunner(context, {})

    runner.step()

    assert (runner.is_behind, runner.due()) == (True, 0.0)
    runner.step()
    runner.step()
    assert (runner.is_behind, runner.due()) == (False, None)


def test_lease_is_renewed_while_very_many_files_are_verified_after_a_power_cut(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": range(COUNT)})
    for index in range(COUNT):
        context.submit(index, f"7{index}")
    monkeypatch.setattr(file_recovery, "restore_scripts", slow(clock, file_recovery.restore_scripts))
    renewals = [clock.now]
    context.log.renew = lambda: renewals.append(clock.now)

    file_recovery.restore_files(context)

    assert clock.now - renewals[0] >= COUNT * SLOW
    assert longest_gap(renewals, clock) <= SLOW
    assert (context.directory.root / "a/X.0/a_X.0.slurm.sh").exists()


def test_lease_is_renewed_while_very_many_claims_are_revoked(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": range(10)})
    context.emit(ev.AllocationIntended(at=at(), allocation="1", pool=(), gpus=0, nodes=1, seconds=3600))
    context.emit(ev.AllocationQueued(at=at(), allocation="1", job="101"))
    members = tuple((index, 1) for index in range(10))
    context.emit(ev.SubmitIntended(at=at(), submission="s", backend="pack", members=members, allocation="1"))
    context.emit(submitted("s", "101"))
    renewals = list[float]()
    context.log.renew = lambda: renewals.append(clock.now)

    return_instances(context, range(10), Cause(CauseCode.ALLOCATION_ENDED, job="101"))

    assert len(renewals) >= 10
    assert context.trace[-1] == "returned"
