"""A journal that this mtui cannot read: the app reports it like the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import mtui
from tests.terminal.desk import Desk

NEWER = '{"v":1,"type":"teleported","at":1,"instance":0}\n'
DAMAGED = '{"v":1,"type":"held"}\n'


@pytest.fixture
def failed(desk: Desk) -> Desk:
    """A study that has failed."""
    started = mtui.run("--no-ui", "-o", desk.out, desk.study("exit 1"), env=desk.env())
    assert started.returncode == 2
    return desk


def journal(desk: Desk) -> Path:
    return desk.out / ".mtui" / "journal" / "000001.jsonl"


def append(desk: Desk, line: str) -> None:
    with journal(desk).open("a") as file:
        file.write(line)


def test_study_of_a_newer_version_is_refused(failed: Desk) -> None:
    append(failed, NEWER)
    wanted = mtui.run("status", failed.out)
    terminal = failed.terminal(failed.out, size=(80, 24))
    assert terminal.exit_code() == wanted.returncode == 2
    shown = "".join(line.ljust(80) if line.rstrip() else "" for line in terminal.text.split("\n"))
    for part in ("contains an event 'teleported' of version 1", "hint: a newer mtui wrote it; use that version"):
        assert part in shown
        assert part in wanted.stderr
    assert "0/0" not in shown


def test_newer_version_that_takes_over_ends_the_app(failed: Desk) -> None:
    terminal = failed.terminal(failed.out, size=(80, 24))
    terminal.wait_for("✗ failed 1")
    append(failed, NEWER)
    assert terminal.exit_code() == 2
    assert "a newer mtui wrote it; use that version" in terminal.text


def test_study_of_a_newer_version_in_the_list_of_studies(failed: Desk) -> None:
    """The list stays, with the reason."""
    append(failed, NEWER)
    terminal = failed.terminal(size=(100, 30))
    terminal.wait_for(str(failed.out)[-20:])
    terminal.keys("enter")
    terminal.wait_for(lambda text: {"newer", "wrote"} <= set(text.split()))  # where it wraps depends on the path
    terminal.wait_for("your studies")
    terminal.keys("q")
    assert terminal.exit_code() == 0


def test_reason_behind_long_paths_is_visible(desk: Desk) -> None:
    assert mtui.run("--dry", "-o", desk.out, desk.study("true")).returncode == 0
    copy = desk.folder / ("a-directory-with-a-long-name-" * 3) / "copy"
    shutil.copytree(desk.out, copy, symlinks=True)
    terminal = desk.terminal("-y", copy, size=(120, 24))
    terminal.wait_for("is a copy of the study in .../out, and its scripts would write there")


def test_damaged_journal_is_an_error_with_its_reason_visible(failed: Desk) -> None:
    journal(failed).write_text(DAMAGED + journal(failed).read_text())
    terminal = failed.terminal(failed.out, size=(100, 24))
    terminal.wait_for("cannot read the journal: .mtui/journal/000001.jsonl:1: damaged journal line")
    terminal.keys("q")
    assert terminal.exit_code() == 1
    assert "Cannot read the journal" in terminal.text
    assert "0/0" not in terminal.text
