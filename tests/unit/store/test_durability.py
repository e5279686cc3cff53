"""What is on the disk when: the journal before its events are acted on, a checkpoint before it takes its place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.event_codec import from_record, to_line
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.errors import DriverError, StudyBusyError
from mtui.core.store.checkpoint import load_state, write_checkpoint
from mtui.core.store.history import History
from mtui.core.store.journal import Journal, read_events
from mtui.core.store.lease import Lease
from mtui.core.store.lease_owner import read_current_owner
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile
from tests.plans import plan, step

EVENT = ev.StudyEnded(at=1.0, result="finished")


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    return create_directory(tmp_path / "out", "", [])


@pytest.fixture
def study(directory: StudyDirectory) -> StudyFile:
    return StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), plan(step("a"), out=str(directory.root)))


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each file when it is put on the disk."""
    sizes: list[int] = []

    def sync(number: int) -> None:
        if stat.S_ISREG(os.fstat(number).st_mode):
            sizes.append(os.fstat(number).st_size)

    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(os, "fsync", sync)
    return sizes


def append(path: Path, *events: ev.Event) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(to_line(event) + "\n" for event in events)


# --- the journal


def test_sync_puts_all_that_was_appended_on_the_disk(tmp_path: Path, synced: list[int]) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(EVENT)
    journal.append(EVENT)
    assert synced == []

    journal.sync()

    assert synced == [2 * (len(to_line(EVENT)) + 1)]


def test_sync_does_nothing_without_new_events(tmp_path: Path, synced: list[int]) -> None:
    journal = Journal(tmp_path, 1)
    journal.sync()
    journal.append(EVENT)
    journal.sync()
    journal.sync()
    assert len(synced) == 1

    journal.append(EVENT)
    journal.close()

    assert len(synced) == 2


def test_events_that_were_flushed_are_synced_nevertheless(tmp_path: Path, synced: list[int]) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(EVENT)
    journal.flush()

    journal.sync()

    assert len(synced) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.ESTALE])
def test_all_that_is_not_known_to_be_on_the_disk_is_written_again_after_a_failed_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(EVENT)
    journal.sync()
    sync, failures = os.fdatasync, [number, number]

    def fail(file: int) -> None:
        if failures:
            os.ftruncate(file, len(to_line(EVENT)) + 1)  # the file system drops what it had accepted
            raise OSError(failures.pop(), "an error")
        sync(file)

    monkeypatch.setattr(os, "fdatasync", fail)
    journal.append(EVENT)
    for _ in range(2):
        with pytest.raises(OSError, match="an error"):
            journal.sync()

    journal.sync()

    assert list(read_events(tmp_path)) == [EVENT, EVENT]


def test_write_that_fails_in_the_middle_of_a_line_leaves_no_half_line_once_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, 1)
    write, calls = os.pwrite, list[int]()

    def half(file: int, data: bytes, offset: int) -> int:
        calls.append(offset)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: len(data) // 2] if len(calls) == 1 else data, offset)

    monkeypatch.setattr(os, "pwrite", half)
    journal.append(EVENT)
    with pytest.raises(OSError, match="No space left"):
        journal.flush()
    assert list(read_events(tmp_path)) == []
    journal.append(EVENT)

    journal.close()

    assert list(read_events(tmp_path)) == [EVENT, EVENT]


def test_journal_that_lost_what_was_on_the_disk_is_not_continued(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1)
    journal.append(EVENT)
    journal.sync()
    journal.path.write_bytes(b"")
    journal._begin_again(OSError(errno.ESTALE, "Stale file handle"))  # pyright: ignore[reportPrivateUsage]
    journal.append(EVENT)

    with pytest.raises(DriverError, match="the end of the journal is missing"):
        journal.sync()


# --- the checkpoint


def test_checkpoint_is_on_the_disk_as_a_whole_before_it_takes_its_place(
    directory: StudyDirectory, study: StudyFile, synced: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace
    synced_before: list[list[int]] = []

    def note(path: Path, target: Path) -> Path:
        synced_before.append(list(synced))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", note)

    write_checkpoint(directory, study, StudyState(study.plan), {})

    assert synced_before == [[directory.checkpoint.stat().st_size]]


def test_event_that_a_driver_without_its_lease_wrote_late_is_read_in_its_place(
    directory: StudyDirectory, study: StudyFile
) -> None:
    first, second = directory.journal / "000001.jsonl", directory.journal / "000002.jsonl"
    intended = ev.SubmitIntended(at=1.0, submission="1-0", backend="slurm", members=((0, 1),))
    append(first, intended, ev.Submitted(at=2.0, submission="1-0", job="7"))
    append(second, ev.Ended(at=4.0, instance=0, attempt=1, status=Status.LOST))
    write_checkpoint(directory, study, *load_state(directory, study))

    append(first, ev.Ended(at=3.0, instance=0, attempt=1, status=Status.FINISHED, exit_code=0))

    assert load_state(directory, study)[0].status == [Status.FINISHED]


# --- the lease


def test_lease_is_taken_though_the_created_link_is_reported_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def create_and_fail(source: Path, target: Path) -> None:  # as NFS answers a request that it got twice
        link(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", create_and_fail)

    lease = Lease.acquire(tmp_path)

    assert read_current_owner(tmp_path) == lease.owner


def test_lease_that_another_was_quicker_to_take_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def too_late(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        Lease.acquire(tmp_path)
        link(source, target)

    monkeypatch.setattr(os, "link", too_late)

    with pytest.raises(StudyBusyError):
        Lease.acquire(tmp_path)

    assert [path.name for path in tmp_path.iterdir() if path.name.isdigit()] == ["000001"]


# --- reading the journal for one instance


def test_history_parses_no_line_that_cannot_concern_its_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[object] = []

    def note(record: dict[str, object]) -> ev.Event:
        parsed.append(record["type"])
        return from_record(record)

    monkeypatch.setattr("mtui.core.store.history.from_record", note)
    others = [ev.Held(at=float(index), instance=index) for index in range(100)]
    append(tmp_path / "000001.jsonl", *others, ev.Anomaly(at=7.0, message="7 of them"))

    assert [found.event for found in History(tmp_path, 7).read()] == [ev.Held(at=7.0, instance=7)]
    assert len(parsed) <= 2  # its own, and the one whose time has that number
