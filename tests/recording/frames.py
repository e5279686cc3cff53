"""A screen as runs of equal style, row by row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyte
from pyte.screens import Char

FOREGROUND, BACKGROUND = "d7dde4", "0f141a"
_NAMED = {
    "black": "303a46",
    "red": "ff6a3d",
    "green": "2fbf8f",
    "brown": "f0e442",
    "yellow": "f0e442",
    "blue": "56b4e9",
    "magenta": "cc79a7",
    "cyan": "56b4e9",
    "white": "d7dde4",
}


@dataclass(frozen=True, slots=True)
class Style:
    foreground: str
    background: str
    bold: bool = False
    italic: bool = False
    underlined: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Text of one style that begins at `column` and is `width` columns wide."""

    column: int
    width: int
    text: str
    style: Style


Row = tuple[Run, ...]
Frame = tuple[Row, ...]


def frame_of(screen: pyte.Screen) -> Frame:
    """What the screen shows now; the cursor is reversed."""
    cursor = None if screen.cursor.hidden else (screen.cursor.y, screen.cursor.x)
    return tuple(_row(screen, y, cursor) for y in range(screen.lines))


def _row(screen: pyte.Screen, y: int, cursor: tuple[int, int] | None) -> Row:
    runs: list[Run] = []
    for x in range(screen.columns):
        char = screen.buffer[y][x]
        style = _style(char, reverse=char.reverse is not ((y, x) == cursor))
        before = runs[-1] if runs else None
        if before and (before.style == style or not char.data):  # a wide character has an empty cell behind it
            runs[-1] = replace(before, width=before.width + 1, text=before.text + char.data)
        else:
            runs.append(Run(x, 1, char.data, style))
    return tuple(run for run in runs if run.text.strip() or run.style.background != BACKGROUND)


def _style(char: Char, *, reverse: bool) -> Style:
    foreground = _colour(char.fg, FOREGROUND)
    background = _colour(char.bg, BACKGROUND)
    if reverse:
        foreground, background = background, foreground
    if not char.data.strip():
        return Style(FOREGROUND, background)
    return Style(foreground, background, char.bold, char.italics, char.underscore)


def _colour(name: str, default: str) -> str:
    """A colour of pyte (a name or six hexadecimal digits) as hexadecimal digits."""
    if name == "default":
        return default
    return _NAMED.get(name.removeprefix("bright"), name)
