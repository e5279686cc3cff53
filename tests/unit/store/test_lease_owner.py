"""The owner files of a study: the current one, torn and damaged ones, and the start of a process."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mtui.core.errors import StudyBusyError, StudyDirectoryError
from mtui.core.store.lease import Lease
from mtui.core.store.lease_owner import process_start, read_current_owner, read_owner, torn_owners
from tests.unit.store.owners import HERE, ended_process, put


def test_nobody_has_driven_a_new_study(tmp_path: Path) -> None:
    assert read_current_owner(tmp_path) is None


def test_highest_epoch_is_the_current_one(tmp_path: Path) -> None:
    for epoch in (2, 10, 9):
        put(tmp_path, replace(HERE, epoch=epoch))
    owner = read_current_owner(tmp_path)
    assert owner is not None
    assert owner.epoch == 10


@pytest.mark.parametrize("data", [b"", b"\0" * 120, b'{"epoch": 2, "ho', b"\xff"])
def test_torn_owner_file_is_of_a_driver_that_never_drove(tmp_path: Path, data: bytes) -> None:
    pid, start = ended_process()
    before = put(tmp_path, replace(HERE, pid=pid, start=start))
    (tmp_path / "000002").write_bytes(data)
    assert read_current_owner(tmp_path) == before
    assert read_owner(tmp_path, 2) is None
    assert torn_owners(tmp_path) == [tmp_path / "000002"]

    lease = Lease.acquire(tmp_path)

    assert (lease.owner.epoch, lease.before) == (3, before), "no epoch is used twice"


def test_live_driver_below_a_torn_owner_file_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, HERE)
    (tmp_path / "000002").touch()
    with pytest.raises(StudyBusyError, match=str(HERE.pid)):
        Lease.acquire(tmp_path)


def test_owner_of_a_newer_mtui_is_known_by_what_both_know(tmp_path: Path) -> None:
    (tmp_path / "000001").write_text(json.dumps({**asdict(HERE), "cluster": "alps"}))
    assert read_current_owner(tmp_path) == HERE


@pytest.mark.parametrize("text", ["[]", '{"epoch": 1}'])
def test_damaged_owner_file_is_reported(tmp_path: Path, text: str) -> None:
    (tmp_path / "000001").write_text(text, errors="surrogateescape")
    with pytest.raises(StudyDirectoryError, match="owner of the study"):
        Lease.acquire(tmp_path)


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StudyDirectoryError, match="owner of the study"):
        Lease.acquire(tmp_path / "gone")


@pytest.mark.parametrize("name", ["plain", "two words", "a) b (c", "x) R 1 1 1"])
def test_start_of_a_process_is_read_whatever_its_name(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.symlink_to("/bin/cat")
    process = subprocess.Popen([program], stdin=subprocess.PIPE)
    try:
        assert int(process_start(process.pid)) >= int(process_start(os.getpid()))
    finally:
        process.communicate()
