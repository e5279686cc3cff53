"""What a directory offers, tried for real and judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.doctor.directory_check import DirectoryFacts, check_directory, directory_findings, try_directory
from mtui.core.doctor.finding import Level

GOOD = DirectoryFacts("/here", "ext4", sync=0.001)


def test_a_directory_of_this_machine_has_all_that_is_needed(tmp_path: Path) -> None:
    facts = try_directory(tmp_path)
    assert (facts.write, facts.hard_link, facts.symbolic_link, facts.run, facts.news) == ("", "", "", "", "")
    assert facts.is_mine
    assert 0 < facts.sync < 60
    assert facts.room > 0


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    assert check_directory(tmp_path).title == f"Directory {tmp_path}"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written() -> None:
    facts = try_directory(Path("/proc"))
    assert facts.write
    (only,) = directory_findings(facts)
    assert (only.level, only.subject) == (Level.PROBLEM, "writing")


def test_a_good_one_has_no_notes() -> None:
    assert {finding.level for finding in directory_findings(GOOD)} == {Level.GOOD}


@pytest.mark.parametrize(
    ("facts", "subject", "level", "words"),
    [
        (replace(GOOD, kind="lustre"), "file system", Level.NOTE, "within a second"),
        (replace(GOOD, kind=""), "file system", Level.NOTE, "within a second"),
        (replace(GOOD, news="no room"), "file system", Level.NOTE, "once a second instead"),
        (
            replace(GOOD, hard_link="Not permitted"),
            "one driver at a time",
            Level.PROBLEM,
            "another directory",
        ),
        (replace(GOOD, is_mine=False), "commands", Level.PROBLEM, "another user"),
        (replace(GOOD, symbolic_link="Operation not permitted"), "symbolic links", Level.PROBLEM, "--array 1"),
        (replace(GOOD, run="Permission denied"), "scripts", Level.PROBLEM, "noexec"),
        (replace(GOOD, sync=0.2), "journal", Level.NOTE, "twice"),
        (replace(GOOD, room=1000), "room", Level.NOTE, "free space"),
        (replace(GOOD, files=3), "room", Level.NOTE, "free space"),
    ],
)
def test_what_is_missing_is_said_with_what_follows(
    facts: DirectoryFacts, subject: str, level: Level, words: str
) -> None:
    odd = [finding for finding in directory_findings(facts) if finding.level is not Level.GOOD]
    assert [(finding.subject, finding.level) for finding in odd] == [(subject, level)]
    assert words in odd[0].then


def test_a_file_system_without_a_limit_on_files() -> None:
    assert directory_findings(replace(GOOD, files=-1))[-1].level is Level.GOOD
