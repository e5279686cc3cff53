"""Renders lines of a log as strips, with their colours and with search hits highlighted."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from ...views.ansi import PLAIN, Colour, Ink
from ...views.log_search import Hit, Search
from ...views.log_view import LogView

_MORE = ">"  # at the end of a line that is cut, as in less
_MOST_STRIPS = 400  # several screens of lines
_MOST_STYLES = 4096  # a log may use any number of colours


class LogPaint:
    """Renders the lines of a view for a widget that has the component classes `log--hit`, `log--current`, `log--note`.

    Whole lines are cached as strips: call `forget` when a line, or a hit in it, changes.
    """

    def __init__(self, widget: Widget, view: LogView) -> None:
        self._widget = widget
        self._view = view
        self._styles: dict[Ink, Style] = {}
        self._strips: dict[int, Strip] = {}  # by line number

    def restyle(self) -> None:
        """Drop cached styles and strips, because the style of the widget has changed."""
        self._styles.clear()
        self._strips.clear()

    def forget(self, number: int) -> None:
        self._strips.pop(number, None)

    def keep(self, first: int = 0, end: int = 0) -> None:
        """Drop all cached lines except those from `first` up to, but without, `end`."""
        self._strips = {number: strip for number, strip in self._strips.items() if first <= number < end}

    def row(self, row: int, search: Search | None, *, left: int, width: int, wrapping: bool) -> Strip:
        """Return one row of the view, `width` cells wide; without wrapping it starts at cell `left`."""
        filling = self._widget.rich_style
        if row >= self._view.rows:
            return Strip.blank(width, filling)
        number, part = self._view.line_at(row)
        line = self._line(number, search)
        if wrapping:
            starts = [*self._view.breaks(number), self._view.width_of(number)]
            return line.crop(starts[part], starts[part + 1]).crop_extend(0, width, filling)
        if line.cell_length <= left + width:
            return line.crop_extend(left, left + width, filling)
        more = Strip([Segment(_MORE, self._widget.get_component_rich_style("log--note"))])
        return Strip.join([line.crop_extend(left, left + max(0, width - 1), filling), more])

    def _line(self, number: int, search: Search | None) -> Strip:
        strip = self._strips.get(number)
        if strip is None:
            if len(self._strips) > _MOST_STRIPS:
                self._strips.clear()
            hits = search.in_line(number) if search else []
            strip = self._strips[number] = self._paint(self._view.spans(number), hits, search and search.current)
        return strip

    def _paint(self, spans: list[tuple[str, Ink]], hits: list[Hit], current: Hit | None) -> Strip:
        """Render a whole line with its hits highlighted."""
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
