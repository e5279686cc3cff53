"""Text for terminals: safe, aligned, coloured only where somebody sees it."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

from ..core.study.status import BAD, Status

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """Text from a study or a log with every control character replaced: it cannot drive the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", " ").replace("\t", " "))


class Paint:
    """Colours for one stream: none if it is no terminal, or if NO_COLOR is set."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._on = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on else text

    def bold(self, text: str) -> str:
        return self("1", text)

    def dim(self, text: str) -> str:
        return self("2", text)

    def status(self, status: Status, text: str) -> str:
        if status is Status.FINISHED:
            return self("32", text)
        if status in BAD:
            return self("31" if status is not Status.BLOCKED else "33", text)
        return self("36", text) if status is Status.RUNNING else text


def plural(count: int, noun: str) -> str:
    """`1 instance`, `2 instances`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def table(rows: list[tuple[str, ...]], right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as aligned columns; the columns named in `right` are aligned right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines: list[str] = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
