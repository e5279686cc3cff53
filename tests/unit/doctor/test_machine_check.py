"""What this machine allows, and what follows from it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.doctor.finding import Level
from mtui.core.doctor.machine_check import MachineFacts, kills_at_logout, look_at_machine, machine_findings

GOOD = MachineFacts(files=1024, processes=-1, local_jobs=4, ends_at_logout=False)


def test_all_is_well() -> None:
    assert {finding.level for finding in machine_findings(GOOD)} == {Level.GOOD}


@pytest.mark.parametrize(
    ("facts", "subject", "level", "words"),
    [
        (replace(GOOD, files=64), "open files", Level.PROBLEM, "ulimit -n"),
        (replace(GOOD, processes=20), "processes", Level.PROBLEM, "ulimit -u"),
        (replace(GOOD, ends_at_logout=True), "logging out", Level.NOTE, "mtui submit"),
        (replace(GOOD, unwritable=("/none",)), "your settings", Level.NOTE, "run anyway"),
    ],
)
def test_what_is_missing_is_said_with_what_follows(facts: MachineFacts, subject: str, level: Level, words: str) -> None:
    odd = [finding for finding in machine_findings(facts) if finding.level is not Level.GOOD]
    assert [(finding.subject, finding.level) for finding in odd] == [(subject, level)]
    assert words in odd[0].then


@pytest.mark.parametrize(
    ("texts", "kills"),
    [
        ([], False),
        (["[Login]\n#KillUserProcesses=yes\n"], False),
        (["[Login]\nKillUserProcesses=yes\n"], True),
        (["KillUserProcesses=yes\n", "KillUserProcesses = no\n"], False),
        (["KillUserProcesses=no\n", "  KillUserProcesses = 1\n"], True),
    ],
)
def test_the_last_setting_counts(texts: list[str], kills: bool) -> None:
    assert kills_at_logout(texts) is kills


def test_this_machine(tmp_path: Path) -> None:
    facts = look_at_machine({**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "new")})
    assert facts.local_jobs >= 1
    assert facts.unwritable == ()


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    facts = look_at_machine({**os.environ, "XDG_STATE_HOME": str(tmp_path / "file" / "state")})
    assert f"{tmp_path}/file/state" in facts.unwritable
