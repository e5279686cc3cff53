"""The layout of a log's lines: the style that each starts with, its width, and its rows.

Each line is measured once, when it is added; it is rendered when it is shown.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from .ansi import PLAIN, Ink, carry, plain, spans
from .file_tail import FileTail


class LogView:
    """A copy of a tail's lines, by number. Rows count from 0; a wrapped line has several."""

    def __init__(self, measure: Callable[[str], int]) -> None:
        """`measure` returns the width of a text in cells."""
        self.first = 0
        self.lines: list[bytes] = []
        self._measure = measure
        self._wrap = 0  # cells of a row; 0: lines are not wrapped
        self._starts: list[Ink] = []
        self._widths: list[int] = []
        self._uneven: dict[int, str] = {}  # lines with characters that are not one cell wide
        self._heights: list[int] = []  # rows of each line, if lines are wrapped
        self._tops: list[int] = [0]  # the first row of each line, and the row after the last

    @property
    def end(self) -> int:
        return self.first + len(self.lines)

    @property
    def rows(self) -> int:
        return self._tops[-1] if self._wrap else len(self.lines)

    @property
    def width(self) -> int:
        """The cells of the widest row."""
        return min(self._wrap, self._widest) if self._wrap else self._widest

    @property
    def _widest(self) -> int:
        return max(self._widths, default=0)

    def clear(self) -> None:
        self.first = 0
        for values in (self.lines, self._starts, self._widths, self._heights):
            values.clear()
        self._uneven.clear()
        self._tops = [0]

    def take(self, tail: FileTail) -> int:
        """Apply the changes of the tail's last poll; return how many rows were removed at the top."""
        gone = min(tail.first - self.first, len(self.lines))
        rows_gone = self.top_of(self.first + gone)
        kept = min(max(tail.changed, tail.first) - self.first, len(self.lines))
        if kept < len(self.lines):
            ink = self._starts[kept]
        else:
            ink = carry(self.lines[-1], self._starts[-1]) if self.lines and kept > gone else PLAIN
        for values in (self.lines, self._starts, self._widths, self._heights):
            del values[kept:]
            del values[:gone]
        self.first = tail.first
        self._uneven = {number: text for number, text in self._uneven.items() if self.first <= number < self.end}
        for line in tail.lines[len(self.lines) :]:
            self._append(line, ink)
            ink = carry(line, ink)
        if self._wrap:
            self._stack()
        return rows_gone

    def wrap_at(self, width: int) -> None:
        """Set the width of rows in cells; 0 makes each line one row."""
        if width == self._wrap:
            return
        self._wrap = width
        self._heights = [self._height(number) for number in range(self.first, self.end)] if width else []
        self._stack()

    def text(self, number: int) -> str:
        return plain(self.lines[number - self.first])

    def spans(self, number: int) -> list[tuple[str, Ink]]:
        """Return the text of a line in pieces of one style."""
        return spans(self.lines[number - self.first], self._starts[number - self.first])[0]

    def width_of(self, number: int) -> int:
        return self._widths[number - self.first]

    def top_of(self, number: int) -> int:
        """Return the first row of a line."""
        return self._tops[number - self.first] if self._wrap else number - self.first

    def line_at(self, row: int) -> tuple[int, int]:
        """Return the number of the line at a row, and which of its rows that is."""
        if not self._wrap:
            return self.first + row, 0
        index = bisect_right(self._tops, row) - 1
        return self.first + index, row - self._tops[index]

    def breaks(self, number: int) -> list[int]:
        """Return the cells of the line at which its rows start."""
        width = self._widths[number - self.first]
        if not self._wrap:
            return [0]
        text = self._uneven.get(number)
        if text is None:
            return list(range(0, max(width, 1), self._wrap))
        starts = [0]
        at = 0
        for size in map(self._measure, text):
            if at + size - starts[-1] > self._wrap and at > starts[-1]:  # a wide character is not split
                starts.append(at)
            at += size
        return starts

    def _append(self, line: bytes, ink: Ink) -> None:
        number = self.end
        text = plain(line)
        width = self._measure(text)
        if width != len(text):
            self._uneven[number] = text
        self.lines.append(line)
        self._starts.append(ink)
        self._widths.append(width)
        if self._wrap:
            self._heights.append(self._height(number))

    def _height(self, number: int) -> int:
        if number in self._uneven:
            return len(self.breaks(number))
        return -(-self._widths[number - self.first] // self._wrap) or 1

    def _stack(self) -> None:
        self._tops = [0, *accumulate(self._heights)] if self._wrap else [0]
