"""Tokens: what is one, what uses a parameter, what was meant as one, and where it is."""

from __future__ import annotations

import pytest

from mtui.core.spec.problems import Place
from mtui.core.spec.tokens import WORKSPACE_TOKEN, SourceText, looks_meant, uses_parameter, words


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("$(A)", "A", True),
        ("x$(A.label)y", "A", True),
        ("$(A.anything)", "A", True),
        ("$(A.b.c)", "A", False),
        ("$(AB) $( A ) $A ${A} (A)", "A", False),
        ("$(A.b.label)", "A.b", True),
        ("$(A.b)", "A", True),
        ("$(AxB)", "A.B", False),
        ("$(a-b)", "a-b", True),
        ("$(A+)", "A+", True),
        ("$(AA)", "A+", False),
        ("$$(A)", "A", True),
        ("", "A", False),
    ],
)
def test_use_of_a_parameter(text: str, key: str, expected: bool) -> None:
    assert uses_parameter(text, key) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(a.workspace):$(b.workspace)", ["a", "b"]),
        ("$(a.workspace)/../$(b.workspace)/f", ["a", "b"]),
        ("$(cat<$(a.workspace)/f)", ["a"]),
        ("$(a b.workspace) $(run-2.x.workspace)", ["a b", "run-2.x"]),
        ("$(n_$(A).workspace)", ["n_$(A)"]),
        ("$(a/b.workspace)", ["a/b"]),
        ("$(WORKSPACE) $(.workspace) $(a.workspaces) (a.workspace) $(a\n.workspace)", []),
    ],
)
def test_workspaces_in_a_text(text: str, expected: list[str]) -> None:
    assert WORKSPACE_TOKEN.findall(text) == expected


def test_words_are_tokens_of_one_word() -> None:
    text = "$(A) $(A.label) $(date +%F) $( B ) $((1+2)) $(cat<f) $(run-2.workspace) $(x|y)"
    assert list(words(text)) == ["A", "A.label", "run-2.workspace"]


@pytest.mark.parametrize(
    ("word", "in_shell", "expected"),
    [
        ("date", True, False),
        ("date", False, True),
        ("NOPE", True, True),
        ("size", True, False),
        ("Sizes", True, False),
        ("ITERATIN", True, True),
        ("iteration", True, False),
        ("x.workspace", True, True),
        ("x.label", True, True),
        ("x.txt", True, False),
        ("123", True, False),
        ("simulat.x", True, False),
    ],
)
def test_unknown_words_that_were_meant_as_tokens(word: str, in_shell: bool, expected: bool) -> None:
    assert looks_meant(word, ["SIZE", "ITERATION", "simulate.workspace"], in_shell) is expected


def test_a_word_close_to_a_known_one_was_meant() -> None:
    assert looks_meant("inputfile", ["input_file"], shell_reads_it=True)


def test_places_count_lines_and_columns_from_one() -> None:
    source = SourceText("one\ntwo é $(A)\n\n$(A)")
    assert source.place(0) == Place(1, 1)
    assert source.place(3) == Place(1, 4)
    assert source.place(4) == Place(2, 1)
    assert source.find("$(A)", (0, 20)) == Place(2, 7)
    assert source.find("$(A)", (12, 20)) == Place(4, 1)
    assert source.find("$(B)", (4, 20)) == Place(2, 1)
