"""Writes changed regions of the screen, and nothing to the left of them.

Textual crops a changed region at its right end only: what stands between the left edge of the widget and the
region is written again with it. On a wide grid that is most of what a single changed cell costs.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


class NarrowUpdate(ChopsUpdate):
    """The same update, cropped at both ends."""

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
