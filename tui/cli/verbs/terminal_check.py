"""Checks whether the terminal meets the needs of the app; part of `mtui doctor`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ....core.doctor.finding import Finding, FindingGroup, note
from ...views.environment import editor_command, has_utf8, pager_command
from ..arguments import has_terminal

_LEAST = (80, 24)
_COLOURS = {
    "truecolor": "16 million colours",
    "256": "256 colours",
    "standard": "16 colours",
    "windows": "16 colours",
}


@dataclass(frozen=True, slots=True)
class TerminalFacts:
    """`colours` is a key of _COLOURS, empty for none; `missing` are programs of the app that were not found."""

    there: bool
    kind: str = ""  # TERM
    columns: int = 80
    lines: int = 24
    colours: str = ""
    colour_unwanted: bool = False  # NO_COLOR
    utf8: bool = True
    within: str = ""  # tmux or screen
    ssh: bool = False
    missing: tuple[str, ...] = ()


def check_terminal(environment: Mapping[str, str]) -> FindingGroup:
    return FindingGroup("Terminal", terminal_findings(look_at_terminal(environment)))


def look_at_terminal(environment: Mapping[str, str]) -> TerminalFacts:
    missing = tuple(name for name in (pager_command()[0], editor_command()[0]) if shutil.which(name) is None)
    if not has_terminal():
        return TerminalFacts(there=False, kind=environment.get("TERM", ""), missing=missing)
    from rich.console import Console

    size = os.get_terminal_size(sys.stderr.fileno())
    return TerminalFacts(
        there=True,
        kind=environment.get("TERM", ""),
        columns=size.columns,
        lines=size.lines,
        colours=Console(file=sys.stderr).color_system or "",
        colour_unwanted=bool(environment.get("NO_COLOR")),
        utf8=has_utf8(),
        within="tmux" if environment.get("TMUX") else "screen" if environment.get("STY") else "",
        ssh="SSH_CONNECTION" in environment,
        missing=missing,
    )


def terminal_findings(facts: TerminalFacts) -> list[Finding]:
    """Return the findings for the app."""
    if not facts.there:
        found = "not a terminal" + (f" (TERM={facts.kind})" if facts.kind in ("", "dumb") else "")
        return [note("terminal", found, "mtui STUDY.yaml prints a line per event, as with --no-ui"), *_programs(facts)]
    findings = [_size(facts), _colours(facts), _characters(facts)]
    if facts.within == "tmux":
        then = "if y in the app copies nothing: set -g set-clipboard on"
        findings.append(Finding("inside", "tmux", then=then))
    if facts.within == "screen":
        findings.append(note("inside", "screen", "it does not forward what y in the app copies; tmux does"))
    if facts.ssh:
        findings.append(Finding("connection", "ssh", then="on a slow connection, ssh -C is faster"))
    return [*findings, *_programs(facts)]


def _size(facts: TerminalFacts) -> Finding:
    found = f"{facts.kind}, {facts.columns}x{facts.lines}"
    if facts.columns < _LEAST[0] or facts.lines < _LEAST[1]:
        return note("terminal", found, "below 80x24 the panes are small; 1 2 3 show steps, grid and log one at a time")
    return Finding("terminal", found)


def _colours(facts: TerminalFacts) -> Finding:
    found = _COLOURS.get(facts.colours, "none")
    if facts.colour_unwanted:
        return note("colours", f"{found}, and NO_COLOR is set", "the app shows states by glyphs and words")
    if not facts.colours:
        return note("colours", found, "the app shows states by glyphs and words")
    if facts.colours == "truecolor":
        return Finding("colours", found)
    then = "the nearest colours are shown; if the terminal supports more, set: export COLORTERM=truecolor"
    return Finding("colours", found, then=then)


def _characters(facts: TerminalFacts) -> Finding:
    if facts.utf8:
        return Finding("characters", "UTF-8")
    return note("characters", "no UTF-8 locale", "states are shown by ASCII signs; for glyphs, export LANG=C.UTF-8")


def _programs(facts: TerminalFacts) -> list[Finding]:
    then = "set PAGER and EDITOR to installed programs: v and e in the app start them"
    return [note("programs", f"{name} cannot be found", then) for name in facts.missing]
