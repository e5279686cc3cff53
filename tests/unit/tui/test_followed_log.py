"""A log that is followed: every byte once, also while it is rewritten or another attempt's output replaces it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.file_reading import UnusableFile
from mtui.core.store.study_directory import kept_output
from mtui.tui.views.followed_log import FollowedLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.out"


def new(log: FollowedLog, attempts: int = 0) -> str:
    return b"".join(log.new_data(attempts)).decode()


def test_growing_log_is_read_once(path: Path) -> None:
    log = FollowedLog(path)
    assert new(log) == ""
    path.write_text("one\n")
    assert new(log) == "one\n"
    with path.open("a") as file:
        file.write("two\n")
    assert new(log) == "two\n"
    assert new(log) == ""


@pytest.mark.parametrize("text", ["x\n", "other text\n", "other text that is longer\n"])
def test_rewritten_log_is_read_from_its_start(path: Path, text: str) -> None:
    log = FollowedLog(path)
    path.write_text("first text\n")
    assert new(log) == "first text\n"
    path.write_text(text)
    assert new(log) == text


@pytest.mark.parametrize("text", ["x\n", "first text\n", "first text and more\n"])
def test_replaced_log_is_read_from_its_start_after_the_rest_of_the_old_one(path: Path, text: str) -> None:
    log = FollowedLog(path)
    path.write_text("first text\n")
    assert new(log) == "first text\n"
    with path.open("a") as file:
        file.write("its end\n")
    path.rename(kept_output(path, 1))
    path.write_text(text)
    assert new(log, attempts=2) == "its end\n" + text


def test_rest_is_read_while_there_is_no_new_file(path: Path) -> None:
    log = FollowedLog(path)
    path.write_text("first\n")
    assert new(log) == "first\n"
    with path.open("a") as file:
        file.write("end\n")
    path.rename(kept_output(path, 1))
    assert new(log, attempts=2) == "end\n"
    path.write_text("second\n")
    assert new(log, attempts=2) == "second\n"


def test_attempts_that_began_and_ended_between_two_reads_are_read(path: Path) -> None:
    path.write_text("one\n")
    log = FollowedLog(path)
    assert new(log, attempts=1) == "one\n"
    path.rename(kept_output(path, 1))
    kept_output(path, 2).write_text("two\n")
    kept_output(path, 3).write_text("three\n")
    path.write_text("four\n")
    assert new(log, attempts=4) == "two\nthree\nfour\n"
    path.rename(kept_output(path, 4))
    assert new(log, attempts=5) == ""


def test_attempts_before_are_not_read(path: Path) -> None:
    kept_output(path, 1).write_text("one\n")
    path.write_text("two\n")
    log = FollowedLog(path)
    log.ignore_attempts(2)
    assert new(log, attempts=2) == "two\n"


def test_directory_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises((UnusableFile, IsADirectoryError)):
        new(FollowedLog(path))
