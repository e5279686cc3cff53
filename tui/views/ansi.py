"""Renders a line of a log as a terminal would, without passing control sequences on to the terminal.

Colours are kept. Carriage return, backspace, tab and "erase in line" work as on a terminal, within the line. Other
control sequences are removed; other control characters become a replacement character.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

LIMIT = 2_000  # cells shown of a line
CUT = "~"  # marks the end of a line that was cut
TAB = 8

Colour = int | tuple[int, int, int]  # an index of the 256-colour palette, or red, green and blue


@dataclass(frozen=True, slots=True)
class Ink:
    """The style of a piece of text."""

    front: Colour | None = None
    back: Colour | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


PLAIN = Ink()
_CUT_INK = Ink(reverse=True)
_BLANK = " "
_MARKS = 4  # combining characters that one character may carry
_LONGEST_SGR = 256
_SWITCHES = {
    1: {"bold": True}, 2: {"dim": True}, 3: {"italic": True}, 4: {"underline": True}, 7: {"reverse": True},
    21: {"underline": True}, 22: {"bold": False, "dim": False}, 23: {"italic": False}, 24: {"underline": False},
    27: {"reverse": False}, 39: {"front": None}, 49: {"back": None},
}  # fmt: skip

_SGR = r"\x1b\[[0-9;:]*m"
_COLOURS = re.compile(_SGR)
_RAW_COLOURS = re.compile(rb"\x1b\[([0-9;:]*)m")
_TOKEN = re.compile(
    r"\x1b\[([0-9;:]*)([Km])"
    r"|\x1b\[[0-?]*[ -/]*(?:[@-~]|\Z)"  # other sequences, also incomplete ones
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, clipboard, links, device control
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
    # Invisible characters, and those whose effect on their neighbours' width differs between terminals.
    r"|[\xad\u061c\u180e\u200b-\u200f\u2060-\u2065\u206a-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb]"
    r"|[\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SHOWN = re.compile(r"[\x00-\x06\x0b\x0c\x10-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_ASCII = re.compile(rb"[\x20-\x7e]*")
_NARROW = re.compile(r"[\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u2500-\u25fc\u2800-\u28ff]*")
# Text that needs no processing. The pattern covers most text in logs, not all such text.
_SIMPLE = re.compile(
    r"[\x20-\x7e\xa0-\xac\xae-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\u20cf"
    r"\u2100-\u2bff\u3000-\u3029\u3030-\u3096\u309b-\ua4cf\uac00-\ud7a3\uff01-\uff9d\ufffd\U0001f300-\U0001faff]*"
)


def spans(line: bytes, start: Ink = PLAIN) -> tuple[list[tuple[str, Ink]], Ink]:
    """Return the text of a line in pieces of one style, and the style that the next line starts with."""
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    if len(text) <= LIMIT // 2 and _SIMPLE.fullmatch(text):
        return ([(text, start)] if text else []), start
    row = _Row()
    ink = start
    at = 0
    for token in _TOKEN.finditer(text):
        if token.start() > at:
            row.write(text[at : token.start()], ink)
        at = token.end()
        if token[2] == "m":
            ink = _dressed(ink, token[1])
        elif token[2] == "K":
            row.erase(token[1])
        else:
            row.obey(token[0], ink)
    row.write(text[at:], ink)
    return row.spans(), ink


def plain(line: bytes) -> str:
    """Return the text of a line's spans."""
    if len(line) <= LIMIT and _ASCII.fullmatch(line):
        return line.decode("ascii")
    text = _COLOURS.sub("", line.rstrip(b"\r").decode("utf-8", "replace"))
    if len(text) <= LIMIT // 2 and _SIMPLE.fullmatch(text):
        return text
    return "".join(piece for piece, _ in spans(line)[0])


def carry(line: bytes, start: Ink) -> Ink:
    """Return the style that the next line starts with, as `spans` does."""
    if b"\x1b[" not in line:
        return start
    ink = start
    for parameters in _RAW_COLOURS.findall(line, max(0, line.rfind(b"\x1b[0m"))):
        ink = _dressed(ink, parameters.decode("ascii"))
    return ink


