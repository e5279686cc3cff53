"""The records that jobs drop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtui.core.engine.job_reports import DuplicateReport, ExitReport, JobReport, StartReport
from mtui.core.store.spool import UnreadableRecord, list_records, read_record, remove_records

EXIT = {"v": 1, "kind": "exit", "attempt": "3.1", "job": "7", "node": "n1", "code": 3, "signal": "USR1"}


def drop(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("{}")


def test_starts_come_before_exits_whatever_their_instances(tmp_path: Path) -> None:
    drop(tmp_path, "0.1.exit.5", "9.1.start.6", "10.2.twin.8", "0.1.start.5", "9.1.exit.6")
    names = list_records(tmp_path)
    assert names is not None
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


def test_missing_spool_is_not_an_empty_one(tmp_path: Path) -> None:
    assert list_records(tmp_path / "gone") is None


def line(**more: object) -> str:
    return json.dumps({**EXIT, **more}) + "\n"


def test_record_is_read_with_all_that_it_says(tmp_path: Path) -> None:
    path = tmp_path / "3.1.exit.7"
    path.write_text(line())
    assert read_record(path) == ExitReport(3, 1, "7", "n1", code=3, signal="USR1")
    path.write_text(line(kind="twin", owner="6", error="none", code=0, signal=""))
    assert read_record(path) == DuplicateReport(3, 1, "7", "n1", owner="6")


def test_record_of_a_newer_runner_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "3.1.start.7"
    path.write_text('{"kind": "start", "attempt": "3.1", "job": "7", "node": "n1", "gpu": 4}\n')
    assert read_record(path) == StartReport(3, 1, "7", "n1")


def test_record_is_complete_with_the_end_of_its_line_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "3.1.exit.7"
    text = line()
    for size in range(len(text)):
        path.write_text(text[:size])
        assert read_record(path) is UnreadableRecord.INCOMPLETE
    path.write_text(text)
    assert isinstance(read_record(path), JobReport)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", "null", '"exit"', json.dumps({**EXIT, "attempt": "x.1"}), json.dumps({**EXIT, "code": "many"})]
    + [json.dumps({key: value for key, value in EXIT.items() if key != lost}) for lost in ("kind", "attempt", "job")],
)
def test_complete_record_that_cannot_be_understood_is_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "3.1.exit.7"
    path.write_text(f"{text}\n")
    assert read_record(path) is UnreadableRecord.DAMAGED


def test_record_with_garbage_bytes_is_no_surprise(tmp_path: Path) -> None:
    path = tmp_path / "3.1.exit.7"
    path.write_bytes(b"\xff\xfe\0{\n")
    assert read_record(path) is UnreadableRecord.DAMAGED
    path.write_bytes(b"\xff\xfe\0{")
    assert read_record(path) is UnreadableRecord.INCOMPLETE
    path.write_bytes(line(node="N").replace("N", "\udcff").encode(errors="surrogateescape"))
    report = read_record(path)
    assert isinstance(report, ExitReport)
    assert report.code == 3


def test_record_that_is_gone_or_no_file_is_incomplete(tmp_path: Path) -> None:
    assert read_record(tmp_path / "3.1.exit.7") is UnreadableRecord.INCOMPLETE
    assert read_record(tmp_path) is UnreadableRecord.INCOMPLETE


def test_removing_twice_or_what_was_never_there_is_no_error(tmp_path: Path) -> None:
    drop(tmp_path, "0.1.exit.5", "0.1.start.5")
    remove_records(tmp_path, ["0.1.exit.5", "0.1.exit.5", "9.9.exit.9"])
    assert [path.name for path in tmp_path.iterdir()] == ["0.1.start.5"]


def test_record_of_an_unknown_kind_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "3.1.exit.7"
    path.write_text(line().replace('"exit"', '"other"'))
    assert read_record(path) is UnreadableRecord.DAMAGED
