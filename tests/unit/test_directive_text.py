"""Free text in `#SBATCH` lines, read back by the rules of sbatch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtui.core.directive_text import comment_value, directive_word, shortened

TEXTS = st.text(st.sampled_from("ab\"'\\# \tä\n\r\x1b;$`"), max_size=12) | st.text(max_size=40)


def words_of(line: str) -> list[str] | None:
    """Split a line as sbatch does (get_argument in src/sbatch/opt.c of 22.05); None: an unmatched quotation mark."""
    words: list[str] = []
    word, quote, escaped, begun = "", "", False, False
    for sign in line:
        if escaped:
            word, escaped = word + sign, False
        elif sign == "\\":
            escaped = begun = True
        elif sign in ('"', "'") and quote in ("", sign):
            quote, begun = "" if quote else sign, True
        elif not quote and sign == "#":
            break
        elif not quote and sign.isspace():
            words += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + sign, True
    return None if quote else [*words, *([word] if begun else [])]


@given(TEXTS)
def test_comment_is_one_word_of_bounded_length(text: str) -> None:
    words = words_of(f"--comment {comment_value(text)}")
    assert words is not None
    assert len(words) == 2
    assert len(words[1].encode("utf-8", "surrogateescape")) <= 1024
    assert "\n" not in words[1]


@given(TEXTS)
def test_word_arrives_as_it_is(text: str) -> None:
    assert words_of(f"a {directive_word(text)} b") == (["a", text, "b"] if text else ["a", "b"])


@given(st.text(), st.integers(3, 50))
def test_shortened_text_is_bounded_and_whole_characters(text: str, longest: int) -> None:
    short = shortened(text, longest)
    assert len(short.encode("utf-8", "surrogateescape")) <= longest
    assert short == text or (short.endswith("...") and text.startswith(short[:-3]))
