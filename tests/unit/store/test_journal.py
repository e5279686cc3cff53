"""The journal: what a driver wrote before it died is read, what it was writing then is not."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.status import Status
from mtui.core.errors import DriverError, StudyDirectoryError
from mtui.core.file_reading import open_file
from mtui.core.store.journal import Journal, parse_lines, read_events, segment
from mtui.core.store.journal_follower import JournalFollower

EVENTS: list[ev.Event] = [
    ev.DriverStarted(at=1.5, epoch=1, host="login01", pid=7, version="0.1.0"),
    ev.SubmitIntended(at=2.0, submission="1-1", backend="slurm", members=((0, 1), (1, 1))),
    ev.Anomaly(at=3.0, message="größer als 5 €: \u2028 \x1b[31m\n 中 \udcff"),
    ev.Ended(at=4.0, instance=0, attempt=1, status=Status.TIMED_OUT, cause=text_cause("Zeit — über")),
]


def written(folder: Path, *events: ev.Event, epoch: int = 1) -> bytes:
    journal = Journal(folder, epoch)
    for event in events:
        journal.append(event)
    journal.close()
    return segment(folder, epoch).read_bytes()


def test_events_are_read_as_they_were_written(tmp_path: Path) -> None:
    written(tmp_path, *EVENTS)
    assert list(read_events(tmp_path)) == EVENTS


def test_journal_cut_at_any_byte_of_its_last_two_lines_gives_all_complete_events(tmp_path: Path) -> None:
    data = written(tmp_path, *EVENTS)
    ends = [place + 1 for place, byte in enumerate(data) if byte == 0x0A]
    assert len(ends) == len(EVENTS)
    for cut in range(ends[-3], len(data) + 1):
        complete = sum(1 for end in ends if end <= cut)
        assert list(parse_lines(data[:cut], "j")) == EVENTS[:complete], cut
        # A file system that had made room before it wrote the bytes leaves zeros.
        assert list(parse_lines(data[:cut] + bytes(64), "j")) == EVENTS[:complete], cut


def test_no_events_are_in_a_journal_that_was_never_written(tmp_path: Path) -> None:
    written(tmp_path)
    assert list(read_events(tmp_path)) == []


def test_torn_last_line_that_has_its_newline_is_dropped(tmp_path: Path) -> None:
    data = written(tmp_path, *EVENTS)
    assert list(parse_lines(data + b'{"v":1,"type":"ende\n', "j")) == EVENTS


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b'{"v":1,"type":"ended"',
        b"\xff\xfe",
        b"\0\0\0\0",
        b"5",
        b"[]",
        b'"text"',
        b'{"v":1,"type":"anomaly","at":1}',
        b'{"v":1,"type":"observed","at":1,"instance":0,"attempt":1,"status":"dreaming"}',
    ],
    ids=["empty", "cut", "not text", "zeros", "number", "list", "string", "field missing", "unknown status"],
)
def test_damage_in_the_middle_is_reported_with_its_place(tmp_path: Path, damage: bytes) -> None:
    lines = written(tmp_path, *EVENTS).split(b"\n")
    segment(tmp_path, 1).write_bytes(b"\n".join([lines[0], damage, *lines[1:]]))
    with pytest.raises(StudyDirectoryError, match=r"000001\.jsonl:2: damaged"):
        list(read_events(tmp_path))


@pytest.mark.parametrize("place", ["middle", "end"])
@pytest.mark.parametrize(
    "line",
    [b'{"v":2,"type":"anomaly","at":1,"message":""}', b'{"v":1,"type":"teleported","at":1}', b"{}"],
    ids=["version", "type", "nothing"],
)
def test_journal_of_a_newer_version_is_refused(tmp_path: Path, line: bytes, place: str) -> None:
    lines = written(tmp_path, *EVENTS).splitlines()
    lines.insert(2 if place == "middle" else len(lines), line)
    segment(tmp_path, 1).write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(StudyDirectoryError, match="newer mtui") as caught:
        list(read_events(tmp_path))
    assert f"000001.jsonl:{lines.index(line) + 1}" in str(caught.value)


def test_segments_are_read_in_the_order_of_their_epochs_each_with_its_torn_end(tmp_path: Path) -> None:
    for epoch in (10, 2, 9):
        written(tmp_path, ev.SlurmAnswers(at=float(epoch)), ev.DriverStopped(at=epoch + 0.5, reason="s"), epoch=epoch)
        with segment(tmp_path, epoch).open("ab") as file:
            file.write(b'{"v":1,"ty')
    assert [event.at for event in read_events(tmp_path)] == [2, 2.5, 9, 9.5, 10, 10.5]


def test_other_files_beside_the_segments_are_passed_over(tmp_path: Path) -> None:
    written(tmp_path, *EVENTS)
    (tmp_path / "notes.txt").write_text("no journal\n")
    assert list(read_events(tmp_path)) == EVENTS


# --- writing


def test_flush_shows_events_to_other_processes(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(EVENTS[0])
    journal.flush()
    assert list(read_events(tmp_path)) == EVENTS[:1]
    journal.append(EVENTS[1])
    journal.sync()
    assert list(read_events(tmp_path)) == EVENTS[:2]
    journal.close()


def test_segment_has_one_writer_for_ever(tmp_path: Path) -> None:
    written(tmp_path, *EVENTS)
    with pytest.raises(StudyDirectoryError, match="exists"):
        Journal(tmp_path, 1)
    assert list(read_events(tmp_path)) == EVENTS


def test_segment_that_cannot_be_created_now_is_created_when_it_can(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "gone", 1)
    journal.append(EVENTS[0])
    with pytest.raises(OSError, match="No such file"):
        journal.sync()
    (tmp_path / "gone").mkdir()
    journal.close()
    assert list(read_events(tmp_path / "gone")) == EVENTS[:1]


def test_segment_whose_creation_only_seemed_to_fail_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file server that carries out a request, and does not answer in time."""
    open_file_of_system = os.open

    def open_unanswered(*arguments: Any) -> int:
        os.close(open_file_of_system(*arguments))
        raise OSError(errno.ETIMEDOUT, "Connection timed out")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_unanswered)
        journal = Journal(tmp_path, 1)
    journal.append(EVENTS[0])
    journal.close()
    assert list(read_events(tmp_path)) == EVENTS[:1]


