"""Text for terminals: without control characters, aligned, and coloured only on a terminal."""

from __future__ import annotations

import codecs
import os
import re
import sys
import unicodedata
from pathlib import Path
from typing import TextIO

from ...core.engine.status import BAD, Status

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """Replace control characters in text from a study or a log, so that it cannot control the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", " ").replace("\t", " "))


def within(text: str, root: Path) -> str:
    """Return a message with the paths below `root` relative to it: what follows a long path may be cut off."""
    return text.replace(f"{root}/", "")


_PATH = re.compile(r"(?<![\w.~-])/(?:[^\s/:'\"]+/)+[^\s/:'\"]*")


def shorten_paths(text: str, width: int) -> str:
    """Shorten the longest paths in a message until it fits into this many cells: the reason often follows a path."""
    while cell_width(text) > width and (paths := _PATH.findall(text)):
        path = max(paths, key=len)
        short = f".../{path.rstrip('/').rpartition('/')[2]}"
        if len(short) >= len(path):
            break
        text = text.replace(path, short, 1)
    return text


_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def log_line(text: str, width: int = 200) -> str:
    """Return a line of a log as safe text without colours; of a progress bar, only its last state."""
    return safe(_COLOUR.sub("", text).rstrip("\r").rpartition("\r")[2])[:width]


def safe_lines(text: str) -> str:
    """Apply `safe` to each line of a text."""
    return "\n".join(map(safe, text.split("\n")))


class SafeLog:
    """Makes the bytes of a log safe for a terminal, chunk by chunk: colours stay, other control bytes become `?`."""

    _KEPT = re.compile(rb"\x1b\[[0-9;:]*m")
    _OTHER = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
    _PARTIAL = re.compile(rb"\x1b(\[[0-9;:]*)?$")

    def __init__(self) -> None:
        self._rest = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a chunk may end inside a character

    def feed(self, data: bytes) -> bytes:
        """Return the safe form of a chunk; a colour sequence that is incomplete is kept for the next chunk."""
        data = self._rest + data
        partial = self._PARTIAL.search(data)
        self._rest = partial.group(0) if partial and len(partial.group(0)) < 32 else b""
        data = data[: len(data) - len(self._rest)]
        pieces: list[bytes] = []
        at = 0
        for kept in self._KEPT.finditer(data):
            pieces += [self._OTHER.sub(b"?", data[at : kept.start()]), kept.group(0)]
            at = kept.end()
        pieces.append(self._OTHER.sub(b"?", data[at:]))
        # C1 controls, as UTF-8 or as single bytes, act like escape sequences on some terminals.
        return self._decoder.decode(b"".join(pieces)).translate(_C1).encode()


_C1 = {code: "?" for code in (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def print_text(text: str) -> None:
    """Print a line; a closed terminal or pipe must not stop a study."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115


class Paint:
    """Colours for one stream: none without a terminal, with NO_COLOR, or without a stream."""

    def __init__(self, stream: TextIO | None = sys.stdout) -> None:
        self._on = (
            stream is not None
            and stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )

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
    """Return a count with its noun: `1 instance`, `2 instances`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def cell_width(text: str) -> int:
    """Return how many cells a terminal uses for a text: two for a wide (CJK) character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    is_joined = unicodedata.category(character) in ("Mn", "Me", "Cf") or "\u1160" <= character <= "\u11ff"
    return 0 if is_joined and character != "\u00ad" else 1  # a soft hyphen is shown


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text with spaces to this many cells, at its left if it is to be at the right."""
    space = " " * (width - cell_width(text))
    return space + text if right else text + space


def table(rows: list[tuple[str, ...]], right: frozenset[int] = frozenset()) -> list[str]:
    """Format rows as aligned columns; those in `right` are right-aligned."""
    widths = [max(cell_width(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    lines: list[str] = []
    for row in rows:
        cells = [
            pad(cell, width, right=column in right)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
