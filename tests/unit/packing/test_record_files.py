"""The leader's files."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtui.core.packing.record_files import GrowingFile, RecordWriter, write_program


def test_growing_file_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "list"
    growing = GrowingFile(path)
    assert growing.read() == ""
    text = "größe\n".encode()
    for end in range(1, len(text) + 1):  # also between the bytes of a letter
        path.write_bytes(text[:end])
        growing.read()
    path.write_bytes(text + b"x\n")
    assert growing.read() == "x\n"


def test_records_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "records"
    path.write_text("before\n")
    records = RecordWriter(path)
    for number in range(3):
        records.add("start", attempt=f"{number}.1")
    assert not records.through
    records.write(1.0)
    assert records.through
    first, *lines = path.read_text().splitlines()
    assert first == "before"
    assert [json.loads(line) for line in lines] == [
        {"v": 1, "kind": "start", "attempt": f"{number}.1"} for number in range(3)
    ]


def test_the_file_is_closed_soon(tmp_path: Path) -> None:
    records = RecordWriter(tmp_path / "records")

    def is_open() -> bool:
        return any(file.resolve() == tmp_path / "records" for file in Path("/proc/self/fd").iterdir())

    records.add("start")
    records.write(10.0)
    records.write(10.4)
    assert is_open()
    records.write(10.5)
    assert not is_open()


def test_what_the_disk_does_not_take_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, write, room = RecordWriter(tmp_path / "records"), os.write, [20, 0]

    def full_disk(file: int, data: bytes) -> int:
        if not (taken := room.pop(0) if room else len(data)):
            raise OSError(errno.ENOSPC, "no space")
        return write(file, data[:taken])

    monkeypatch.setattr(os, "write", full_disk)
    records.add("start", attempt="1.1")
    records.write(1.0)
    assert records.stuck
    records.write(2.0)
    assert records.stuck
    records.add("exit", attempt="1.1")
    records.write(3.0)
    assert records.through
    assert not records.stuck
    lines = (tmp_path / "records").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["start", "exit"]


def test_what_the_file_server_reports_as_lost_when_the_file_is_closed_is_written_again(tmp_path: Path) -> None:
    """As on a network file system whose quota is exceeded."""
    records = RecordWriter(tmp_path / "records")
    records.add("exit", attempt="1.1")
    records.write(1.0)
    file: Any = records._file  # pyright: ignore[reportPrivateUsage]

    def lose() -> None:
        file.close()
        (tmp_path / "records").write_text('{"v":1,"ki')
        raise OSError(errno.EDQUOT, "quota exceeded")

    records._file = SimpleNamespace(close=lose)  # type: ignore  # pyright: ignore[reportPrivateUsage]
    records.write(2.0)
    assert records.stuck
    assert not records.through
    records.write(3.0)
    records.close()
    assert records.through
    assert (tmp_path / "records").read_text().splitlines()[1:] == ['{"v":1,"kind":"exit","attempt":"1.1"}']


def test_program_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "bin" / "srun"
    write_program(path, "#!/bin/sh\n")
    first = path.stat()
    assert first.st_mode & 0o777 == 0o700
    write_program(path, "#!/bin/sh\n")
    assert path.stat().st_ino == first.st_ino
    write_program(path, "#!/bin/sh\n# newer\n")
    assert path.read_text() == "#!/bin/sh\n# newer\n"
    assert [file.name for file in path.parent.iterdir()] == ["srun"]
