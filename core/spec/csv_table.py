"""Reads the columns of a CSV file: the first row has their names, the values are unconverted text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from .problems import Place, Problems
from .sweep import MOST_ROWS

_MOST_TOLD = 5  # rows of a wrong length that are reported one by one
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_Row = tuple[int, list[str]]  # the line in which it begins, its cells


def read_table(text: str, problems: Problems) -> dict[str, tuple[str, ...]] | None:
    """Return the columns by name, in order; None after an error. Blanks after a comma and empty lines are ignored."""
    text = text.removeprefix("\ufeff")
    control = _CONTROL.search(text)
    if control:
        before = text[: control.start()].split("\n")
        place = Place(len(before), len(before[-1]) + 1)
        problems.error(place, f"not CSV text: it holds the control character {control.group()!r}")
        return None
    rows = _rows(text, problems)
    line, header = next(rows, (1, list[str]()))
    names = [name.strip() for name in header]
    if not problems.errors:
        _check_header(line, names, problems)
    body = list(rows)
    if problems.errors:
        return None
    _check_body(names, body, problems)
    if problems.errors:
        return None
    return {name: tuple(row[column] for _, row in body) for column, name in enumerate(names)}


def _rows(text: str, problems: Problems) -> Iterator[_Row]:
    """Yield the rows that are not empty, up to the first syntax error."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if any(row):
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "a text in quotes needs them at both ends, and a quote within is doubled" if '"' in text else ""
        problems.error(Place(line, 1), f"not CSV: {error}", hint)


def _check_header(line: int, names: list[str], problems: Problems) -> None:
    place = Place(line, 1)
    if not names:
        problems.error(place, "the file is empty", "its first row must name the columns")
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        problems.error(place, "the columns are not separated by commas", f"the first row is {names[0]!r}")
    for number, name in enumerate(names, 1):
        if not name:
            problems.error(place, f"column {number} has no name", "the first row must name every column")
        elif names.index(name) < number - 1:
            problems.error(place, f"columns {names.index(name) + 1} and {number} are both named '{name}'")


def _check_body(names: list[str], body: list[_Row], problems: Problems) -> None:
    ragged = [(line, len(row)) for line, row in body if len(row) != len(names)]
    for line, count in ragged[:_MOST_TOLD]:
        values = "1 value" if count == 1 else f"{count} values"
        hint = "put a text that holds a comma in quotes" if count > len(names) else ""
        problems.error(Place(line, 1), f"{values} for {len(names)} columns", hint)
    if len(ragged) > _MOST_TOLD:
        line = ragged[_MOST_TOLD][0]
        problems.error(Place(line, 1), f"{len(ragged) - _MOST_TOLD:,} more rows from here on are of a wrong length")
    if len(body) > MOST_ROWS:
        problems.error(Place(body[MOST_ROWS][0], 1), f"{len(body):,} rows; at most {MOST_ROWS:,} can be swept")
    if not ragged:
        for column, name in enumerate(names):
            empty = next((line for line, row in body if not row[column]), 0)
            if empty:
                problems.warn(Place(empty, 1), f"column '{name}' is empty here")
