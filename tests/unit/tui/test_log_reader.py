"""Reading a file on a separate thread."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from mtui.tui.app.widgets.log_reader import LogReader
from mtui.tui.views.file_tail import FileTail
from tests.no_threads import NoThreads


class Answers:
    """What a reader has delivered; `wait` returns the next, in the order of arrival."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[FileTail, bool]] = queue.SimpleQueue()

    def __call__(self, tail: FileTail, changed: bool) -> None:
        self._queue.put((tail, changed))

    def wait(self) -> tuple[FileTail, bool]:
        return self._queue.get(timeout=60)


def test_a_file_is_read_on_another_thread_and_delivered(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\n")
    answers = Answers()
    reader = LogReader(answers)
    reader.open(tmp_path / "log")
    reader.start()
    assert reader.is_reading
    tail, changed = answers.wait()
    assert (tail.lines, changed) == ([b"one", b"two"], True)
    assert reader.finish(tail)
    assert not reader.is_reading


def test_an_answer_about_the_earlier_file_does_not_count(tmp_path: Path) -> None:
    answers = Answers()
    reader = LogReader(answers)
    reader.open(tmp_path / "earlier")
    reader.start()
    tail, _ = answers.wait()
    reader.open(tmp_path / "later")
    assert not reader.finish(tail)
    assert reader.path == tmp_path / "later"


def test_a_read_that_takes_seconds_is_late(tmp_path: Path) -> None:
    released = threading.Event()

    class Hung(FileTail):
        def poll(self) -> bool:
            released.wait()
            return super().poll()

    answers = Answers()
    reader = LogReader(answers)
    reader.tail = Hung(tmp_path / "log")
    reader.start()
    assert not reader.is_late
    assert reader.begun_at is not None
    reader.begun_at -= 10
    assert reader.is_late
    released.set()
    assert reader.finish(answers.wait()[0])
    assert not reader.is_late


def test_without_a_file_there_is_no_path() -> None:
    reader = LogReader(Answers())
    reader.open(None)
    assert reader.path is None


def test_read_for_which_no_thread_can_be_started_is_made_by_the_next_call(
    tmp_path: Path, no_threads: NoThreads
) -> None:
    (tmp_path / "log").write_text("one\n")
    answers = Answers()
    reader = LogReader(answers)
    reader.open(tmp_path / "log")
    reader.start()
    assert not reader.is_reading

    no_threads.allow()
    reader.start()

    assert answers.wait()[0].lines == [b"one"]
