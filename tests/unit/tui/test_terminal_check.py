"""What the terminal offers the app."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtui.core.doctor.finding import Level
from mtui.tui.cli.verbs.terminal_check import TerminalFacts, look_at_terminal, terminal_findings

GOOD = TerminalFacts(there=True, kind="xterm-256color", columns=120, lines=40, colours="truecolor")


def test_all_is_well() -> None:
    assert {finding.level for finding in terminal_findings(GOOD)} == {Level.GOOD}
    assert terminal_findings(GOOD)[0].found == "xterm-256color, 120x40"


@pytest.mark.parametrize(
    ("facts", "subject", "words"),
    [
        (TerminalFacts(there=False), "terminal", "--no-ui"),
        (replace(GOOD, columns=60), "terminal", "80x24"),
        (replace(GOOD, lines=20), "terminal", "80x24"),
        (replace(GOOD, colours=""), "colours", "glyphs and words"),
        (replace(GOOD, colour_unwanted=True), "colours", "glyphs and words"),
        (replace(GOOD, utf8=False), "characters", "ASCII"),
        (replace(GOOD, within="screen"), "inside", "tmux"),
        (replace(GOOD, missing=("less",)), "programs", "PAGER"),
    ],
)
def test_what_is_missing_is_said_with_what_follows(facts: TerminalFacts, subject: str, words: str) -> None:
    odd = [finding for finding in terminal_findings(facts) if finding.level is not Level.GOOD]
    assert [(finding.subject, finding.level) for finding in odd] == [(subject, Level.NOTE)]
    assert words in odd[0].then


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(GOOD, colours="256"), "COLORTERM"),
        (replace(GOOD, within="tmux"), "set-clipboard"),
        (replace(GOOD, ssh=True), "ssh -C"),
    ],
)
def test_what_could_be_better_is_no_note(facts: TerminalFacts, words: str) -> None:
    findings = terminal_findings(facts)
    assert {finding.level for finding in findings} == {Level.GOOD}
    assert any(words in finding.then for finding in findings)


def test_programs_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "no-such-pager -R")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sh")
    assert look_at_terminal({"TERM": "dumb"}).missing == ("no-such-pager",)
