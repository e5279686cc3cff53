"""The single writer of a study."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mtui.core.driver.context import DriverContext
from mtui.core.engine import events as ev
from mtui.core.engine.status import Status
from mtui.core.store.checkpoint import load_state, write_checkpoint
from mtui.core.store.journal import read_events
from mtui.core.store.study_directory import StudyDirectory
from tests.plans import step
from tests.unit.driver.fake_context import FakeContext
from tests.unit.engine.script import ended, intend, refused, started


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    return FakeContext(tmp_path, step("a"), step("b"))


def journal(context: DriverContext) -> list[str]:
    return [event.kind for event in read_events(context.directory.journal)]


def test_event_is_applied_before_subscribers_and_listener_see_it(context: FakeContext) -> None:
    seen: list[Status] = []
    context.log.subscribe(lambda *_: seen.append(context.state.status[0]))
    context.emit(intend("1-1", (0, 1)))
    assert seen == [Status.SUBMITTING]
    assert context.trace == ["submit_intended"]


def test_impossible_event_is_written_as_an_anomaly(context: FakeContext) -> None:
    context.emit(ended(0))
    context.log.sync()
    assert journal(context) == ["anomaly"]
    assert context.state.status[0] is Status.READY


def test_subscribers_get_the_instances_of_a_refused_submission(context: FakeContext) -> None:
    """The state has forgotten the submission by then."""
    found: list[tuple[str, list[int]]] = []

    def note(event: ev.Event, instances: Sequence[int]) -> None:
        found.append((event.kind, list(instances)))

    context.emit(intend("1-1", (0, 1)))
    context.log.subscribe(note)
    context.emit(refused("1-1"))
    assert found == [("submit_refused", [0])]


def test_events_reach_other_processes_with_a_flush_and_dropped_ones_never(context: FakeContext) -> None:
    context.emit(intend("1-1", (0, 1)))
    context.log.flush()
    assert journal(context) == ["submit_intended"]
    context.emit(refused("1-1"))
    context.log.drop()
    context.log.close()
    assert journal(context) == ["submit_intended"]


def test_checkpoint_is_written_after_so_many_events(context: FakeContext) -> None:
    context.emit(intend("1-1", (0, 1)))
    context.log.save_checkpoint(2)
    assert not context.directory.checkpoint.exists()
    context.emit(started(0))
    context.log.save_checkpoint(2)
    assert context.directory.checkpoint.exists()
    state, _ = load_state(context.directory, context.study)
    assert state.status[0] is Status.RUNNING


def test_checkpoint_that_cannot_be_written_is_logged_and_does_no_harm(
    context: FakeContext, caplog: pytest.LogCaptureFixture
) -> None:
    context.directory.checkpoint.mkdir()
    context.emit(intend("1-1", (0, 1)))
    context.log.save_checkpoint(1)
    assert "no checkpoint" in caplog.text
    assert context.log.checkpoint_error
    context.directory.checkpoint.rmdir()
    assert context.log.save_checkpoint(1), "it is written once that is possible"
    assert context.log.checkpoint_error is None


def test_call_that_waited_does_nothing_before_what_it_announces_is_on_the_disk(
    context: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that waited for the journal announces something itself, and the disk is full again by then."""
    done: list[str] = []

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def first() -> None:
        done.append("first")
        context.emit(intend("1-1", (0, 1)))
        monkeypatch.setattr(os, "fdatasync", full)
        context.log.when_durable(lambda: done.append("second"))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        context.emit(ev.Anomaly(at=0.0, message="m"))
        context.log.when_durable(first)
    assert done == []
    assert not context.log.catch_up()
    assert done == ["first"]
    monkeypatch.undo()
    assert context.log.catch_up()
    assert done == ["first", "second"]


def test_call_that_is_posted_after_the_end_is_dropped(context: FakeContext) -> None:
    made: list[str] = []
    context.post(lambda: made.append("before"))
    context.run_posted()
    context.post(lambda: made.append("after"))
    context.close()
    context.run_posted()
    assert made == ["before"]


def test_checkpoints_of_a_study_that_grows_cost_no_more_than_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": range(400)})
    written: list[int] = []

    def counted(directory: StudyDirectory, *words: Any) -> None:
        write_checkpoint(directory, *words)
        written.append(directory.checkpoint.stat().st_size)

    monkeypatch.setattr("mtui.core.driver.event_log.write_checkpoint", counted)
    for index in range(400):
        context.emit(intend(f"s{index}", (index, 1)))
        context.emit(refused(f"s{index}"))
        context.log.save_checkpoint(2, spaced=True)
    context.log.sync()

    size = sum(path.stat().st_size for path in context.directory.journal.iterdir())
    assert 5 < len(written) < 40
    assert sum(written) < size + 2 * written[-1]
