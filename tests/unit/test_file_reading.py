"""Files of a study are read without hanging, even if a FIFO or a device is in their place."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mtui.core.claims import Claims
from mtui.core.file_reading import RECORD, UnusableFile, open_file, open_to_append, read_bytes, read_tail, read_text
from mtui.core.packing.record_files import GrowingFile
from mtui.core.spec.text_files import UnreadableFile
from mtui.core.spec.text_files import read_text as read_text_of_spec
from mtui.core.store.journal import end_of_journal
from mtui.core.store.journal_follower import JournalFollower
from mtui.core.store.spool import UnreadableRecord, read_record


@pytest.fixture(params=["fifo", "device", "endless", "sparse"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A path with something in the place of a small file."""
    path = tmp_path / "000001.jsonl"
    match request.param:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/null")
        case "endless":
            path.symlink_to("/dev/zero")
        case _:
            with path.open("wb") as file:
                file.truncate(1 << 42)
    return path


def test_other_than_a_regular_file_is_refused_with_its_path(odd: Path) -> None:
    with pytest.raises(UnusableFile) as caught:
        read_bytes(odd)
    assert caught.value.filename == str(odd)
    assert caught.value.strerror in ("not a regular file", f"larger than {RECORD} bytes")


def test_readers_of_a_study_do_not_block_on_it(odd: Path) -> None:
    """Each returns what it returns for a file that cannot be read."""
    assert read_record(odd) is UnreadableRecord.DAMAGED
    assert GrowingFile(odd).read() == ""
    assert Claims(odd.parent).owner(odd.name) == ""
    assert JournalFollower(odd.parent).new_events() == []
    assert end_of_journal(odd.parent)[0] == ""
    assert isinstance(read_text_of_spec(str(odd), "a CSV file"), UnreadableFile)


def test_a_writer_that_waits_at_a_fifo_is_not_woken(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UnusableFile):
        open_file(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device") as caught:
        os.open(tmp_path / "fifo", os.O_WRONLY | os.O_NONBLOCK)  # nobody reads
    assert caught.value.errno == errno.ENXIO


@pytest.mark.parametrize("is_read", [False, True])
def test_a_log_that_is_a_fifo_is_refused(tmp_path: Path, is_read: bool) -> None:
    """Also while a process reads it: if that stops reading, the driver would block."""
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK) if is_read else None
    with pytest.raises(UnusableFile, match="not a regular file"):
        open_to_append(tmp_path / "fifo")
    if reader is not None:
        os.close(reader)


def test_a_log_is_appended_to(tmp_path: Path) -> None:
    for text in (b"one\n", b"two\n"):
        with open_to_append(tmp_path / "log") as log:
            log.write(text)
            assert os.get_blocking(log.fileno())
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_directory_in_place_of_a_file_is_named_as_one(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)


def test_a_file_as_large_as_allowed_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_bytes(tmp_path / "file", 5) == b"12345"
    with pytest.raises(UnusableFile, match="larger than 4 bytes"):
        read_bytes(tmp_path / "file", 4)


def test_the_tail_of_a_log_is_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old\n")
    assert read_tail(log, start=4) == ""
    with log.open("ab") as file:
        file.write(b"  new\xff\n\nlast\n")
    assert read_tail(log, start=4) == "new\ufffd / last"
    assert read_tail(log, most=5) == "last"
    assert read_tail(tmp_path / "none") == ""
