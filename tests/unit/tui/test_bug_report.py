"""The report of an unexpected exception."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from mtui.tui.cli import main as module
from mtui.tui.cli.main import main

ODD = "out\udcff\x1b[2J"  # a name that is not UTF-8, with a control sequence


def run_with_bug(monkeypatch: pytest.MonkeyPatch) -> int:
    def fail(arguments: object) -> int:
        del arguments
        raise LookupError(ODD)

    monkeypatch.setattr(module, "_carry_out", fail)
    return main(["status", ODD])


def test_report_is_written_whatever_the_words_and_the_error_contain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert run_with_bug(monkeypatch) == 1
    (report,) = tmp_path.glob("mtui-report-*.txt")
    assert "LookupError: out\\udcff" in report.read_text(encoding="utf-8")
    shown = capsys.readouterr().err
    assert f"please attach {report} to your bug report" in shown
    assert "\x1b" not in shown


def test_report_is_printed_if_no_file_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert run_with_bug(monkeypatch) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "please attach these lines to your bug report" in shown
