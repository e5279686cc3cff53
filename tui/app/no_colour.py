"""The app without any colour, for NO_COLOR: what a background marks becomes reverse or underlined.

The theme without colours has greys, which are colours too: on a light terminal they paint it black.
"""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

# Brightness, from 0 to 1, in the theme without colours: see themes.py.
_REVERSED = 0.34  # backgrounds of the cursor, buttons and scroll bars
_UNDERLINED = 0.22  # of marks and of the cursor in a pane without the focus
_DIM = 0.65  # of faint text


class AttributesOnly(LineFilter):
    """Replaces all colours by attributes."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [Segment(text, style and without_colour(style), control) for text, style, control in segments]


@lru_cache(4096)
def without_colour(style: Style) -> Style:
    """Return a style without colours, in which the differences that matter stay visible."""
    behind = _brightness(style, behind=True)
    plain = style.without_color
    if behind >= _REVERSED:
        plain += Style(reverse=not style.reverse)
    elif behind >= _UNDERLINED:
        plain += Style(underline=True)
    elif style.color is not None and _brightness(style, behind=False) < _DIM:
        plain += Style(dim=True)
    return plain


def _brightness(style: Style, *, behind: bool) -> float:
    colour = style.bgcolor if behind else style.color
    if colour is None or colour.is_default:
        return 0.0 if behind else 1.0
    return Color.from_rich_color(colour).brightness
