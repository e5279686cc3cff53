"""The records that jobs drop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtui.core.store.spool import list_records, read_record, remove_records
from mtui.core.study.observer import Report

EXIT = {"v": 1, "kind": "exit", "attempt": "3.1", "job": "7", "node": "n1", "code": 3, "signal": "USR1"}


def drop(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("{}")


def test_starts_come_before_exits_whatever_their_instances(tmp_path: Path) -> None:
    drop(tmp_path, "0.1.exit.5", "9.1.start.6", "10.2.twin.8", "0.1.start.5", "9.1.exit.6")
    names = list_records(tmp_path)
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    assert [".exit." in name for name in names] == [False, False, False, True, True]


def test_task_of_an_array_has_its_record(tmp_path: Path) -> None:
    drop(tmp_path, "0.1.start.50_4")
    assert list_records(tmp_path) == ["0.1.start.50_4"]


@pytest.mark.parametrize(
    "name", [".nfs000000000001", "core", "0.1.start", "0.1.other.5", "notes.exit.txt", "x.1.exit.5"]
)
def test_files_that_no_job_dropped_are_passed_over(tmp_path: Path, name: str) -> None:
    drop(tmp_path, name, "0.1.exit.5")
    assert list_records(tmp_path) == ["0.1.exit.5"]


def test_missing_spool_holds_nothing(tmp_path: Path) -> None:
    assert list_records(tmp_path / "gone") == []


def test_record_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    path = tmp_path / "3.1.exit.7"
    path.write_text(json.dumps(EXIT))
    assert read_record(path) == Report("exit", 3, 1, "7", "n1", code=3, signal="USR1")
    path.write_text(json.dumps({**EXIT, "kind": "twin", "owner": "6", "error": "none", "code": 0, "signal": ""}))
    assert read_record(path) == Report("twin", 3, 1, "7", "n1", owner="6", error="none")


def test_record_of_a_newer_runner_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "3.1.start.7"
    path.write_text(json.dumps({"kind": "start", "attempt": "3.1", "job": "7", "node": "n1", "gpu": 4}))
    assert read_record(path) == Report("start", 3, 1, "7", "n1")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", "null", '"exit"', json.dumps({**EXIT, "attempt": "x.1"}), json.dumps({**EXIT, "code": "many"})]
    + [json.dumps({key: value for key, value in EXIT.items() if key != lost}) for lost in ("kind", "attempt", "job")],
)
def test_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "3.1.exit.7"
    path.write_text(text)
    assert read_record(path) is None


def test_record_with_garbage_bytes_is_no_surprise(tmp_path: Path) -> None:
    path = tmp_path / "3.1.exit.7"
    path.write_bytes(b"\xff\xfe\0{")
    assert read_record(path) is None
    path.write_bytes(json.dumps({**EXIT, "node": "N"}).replace("N", "\udcff").encode(errors="surrogateescape"))
    report = read_record(path)
    assert report is not None
    assert report.code == 3


def test_record_that_is_gone_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path / "3.1.exit.7") is None


def test_removing_twice_or_what_was_never_there_is_no_error(tmp_path: Path) -> None:
    drop(tmp_path, "0.1.exit.5", "0.1.start.5")
    remove_records(tmp_path, ["0.1.exit.5", "0.1.exit.5", "9.9.exit.9"])
    assert [path.name for path in tmp_path.iterdir()] == ["0.1.start.5"]
