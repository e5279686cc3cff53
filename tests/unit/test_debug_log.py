"""The debug log: enabled by the environment, silent on the terminal, small."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from mtui.core import debug_log
from mtui.core.debug_log import VARIABLE, ChangeLogger, get_logger, open_debug_log

CORE = Path(__file__).parents[2] / "core"
LOG = get_logger("mtui.core.driver.test")


def lines(path: Path) -> list[str]:
    return [line.partition("DEBUG ")[2] for line in path.read_text().splitlines()]


def test_nothing_is_written_unless_requested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with open_debug_log(tmp_path / "debug.log"):
        assert not LOG.isEnabledFor(logging.DEBUG)
        LOG.debug("a reason")
    assert list(tmp_path.iterdir()) == []


def test_it_is_appended_to_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "debug")
    for reason in ("first", "second"):
        with open_debug_log(tmp_path / "debug.log"):
            LOG.debug(reason)
        LOG.debug("after the end")
    assert lines(tmp_path / "debug.log") == ["mtui.core.driver.test: first", "mtui.core.driver.test: second"]


def test_long_log_is_renamed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "debug")
    monkeypatch.setattr(debug_log, "_LONGEST", 200)
    with open_debug_log(tmp_path / "debug.log"):
        for number in range(50):
            LOG.debug("reason %d", number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["debug.log", "debug.log.1"]
    assert all(path.stat().st_size < 400 for path in tmp_path.iterdir())
    kept = lines(tmp_path / "debug.log.1") + lines(tmp_path / "debug.log")
    assert kept[-1] == "mtui.core.driver.test: reason 49"


def test_reason_is_logged_only_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "debug")
    with open_debug_log(tmp_path / "debug.log"):
        reasons = ChangeLogger(LOG)
        for reason in ("", "busy", "busy", "silent", "", "", "busy"):
            reasons.report("nothing submitted", reason)
    logged = [line.removeprefix("mtui.core.driver.test: nothing submitted: ") for line in lines(tmp_path / "debug.log")]
    assert logged == ["busy", "silent", "no longer", "busy"]


def test_log_that_cannot_be_opened_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "debug")
    with open_debug_log(tmp_path / "gone" / "debug.log"):
        LOG.debug("a reason")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_full_disk_prints_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(VARIABLE, "debug")
    with open_debug_log(Path("/dev/full")):
        LOG.debug("a reason")
    assert capsys.readouterr() == ("", "")


def test_warnings_never_reach_the_terminal() -> None:
    code = "from mtui.core.debug_log import get_logger; get_logger('mtui.core.store.file_watch').warning('a reason')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_every_module_of_core_gets_its_logger_here() -> None:
    """So that the handler which keeps warnings off the terminal is there before the first one."""
    wrong = [
        str(path.relative_to(CORE))
        for path in CORE.rglob("*.py")
        if path.name != "debug_log.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "logging" for alias in node.names)
    ]
    assert wrong == []
