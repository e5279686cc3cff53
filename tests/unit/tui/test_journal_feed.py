"""The feed: the journal as it was, then what is added, whatever happens to the file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.event_codec import to_line
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.errors import NewerVersion
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from mtui.tui.views.journal_feed import JournalFeed, apply
from tests.plans import plan, step
from tests.unit.engine import script
from tests.unit.tui.directories import append
from tests.waiting import wait_until

PLAN = plan(step("a", uses="X"), rows={"X": range(1000)})


class Reader:
    """A feed on a study, and what it gave."""

    def __init__(self, root: Path) -> None:
        self.directory: StudyDirectory = create_directory(root, "", [])
        study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), PLAN)
        write_study_file(self.directory.study_file, study)
        self.calls = 0
        self.feed = JournalFeed(self.directory, study, self._called)
        self.state: StudyState | None = None
        self.events: list[ev.Event] = []

    def _called(self) -> None:
        self.calls += 1
        assert threading.current_thread().name == "mtui-feed"

    def take(self) -> None:
        first, events = self.feed.take_events()
        if first is not None:
            assert self.state is None, "it is given once"
            self.state = first
        for event in events:
            assert self.state is not None, "the state comes first"
            apply(self.state, event)
        self.events += events

    def wait(self, condition: Callable[[], object]) -> None:
        """Take what there is until a condition holds."""

        def holds() -> object:
            self.take()
            return condition()

        wait_until(holds, 20, f"enough, after {len(self.events)} events")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path / "out")
    yield reader
    reader.feed.stop()


def _through(index: int) -> list[ev.Event]:
    return [script.intend(f"s{index}", (index, 1)), script.submitted(f"s{index}"), script.started(index)]


def test_what_is_there_comes_as_a_state_and_what_is_added_as_events(reader: Reader) -> None:
    append(reader.directory, *_through(0))
    reader.feed.start()
    reader.wait(lambda: reader.state)
    assert reader.state and reader.state.status[0] is Status.RUNNING
    assert reader.events == []
    more = [script.ended(0), *_through(1)]
    append(reader.directory, *more)
    reader.feed.wake()
    reader.wait(lambda: len(reader.events) == 4)
    assert reader.events == more
    assert (reader.state.status[0], reader.state.status[1]) == (Status.FINISHED, Status.RUNNING)


def test_a_study_that_nobody_drove_yet_has_a_state_too(reader: Reader) -> None:
    reader.feed.start()
    reader.wait(lambda: reader.state)
    assert reader.state and reader.state.counts[Status.READY] == 1000


def test_events_are_given_in_order_and_each_once(reader: Reader) -> None:
    reader.feed.start()
    reader.wait(lambda: reader.state)
    reported: list[ev.Event] = []
    for index in range(300):
        events = _through(index)
        reported += events
        append(reader.directory, *events, epoch=1 + index // 100)
        if index % 7 == 0:
            reader.feed.wake()
        if index % 50 == 0:
            reader.take()
    reader.wait(lambda: len(reader.events) >= 900)
    assert reader.events == reported


def test_a_torn_line_counts_once_its_end_is_there(reader: Reader) -> None:
    reader.feed.start()
    reader.wait(lambda: reader.state)
    first, second = script.hold(3), script.hold(4)
    line = to_line(second)
    append(reader.directory, first)
    path = reader.directory.journal / "000001.jsonl"
    with path.open("a") as file:
        file.write(line[:20])
    reader.feed.wake()
    reader.wait(lambda: reader.events)
    looked = reader.feed.read_at
    reader.feed.wake()
    wait_until(lambda: reader.feed.read_at > looked, 20, "another look")
    reader.take()
    assert reader.events == [first]
    with path.open("a") as file:
        file.write(line[20:] + "\n")
    reader.wait(lambda: len(reader.events) == 2)
    assert reader.events[1] == second
    assert reader.feed.problem == ""


def test_a_journal_that_cannot_be_understood_is_reported_and_read_once_it_can_be(reader: Reader) -> None:
    path = reader.directory.journal / "000001.jsonl"
    path.write_text('{"v":99,"type":"of a newer mtui","at":1}\n')
    reader.feed.start()
    wait_until(lambda: reader.feed.problem, 20, "the problem is reported")
    assert "of a newer mtui" in reader.feed.problem
    assert isinstance(reader.feed.failure, NewerVersion)
    reader.take()
    assert reader.state is None
    path.write_text(to_line(script.hold(7)) + "\n")
    reader.feed.wake()
    reader.wait(lambda: reader.state)
    assert reader.state and reader.state.status[7] is Status.HELD
    wait_until(lambda: not reader.feed.problem, 20, "the problem is gone")


def test_damage_that_comes_later_is_reported_as_long_as_it_is_there(reader: Reader) -> None:
    append(reader.directory, script.hold(7))
    reader.feed.start()
    reader.wait(lambda: reader.state)
    path = reader.directory.journal / "000001.jsonl"
    good = path.read_text()
    path.write_text(good + '{"v":1,"type":"held"}\n' + to_line(script.hold(8)) + "\n")
    append(reader.directory, script.hold(9), epoch=2)
    reader.feed.wake()
    wait_until(lambda: reader.feed.problem, 20, "the problem is reported")
    before = reader.calls
    reader.feed.wake()
    wait_until(lambda: not reader.feed._woken.is_set(), 20, "another look")
    assert "000001.jsonl:1: damaged journal line" in reader.feed.problem
    assert reader.calls == before, "it is no news any more"
    reader.take()
    assert reader.events == []
    assert reader.state and reader.state.status[7] is Status.HELD
    path.write_text(good + to_line(script.hold(6)) + "\n" + to_line(script.hold(8)) + "\n")
    reader.feed.wake()
    reader.wait(lambda: len(reader.events) == 3)
    assert [event.instance for event in reader.events if isinstance(event, ev.Held)] == [6, 8, 9]
    wait_until(lambda: not reader.feed.problem, 20, "the problem is gone")


def test_a_journal_that_is_away_for_a_while_is_read_when_it_is_back(reader: Reader) -> None:
    append(reader.directory, script.hold(7))
    reader.feed.start()
    reader.wait(lambda: reader.state)
    away = reader.directory.home / "away"
    reader.directory.journal.rename(away)
    looked = reader.feed.read_at
    reader.feed.wake()
    wait_until(lambda: reader.feed.read_at > looked, 20, "another look")
    away.rename(reader.directory.journal)
    append(reader.directory, script.hold(8))
    reader.feed.wake()
    reader.wait(lambda: reader.events)
    assert [event.instance for event in reader.events if isinstance(event, ev.Held)] == [8]


def test_unapplied_events_are_reported_once(reader: Reader) -> None:
    reader.feed.start()
    reader.wait(lambda: reader.state)
    before = reader.calls
    for index in range(20):
        append(reader.directory, script.hold(index))
        looked = reader.feed.read_at
        reader.feed.wake()
        wait_until(lambda looked=looked: reader.feed.read_at > looked, 20, "another look")
    assert reader.calls - before == 1
    reader.wait(lambda: len(reader.events) == 20)


def test_an_event_that_does_not_fit_changes_nothing(reader: Reader) -> None:
    append(reader.directory, script.release(5), script.hold(6))
    reader.feed.start()
    reader.wait(lambda: reader.state)
    assert reader.state
    assert (reader.state.status[5], reader.state.status[6]) == (Status.READY, Status.HELD)


def test_it_ends_on_request(reader: Reader) -> None:
    reader.feed.start()
    reader.wait(lambda: reader.state)
    reader.feed.stop()
    threads = [thread for thread in threading.enumerate() if thread.name == "mtui-feed"]
    wait_until(lambda: not any(thread.is_alive() for thread in threads), 20, "the thread has ended")
