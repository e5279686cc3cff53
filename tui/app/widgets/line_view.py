"""A scrolling widget of lines that writes only changes to the terminal.

Textual repaints each region that a widget marks dirty. This widget compares the segments of every visible line with
those painted last, and marks only the differences: a change off the screen writes nothing, a changed cell writes its
own characters.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...views.appearance import StatusGroup
from ...views.text import safe

STATE_CLASSES = {f"state--{group.value}" for group in StatusGroup}
_MANY = 150  # dirty regions; with more, repainting everything costs less


def fit(text: str, width: int, *, keep_end: bool = False) -> str:
    """Return safe text of exactly `width` cells; `~` marks a cut, at the start if `keep_end`, else at the end."""
    text = safe(text)
    length = cell_len(text)
    if length <= width or width <= 0:
        return set_cell_size(text, max(0, width))
    if not keep_end:
        return set_cell_size(text, width - 1) + "~"
    tail = text[-width:]  # a character has at least one cell
    while cell_len(tail) > width - 1:
        tail = tail[1:]
    return set_cell_size("~" + tail, width)


class LineView(ScrollView, can_focus=True):
    """The base class of the widgets that show a study. A subclass defines the content of each line."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {*STATE_CLASSES, "line--strong", "line--faint", "line--cursor"}
    DEFAULT_CSS = """
    LineView { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    LineView > .line--strong { text-style: bold; }
    LineView > .line--faint { color: $faint; }
    LineView > .line--cursor { background: $block-cursor-blurred-background; }
    LineView:focus > .line--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold;
    }
    """ + "\n".join(f"LineView > .state--{group.value} {{ color: $state-{group.value}; }}" for group in StatusGroup)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._painted: dict[int, list[Segment]] = {}
        self._styles: dict[str, Style] = {}

    def segments(self, y: int) -> list[Segment]:
        """Return the segments of line `y` of the widget, from its left edge; for subclasses."""
        del y
        return []

    def style_of(self, *names: str) -> Style:
        """Return the combined style of component classes."""
        key = " ".join(names)
        if key not in self._styles:
            style = self.rich_style
            for name in names:
                style += self.get_component_rich_style(name, partial=True)
            self._styles[key] = style
        return self._styles[key]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._painted.clear()

    @property
    def room(self) -> Size:
        """The size that the scroll bars leave for the lines."""
        return self.scrollable_content_region.size

    def render_line(self, y: int) -> Strip:
        segments = self.segments(y)
        self._painted[y] = segments
        base = self.rich_style
        return Strip(segments).apply_style(base).crop_extend(0, self.size.width, base)

    def repaint(self) -> None:
        """Repaint what differs from the screen."""
        if not self.is_attached or not self.size:
            return
        regions: list[Region] = []
        for y in range(self.size.height):
            painted = self._painted.get(y)
            if painted is None:  # its style has changed, or it is not on the screen yet
                regions.append(Region(0, y, self.size.width, 1))
            else:
                regions += _differences(painted, self.segments(y), y)
            if len(regions) > _MANY:
                self.refresh()
                return
        if regions:
            self.refresh(*regions)


def _differences(before: list[Segment], after: list[Segment], y: int) -> list[Region]:
    """Return the differences of two lines, as regions one line high."""
    if before == after:
        return []
    regions: list[Region] = []
    x = 0
    for old, new in zip(before, after, strict=False):
        width = cell_len(new.text)
        if width != cell_len(old.text):
            break
        if old != new:
            regions.append(Region(x, y, width, 1))
        x += width
    else:
        if len(before) == len(after):
            return regions
    rest = max(sum(cell_len(segment.text) for segment in line) for line in (before, after)) - x
    if rest > 0:
        regions.append(Region(x, y, rest, 1))
    return regions
