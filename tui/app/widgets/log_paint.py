"""Lines of a log as strips: the inks of the log in the colours of the app, and the hits of a search upon them."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from ...views.ansi import PLAIN, Colour, Ink
from ...views.log_search import Hit

_MOST_STYLES = 4096  # a log may go through all the colours there are


class LogPaint:
    """Paints in the style of a widget that has the component classes `log--hit` and `log--current`."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._styles: dict[Ink, Style] = {}

    def clear(self) -> None:
        """The widget's style is another one."""
        self._styles.clear()

    def line(self, spans: list[tuple[str, Ink]], hits: list[Hit], current: Hit | None) -> Strip:
        """One line with its hits lit."""
        segments: list[Segment] = []
        at = 0
        for text, ink in spans:
            style = self._style(ink)
            begin, end = at, at + len(text)
            for hit in hits:
                start, until = max(hit.start, at), min(hit.end, end)
                if start >= until:
                    continue
                if start > at:
                    segments.append(Segment(text[at - begin : start - begin], style))
                name = "log--current" if hit == current else "log--hit"
                lit = style + self._widget.get_component_rich_style(name, partial=True)
                segments.append(Segment(text[start - begin : until - begin], lit))
                at = until
            if at < end:
                segments.append(Segment(text[at - begin :], style))
            at = end
        return Strip(segments)

    def _style(self, ink: Ink) -> Style:
        style = self._styles.get(ink)
        if style is None:
            style = self._widget.rich_style
            if ink != PLAIN:
                style += Style(
                    color=_colour(ink.front),
                    bgcolor=_colour(ink.back),
                    bold=ink.bold or None,
                    dim=ink.dim or None,
                    italic=ink.italic or None,
                    underline=ink.underline or None,
                    reverse=ink.reverse or None,
                )
            if len(self._styles) >= _MOST_STYLES:
                self._styles.clear()
            self._styles[ink] = style
        return style


def _colour(colour: Colour | None) -> str | None:
    if colour is None:
        return None
    if isinstance(colour, int):
        return f"color({colour})"
    red, green, blue = colour
    return f"#{red:02x}{green:02x}{blue:02x}"
