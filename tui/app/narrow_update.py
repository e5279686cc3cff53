"""Writes only the changed regions of the screen.

Textual crops a changed region only at its right end: it writes the line again from the left edge of the widget. On a
wide grid that is most of the output for a changed cell.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


class NarrowUpdate(ChopsUpdate):
    """A ChopsUpdate that is cropped at both ends."""

    def render_segments(self, console: Console) -> str:
        written: list[str] = []
        for y, left, right in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= right or end <= left:
                    continue
                first, last = max(x, left), min(end, right)
                if (first, last) != (x, end):
                    strip = strip.crop(first - x, last - x)
                written += [Control.move_to(first, y).segment.text, strip.render(console)]
        return "".join(written)