class _Row:
    """One row of a terminal without a right margin."""

    def __init__(self) -> None:
        self._cells: list[str] = []  # a character of two cells is followed by an empty string
        self._inks: list[Ink] = []
        self._column = 0
        self._is_cut = False

    def write(self, text: str, ink: Ink) -> None:
        if _NARROW.fullmatch(text):
            self._put(text, ink, len(text))
            return
        for character in text:
            width = _width(character)
            if width:
                self._put([character, ""] if width == 2 else character, ink, width)
            else:
                self._mark(character)

    def obey(self, token: str, ink: Ink) -> None:
        """Apply a control character; ignore a sequence."""
        if token == "\r":
            self._column = 0
        elif token == "\b":
            self._column = max(0, self._column - 1)
        elif token == "\t":
            self._column += TAB - self._column % TAB
        elif _SHOWN.fullmatch(token):
            self._put("\N{REPLACEMENT CHARACTER}", ink, 1)

    def erase(self, which: str) -> None:
        """Erase in line: to its end, to its start, or all of it. The cursor stays."""
        if which in ("", "0"):
            self._split_at(self._column)
            del self._cells[self._column :], self._inks[self._column :]
            self._is_cut = self._is_cut and self._column > LIMIT
        elif which == "1":
            width = min(self._column + 1, len(self._cells))
            self._split_at(width)
            self._cells[:width] = [_BLANK] * width
            self._inks[:width] = [PLAIN] * width
        elif which == "2":
            self._cells.clear()
            self._inks.clear()
            self._is_cut = False

    def spans(self) -> list[tuple[str, Ink]]:
        found: list[tuple[str, Ink]] = []
        begin = 0
        for at in range(1, len(self._cells) + 1):
            if at == len(self._cells) or self._inks[at] != self._inks[begin]:
                found.append(("".join(self._cells[begin:at]), self._inks[begin]))
                begin = at
        if self._is_cut:
            found.append((CUT, _CUT_INK))
        return found

    def _put(self, cells: str | list[str], ink: Ink, width: int) -> None:
        if not cells:
            return
        start, end = self._column, self._column + width
        self._column = end
        if end > LIMIT:
            self._is_cut = True
            if start >= LIMIT or isinstance(cells, list):
                return
            end = LIMIT
        if start > len(self._cells):
            self._inks += [PLAIN] * (start - len(self._cells))
            self._cells += [_BLANK] * (start - len(self._cells))
        self._split_at(start)
        self._split_at(end)
        self._cells[start:end] = cells[: end - start]
        self._inks[start:end] = [ink] * (end - start)

    def _mark(self, accent: str) -> None:
        at = min(self._column, len(self._cells)) - 1
        if at > 0 and not self._cells[at]:
            at -= 1
        if at >= 0 and len(self._cells[at]) <= _MARKS:
            self._cells[at] += accent

    def _split_at(self, column: int) -> None:
        """Blank both halves of a wide character that `column` would split."""
        if 0 < column < len(self._cells) and not self._cells[column]:
            self._cells[column - 1] = self._cells[column] = _BLANK


@lru_cache(maxsize=4096)
def _width(character: str) -> int:
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 0 if unicodedata.category(character) in ("Mn", "Me") else 1


@lru_cache(maxsize=4096)
def _dressed(ink: Ink, parameters: str) -> Ink:
    """Return the ink after "select graphic rendition" with these parameters."""
    if len(parameters) > _LONGEST_SGR:
        return ink
    fields = parameters.split(";")
    at = 0
    while at < len(fields):
        code, *details = fields[at].split(":")
        number = _number(code)
        at += 1
        if number in (38, 48, 58):
            if not details:
                size = {5: 2, 2: 4}.get(_number(fields[at]) if at < len(fields) else 0, 1)
                details = fields[at : at + size]
                at += size
            colour = _colour(details)
            if colour is not None and number != 58:  # the colour of underlines is not shown
                ink = replace(ink, front=colour) if number == 38 else replace(ink, back=colour)
        elif number == 0:
            ink = PLAIN
        elif number == 4 and details == ["0"]:
            ink = replace(ink, underline=False)
        elif number in _SWITCHES:
            ink = replace(ink, **_SWITCHES[number])
        elif 30 <= number <= 37 or 90 <= number <= 97:
            ink = replace(ink, front=number - 30 if number < 90 else number - 82)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            ink = replace(ink, back=number - 40 if number < 100 else number - 92)
    return ink


def _colour(details: list[str]) -> Colour | None:
    """Parse a colour as in `5;n`, `2;r;g;b`, or `2::r:g:b`, which may name a colour space."""
    mode, *rest = [_number(field) for field in details] or [0]
    if mode == 5 and len(rest) == 1 and rest[0] < 256:
        return rest[0]
    if mode == 2 and len(rest) >= 3:
        red, green, blue = rest[1:4] if len(rest) > 3 else rest
        if max(red, green, blue) < 256:
            return red, green, blue
    return None


def _number(field: str) -> int:
    """Parse a parameter: an empty one is 0, one that is too long is 9999, which has no meaning."""
    return int(field or "0") if len(field) < 5 else 9999
