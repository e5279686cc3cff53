"""Tables: the columns of a CSV file as texts, and its mistakes at its own lines."""

from __future__ import annotations

import pytest

from mtui.core.spec import Problems
from mtui.core.spec.csv_table import read_table


def problem_lines(text: str) -> list[str]:
    problems = Problems("rows.csv")
    table = read_table(text, problems)
    assert (table is None) == bool(problems.errors)
    return [problem.text("rows.csv") for problem in sorted(problems.found, key=lambda problem: problem.place)]


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("A,B\n1,x\n2,y\n", {"A": ("1", "2"), "B": ("x", "y")}),
        ("A,B\r\n1,x\r\n2,y", {"A": ("1", "2"), "B": ("x", "y")}),
        ("\ufeffA\n1\n", {"A": ("1",)}),
        ("A\n01.50\nyes\n1:30\n", {"A": ("01.50", "yes", "1:30")}),
        ('A,"B"\n"a, b","say ""hi"""\n', {"A": ("a, b",), "B": ('say "hi"',)}),
        ("A, B\n1, 2\n\n\n3, 4\n\n", {"A": ("1", "3"), "B": ("2", "4")}),
        ("A\n", {"A": ()}),
        ("größe\n1\n", {"größe": ("1",)}),
    ],
    ids=["plain", "windows", "mark", "as it stands", "quotes", "blanks", "no rows", "umlaut"],
)
def test_values_are_verbatim_texts(text: str, table: dict[str, tuple[str, ...]]) -> None:
    problems = Problems("rows.csv")
    assert read_table(text, problems) == table
    assert problems.found == []


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["rows.csv:1:1: the file is empty\n    hint: its first row must name the columns"]),
        ("\n , \n", ["rows.csv:1:1: the file is empty\n    hint: its first row must name the columns"]),
        ("A,,A\n1,2,3\n", ["rows.csv:1:1: column 2 has no name\n    hint: the first row must name every column",
                           "rows.csv:1:1: columns 1 and 3 are both named 'A'"]),
        ("A;B\n1;2\n", ["rows.csv:1:1: the columns are not separated by commas\n    hint: the first row is 'A;B'"]),
        ("A,B\n1\n\n1,2,3\n", ["rows.csv:2:1: 1 value for 2 columns",
                               "rows.csv:4:1: 3 values for 2 columns\n"
                               "    hint: put a text that holds a comma in quotes"]),
        ("A,B\n" + "1\n" * 9, [*(f"rows.csv:{line}:1: 1 value for 2 columns" for line in range(2, 7)),
                               "rows.csv:7:1: 4 more rows from here on are of a wrong length"]),
        ('A\n"x\ny', ["rows.csv:2:1: not CSV: unexpected end of data\n"
                      "    hint: a text in quotes needs them at both ends, and a quote within is doubled"]),
        ("A\n1\nx\x1b[2J\n", ["rows.csv:3:2: not CSV text: it holds the control character '\\x1b'"]),
        ("A\nx\0\n", ["rows.csv:2:2: not CSV text: it holds the control character '\\x00'"]),
        ("A\n" + "1\n" * 200_001, ["rows.csv:200002:1: 200,001 rows; at most 200,000 can be swept"]),
        ("A,B\n1,\n2,\n", ["rows.csv:2:1: warning: column 'B' is empty here"]),
    ],
    ids=["empty", "blanks", "names", "semicolons", "ragged", "many ragged", "quote", "control", "null", "long", "gap"],
)  # fmt: skip
def test_mistakes_are_reported_at_their_lines(text: str, messages: list[str]) -> None:
    assert problem_lines(text) == messages


def test_lines_are_counted_through_texts_of_several_lines() -> None:
    assert problem_lines('A,B\n"x\ny",1\n2\n') == ["rows.csv:4:1: 1 value for 2 columns"]