def test_segment_of_another_writer_is_left_alone_after_a_failed_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ESTALE, "Stale file handle")

    written(tmp_path, *EVENTS)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        journal = Journal(tmp_path, 1)
    journal.append(EVENTS[0])
    with pytest.raises(OSError, match="File exists"):
        journal.close()
    assert list(read_events(tmp_path)) == EVENTS


def test_segment_that_never_can_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("in the way")
    with pytest.raises(StudyDirectoryError, match="Not a directory"):
        Journal(tmp_path / "journal", 1)


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond `size`, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_reported_at_sync_and_what_was_synced_stays_readable(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(EVENTS[0])
    journal.sync()
    journal.append(EVENTS[1])
    with no_room_beyond(segment(tmp_path, 1).stat().st_size + 10):
        with pytest.raises(OSError, match=str(segment(tmp_path, 1))):
            journal.sync()
        with pytest.raises(OSError, match="File too large"):
            journal.sync()  # still not on the disk, so nothing that depends on it may be done
        assert list(read_events(tmp_path)) == EVENTS[:1]
    journal.sync()
    assert list(read_events(tmp_path)) == EVENTS[:2]
    journal.close()


def test_journal_that_lost_its_end_is_left_as_it_is(tmp_path: Path) -> None:
    """Else its next lines would be behind a hole, and no driver could read the study any more."""
    journal = Journal(tmp_path, 1)
    for event in EVENTS[:2]:
        journal.append(event)
        journal.sync()
    journal.append(EVENTS[2])
    path = segment(tmp_path, 1)
    with no_room_beyond(path.stat().st_size), pytest.raises(OSError, match="File too large"):
        journal.sync()
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])  # as a file server that was restored
    for call in (journal.sync, journal.close):
        with pytest.raises(DriverError, match="the end of the journal is missing"):
            call()
    assert list(read_events(tmp_path)) == EVENTS[:1]


# --- following


def test_follower_gives_each_event_once_and_a_torn_line_when_it_is_whole(tmp_path: Path) -> None:
    data = written(tmp_path, *EVENTS)
    path = segment(tmp_path, 1)
    path.write_bytes(b"")
    follower = JournalFollower(tmp_path)
    found: list[ev.Event] = []
    for cut in range(0, len(data) + 1, 7):
        path.write_bytes(data[:cut])
        found += follower.new_events()
        assert found == list(parse_lines(data[:cut], "j"))
    path.write_bytes(data)
    assert found + follower.new_events() == EVENTS
    assert follower.new_events() == []


def test_follower_continues_into_the_next_drivers_segment(tmp_path: Path) -> None:
    follower = JournalFollower(tmp_path)
    assert follower.new_events() == []
    written(tmp_path, EVENTS[0])
    assert follower.new_events() == [EVENTS[0]]
    written(tmp_path, EVENTS[1], epoch=2)
    assert follower.new_events() == [EVENTS[1]]


def test_follower_reads_a_segment_later_that_cannot_be_read_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, EVENTS[0])
    written(tmp_path, EVENTS[1], epoch=2)
    follower, second = JournalFollower(tmp_path), segment(tmp_path, 2)

    def stale(path: Path) -> IO[Any]:
        if path == second:
            raise OSError(errno.ESTALE, "stale file handle")
        return open_file(path)

    with monkeypatch.context() as patch:
        patch.setattr("mtui.core.store.journal_follower.open_file", stale)
        assert follower.new_events() == [EVENTS[0]]
    assert follower.new_events() == [EVENTS[1]]


def test_follower_from_now_passes_over_what_is_written_and_takes_a_torn_line_when_it_is_whole(tmp_path: Path) -> None:
    data = written(tmp_path, *EVENTS)
    path = segment(tmp_path, 1)
    lines = data.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:5])
    follower = JournalFollower.from_now(tmp_path)
    assert follower.new_events() == []
    path.write_bytes(data)
    assert follower.new_events() == EVENTS[2:]
    written(tmp_path, EVENTS[1], epoch=2)
    assert follower.new_events() == [EVENTS[1]]
    assert JournalFollower.from_now(tmp_path / "nowhere").new_events() == []


def test_what_was_not_synced_is_dropped_when_another_continues(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(EVENTS[0])
    journal.flush()
    journal.append(EVENTS[1])
    journal.discard()
    journal.close()
    assert list(read_events(tmp_path)) == EVENTS[:1]


def test_long_stories_are_handed_over_now_and_then(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1)
    for _ in range(2000):
        journal.append(EVENTS[1])
        if journal.is_long:
            journal.flush()
    size = segment(tmp_path, 1).stat().st_size
    assert 65536 <= size <= journal.size
    journal.close()
    assert segment(tmp_path, 1).stat().st_size == journal.size
    assert len(list(read_events(tmp_path))) == 2000
