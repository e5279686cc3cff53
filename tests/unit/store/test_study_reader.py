"""What a view reads of a study, without a lock and without leaving a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.status import Status
from mtui.core.errors import StudyDirectoryError
from mtui.core.store.journal import Journal, segment
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from mtui.core.store.study_reader import read_last_lines, read_study
from tests.plans import plan, step


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    directory = create_directory(tmp_path / "out", "", [])
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), plan(step("a"), out=str(directory.root)))
    write_study_file(directory.study_file, study)
    return directory


def write(directory: StudyDirectory, epoch: int, *events: ev.Event) -> None:
    journal = Journal(directory.journal, epoch)
    for event in events:
        journal.append(event)
    journal.close()


INTENT = ev.SubmitIntended(at=1.0, submission="1-1", backend="slurm", members=((0, 1),))


def test_study_has_the_status_in_its_journal(directory: StudyDirectory) -> None:
    assert read_study(directory)[1].status == [Status.READY]
    write(directory, 1, INTENT)
    write(directory, 2, ev.Submitted(at=2.0, submission="1-1", job="7"))
    study, state = read_study(directory)
    assert (study.study_id, state.status, state.attempts[0][-1].job) == ("0a1b2c3d", [Status.PENDING], "7")


def test_event_that_cannot_be_is_passed_over(directory: StudyDirectory) -> None:
    write(directory, 1, INTENT, INTENT, ev.Ended(at=2.0, instance=9, attempt=1, status=Status.FAILED))
    assert read_study(directory)[1].status == [Status.SUBMITTING]


def test_reading_leaves_no_trace(directory: StudyDirectory) -> None:
    write(directory, 1, INTENT)
    before = {path: path.stat().st_mtime_ns for path in directory.root.rglob("*")}
    read_study(directory)
    assert {path: path.stat().st_mtime_ns for path in directory.root.rglob("*")} == before


def test_study_without_its_plan_is_reported(directory: StudyDirectory) -> None:
    directory.study_file.unlink()
    with pytest.raises(StudyDirectoryError, match=r"study\.json"):
        read_study(directory)


def test_study_with_a_damaged_journal_is_reported(directory: StudyDirectory) -> None:
    write(directory, 1, INTENT)
    path = segment(directory.journal, 1)
    path.write_bytes(b"?\n" + path.read_bytes())
    with pytest.raises(StudyDirectoryError, match=r"000001\.jsonl:1: damaged"):
        read_study(directory)


# --- logs


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\nthree\n", ["two", "three"]),
        (b"one\n\n  \ntwo", ["one", "two"]),
        (b"\xff\xfe\nend\n", ["\ufffd\ufffd", "end"]),
        (b"x" * 20_000 + b"\nend\n", ["x" * (8192 - 5), "end"]),
    ],
    ids=["empty", "last", "blank lines", "bytes", "long line"],
)
def test_last_lines_of_a_log(tmp_path: Path, data: bytes, lines: list[str]) -> None:
    (tmp_path / "log").write_bytes(data)
    assert read_last_lines(tmp_path / "log", 2) == lines


def test_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert read_last_lines(tmp_path / "log", 2) == []
    assert read_last_lines(tmp_path, 2) == []
