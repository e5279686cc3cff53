"""Patterns that are searched for in a log, and their hits."""

from __future__ import annotations

import pytest

from mtui.tui.views.log_search import MOST_HITS, Search


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("error", ["Error", "error", "ERROR"]),
        ("Error", ["Error"]),
        (r"\Srror", ["Error", "error", "ERROR"]),
        (r"e\w+(?=!)", ["error"]),
        ("a(b", ["a(b"]),
        ("x*", []),
        ("[[", ["[["]),
        ("+", ["+"]),
    ],
)
def test_patterns(pattern: str, found: list[str]) -> None:
    text = "Error error! ERROR a(b [[ +"
    search = Search(pattern)
    assert search.add(7, [text])
    assert [text[hit.start : hit.end] for hit in search.hits] == found


def test_a_pattern_that_never_ends_is_searched_as_text() -> None:
    search = Search("(a+)+b")
    texts = ["(A+)+b", "a" * 2000]
    assert not search.add(0, texts)
    assert search.add(0, texts)
    assert [(hit.line, hit.start) for hit in search.hits] == [(0, 0)]


def test_of_too_many_hits_the_last_are_kept() -> None:
    search = Search(".")
    search.add(0, ["x" * 1000] * 30)
    search.add(30, ["yy"])
    assert len(search.hits) == MOST_HITS
    assert search.hits == sorted(search.hits)
    assert search.hits[-1].line == 30
    assert search.count() == f"-/{MOST_HITS}+"
