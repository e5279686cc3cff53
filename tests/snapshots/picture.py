"""A screen as text: its lines, and below them which part of each line looks how."""

from __future__ import annotations

import difflib
import os
from itertools import groupby
from pathlib import Path

import pytest
import textual
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "MTUI_UPDATE_SNAPSHOTS"
_ATTRIBUTES = ("bold", "dim", "italic", "underline", "strike", "reverse", "blink")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def picture(rows: list[list[Segment]], head: str) -> str:
    """The screen as text that does not depend on how its lines are cut into segments."""
    names: dict[str, str] = {}
    text: list[str] = []
    looks: list[str] = []
    for number, row in enumerate(rows, 1):
        text.append(f"|{''.join(segment.text for segment in row).rstrip()}")
        runs: list[str] = []
        for look, group in groupby(filter(_is_there, row), key=lambda segment: _look(segment.style)):
            name = names.setdefault(look, _name(len(names)))
            runs.append(f"{name}{sum(segment.cell_length for segment in group)}")
        looks.append(f"{number:3}: {' '.join(runs)}")
    legend = [f"{name}: {look}" for look, name in names.items()]
    return "\n".join([f"textual {textual.__version__}; {head}", *text, "", *looks, "", *legend, ""])


def _is_there(segment: Segment) -> bool:
    return bool(segment.cell_length)


def _name(number: int) -> str:
    return _LETTERS[number] if number < len(_LETTERS) else f"z{number}."


def _look(style: Style | None) -> str:
    if style is None:
        return "plain"
    words = [f"{_colour(style.color)} on {_colour(style.bgcolor)}"]
    return " ".join([*words, *(name for name in _ATTRIBUTES if getattr(style, name))])


def _colour(colour: Color | None) -> str:
    if colour is None:
        return "default"
    return colour.triplet.hex if colour.triplet else colour.name


def compare(name: str, found: str) -> None:
    """Fail if a screen does not look as it did when it was looked at last."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get(UPDATE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
        return
    how = f"look at it, then: {UPDATE}=1 python -m pytest tests/snapshots"
    if not path.exists():
        pytest.fail(f"there is no {path.name}; {how}", pytrace=False)
    expected = path.read_text(encoding="utf-8")
    made_with = expected.partition(";")[0]
    if made_with != found.partition(";")[0]:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"{path.name} was made with {made_with}, this is {textual.__version__}")
    if found != expected:
        lines = difflib.unified_diff(expected.split("\n"), found.split("\n"), "as it was", "as it is", lineterm="", n=2)
        pytest.fail("\n".join([f"{name} looks otherwise than before; {how}", *lines]), pytrace=False)
