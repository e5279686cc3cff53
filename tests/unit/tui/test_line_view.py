"""Lines that paint only what differs: how texts are made to fit, and what counts as a difference."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region

from mtui.tui.app.widgets.line_view import _differences, fit

WIDE = "日本語"  # three characters, six cells
RED = Style(color="red")


# --- fit


@given(st.text(), st.integers(0, 30), st.booleans())
def test_a_text_has_the_requested_width_and_is_harmless(text: str, width: int, keep_end: bool) -> None:
    fitted = fit(text, width, keep_end=keep_end)
    assert cell_len(fitted) == width
    assert not set(fitted) & set("\x1b\x07\n\t\r\x9b\u202e")


def test_a_short_text_is_padded_and_a_long_one_cut_with_a_sign() -> None:
    assert fit("abc", 5) == "abc  "
    assert fit("abc", 3) == "abc"
    assert fit("abcdef", 4) == "abc~"
    assert fit("abcdef", 4, keep_end=True) == "~def"
    assert (fit("abc", 1), fit("abc", 0), fit("abc", -3)) == ("~", "", "")


def test_wide_characters_are_never_cut_in_two() -> None:
    assert fit(WIDE, 6) == WIDE
    assert fit(WIDE, 5) == "日本~"
    assert fit(WIDE, 4) == "日 ~"
    assert fit(WIDE, 5, keep_end=True) == "~本語"
    assert fit(WIDE, 4, keep_end=True) == "~語 "
    assert fit(WIDE, 8) == WIDE + "  "


# --- differences


def _lines(*texts: str) -> list[Segment]:
    return [Segment(text) for text in texts]


def _painted(regions: list[Region]) -> set[int]:
    """The cells that are painted again."""
    return {x for region in regions for x in range(region.x, region.right)}


def test_equal_lines_do_not_differ() -> None:
    assert _differences(_lines("ab", "cd"), _lines("ab", "cd"), 3) == []


def test_a_segment_of_the_same_width_is_a_separate_difference() -> None:
    found = _differences(_lines("ab", "cd", "ef"), _lines("ab", "xx", "ef"), 3)
    assert _painted(found) >= {2, 3}
    assert all((region.y, region.height) == (3, 1) for region in found)
    assert 4 not in _painted(found)


def test_a_style_is_a_difference() -> None:
    assert _painted(_differences([Segment("ab"), Segment("c")], [Segment("ab"), Segment("c", RED)], 0)) >= {2}


def test_from_a_segment_of_another_width_on_everything_differs() -> None:
    assert _painted(_differences(_lines("ab", "cd", "ef"), _lines("ab", "c", "ef"), 0)) >= {2, 3, 4, 5}
    assert _painted(_differences(_lines("ab", "cd"), _lines("ab", "cd", "ef"), 0)) >= {4, 5}
    assert _painted(_differences(_lines("ab", "cd"), _lines("ab"), 0)) >= {2, 3}


def test_differences_count_cells_and_not_characters() -> None:
    found = _differences(_lines(WIDE, "ab"), _lines(WIDE, "cd"), 0)
    assert _painted(found) >= {6, 7}
    assert max(_painted(found)) == 7


_SEGMENTS = st.lists(
    st.builds(Segment, st.text("ab日 ", min_size=0, max_size=4), st.sampled_from([None, RED])), max_size=6
)


def _cells(line: list[Segment]) -> list[tuple[str, Style | None]]:
    """The content of each cell; the second cell of a wide character holds nothing."""
    return [
        (piece, segment.style)
        for segment in line
        for character in segment.text
        for piece in (character, *[""] * (cell_len(character) - 1))
    ]


@given(_SEGMENTS, _SEGMENTS)
def test_every_cell_that_changed_is_painted(before: list[Segment], after: list[Segment]) -> None:
    painted = _painted(_differences(before, after, 0))
    old, new = _cells(before), _cells(after)
    width = max(len(old), len(new))
    old += [("", None)] * (width - len(old))
    new += [("", None)] * (width - len(new))
    assert {x for x in range(width) if old[x] != new[x]} <= painted
    assert all(0 <= x < width for x in painted)
