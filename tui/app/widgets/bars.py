"""The lines around the panes: progress of the study, counts that act as filters, and lines of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.events import Click
from textual.message import Message

from ...views.appearance import GROUP_GLYPHS, StatusGroup
from ...views.text import safe, shorten_paths
from .line_view import LineView, fit
from .step_tree import bar

Words = list[tuple[str, str]]  # text and the component class of its colour, "" for none


class WordLine(LineView, can_focus=False):
    """One line of text: words on the left, and words on the right as far as they fit."""

    DEFAULT_CSS = "WordLine { height: 1; overflow: hidden; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left: Words = []
        self._right: Words = []

    def show_words(self, left: Words, right: Words | None = None) -> None:
        """Show these words; only differences are written to the terminal."""
        self._left, self._right = left, right or []
        self.repaint()

    @property
    def text(self) -> str:
        return "".join(text for text, _ in (*self._left, *self._right))

    def segments(self, y: int) -> list[Segment]:
        del y  # there is one line
        width = self.size.width
        left = self._segments([(shorten_paths(text, width), name) for text, name in self._left], width)
        room = width - sum(segment.cell_length for segment in left)
        right = self._segments(self._right, room - 1)
        gap = room - sum(segment.cell_length for segment in right)
        return [*left, Segment(" " * gap), *right]

    def _segments(self, words: Words, room: int) -> list[Segment]:
        found: list[Segment] = []
        for text, name in words:
            width = min(cell_len(text), room)
            if width > 0:
                found.append(Segment(fit(text, width), self.style_of(name) if name else self.rich_style))
                room -= width
        return found


@dataclass(frozen=True, slots=True)
class Progress:
    """The content of the first line of a study."""

    name: str
    counts: dict[StatusGroup, int]
    done: int
    total: int
    words: Words


class Head(LineView, can_focus=False):
    """The study's name, a bar of shares, and its progress."""

    DEFAULT_CSS = "Head { height: 1; background: $panel; overflow: hidden; }"

    def __init__(self, *, plain: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self.plain = plain
        self.progress: Progress | None = None

    def show(self, progress: Progress) -> None:
        self.progress = progress
        self.repaint()

    def segments(self, y: int) -> list[Segment]:
        del y  # there is one line
        progress = self.progress
        if progress is None:
            return []
        width = self.size.width
        done = f"  {progress.done:,}/{progress.total:,} "
        share = f"{_percent(progress.done, progress.total)} "
        words = [(text, name) for text, name in progress.words if text]
        room = width - len(done) - len(share)
        name = safe(progress.name)
        name_width = min(cell_len(name) + 2, max(12, width // 3))
        counted = sum(cell_len(text) + 3 for text, _ in words)
        bar_width = max(8, min(60, room - name_width - counted))
        segments = [Segment(fit(f" {name} ", name_width), self.style_of("line--strong"))]
        segments += bar(self, progress.counts, bar_width, plain=self.plain)
        segments += [Segment(done, self.style_of("line--strong")), Segment(share, self.rich_style)]
        room -= name_width + bar_width
        for text, name in words:
            if room >= 10:
                segments.append(Segment(fit(f"  {text}", min(room, cell_len(text) + 2)), self.style_of(name)))
                room -= cell_len(text) + 2
        return segments


def _percent(part: int, whole: int) -> str:
    """Return a percentage, rounded down: 100 % only if all are done."""
    return f"{part * 100 // whole} %" if whole else ""


_SHORT = {
    StatusGroup.RUNNING: "run",
    StatusGroup.QUEUED: "queue",
    StatusGroup.WAITING: "wait",
    StatusGroup.DONE: "done",
    StatusGroup.FAILED: "fail",
    StatusGroup.CANCELLED: "cancel",
    StatusGroup.BLOCKED: "block",
}


class Counts(LineView, can_focus=False):
    """The number of instances in each group. A click on a group shows only its instances."""

    DEFAULT_CSS = "Counts { height: 1; background: $panel; overflow: hidden; }"
    COMPONENT_CLASSES: ClassVar[set[str]] = {"counts--chosen"}

    class Clicked(Message):
        """The user selected a group, None for all."""

        def __init__(self, group: StatusGroup | None) -> None:
            super().__init__()
            self.group = group

    def __init__(self, *, plain: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self.plain = plain
        self._counts: dict[StatusGroup, int] = {}
        self._total = 0
        self._chosen: str = ""
        self._right: Words = []

    def show(self, counts: dict[StatusGroup, int], total: int, chosen: str, right: Words) -> None:
        """Show the counts; `chosen` is the name of the group that the filter selects, `right` is other text."""
        self._counts, self._total, self._chosen, self._right = counts, total, chosen, right
        self.repaint()

    def _parts(self) -> list[tuple[StatusGroup | None, str]]:
        for words in ({group: group.value for group in StatusGroup}, _SHORT, dict.fromkeys(StatusGroup, "")):
            parts: list[tuple[StatusGroup | None, str]] = [(None, f" all {self._total:,} ")]
            for group, count in self._counts.items():
                glyph = GROUP_GLYPHS[group][1 if self.plain else 0]
                parts.append((group, f" {glyph} {words[group]} {count:,} ".replace("  ", " ")))
            if sum(cell_len(text) for _, text in parts) <= self.size.width:
                return parts
        return parts

    def segments(self, y: int) -> list[Segment]:
        del y  # there is one line
        segments: list[Segment] = []
        room = self.size.width
        for group, text in self._parts():
            names = [f"state--{group.value}"] if group else []
            if group and group.value == self._chosen:
                names = ["line--cursor"]
            width = min(cell_len(text), room)
            segments.append(Segment(fit(text, width), self.style_of(*names)))
            room -= width
        for text, name in reversed(self._right):
            width = min(cell_len(text) + 2, room)
            if width > 6:
                segments.append(Segment(fit(f"  {text}", width), self.style_of(name) if name else self.rich_style))
                room -= width
        return segments

    def on_click(self, event: Click) -> None:
        x = event.x
        for group, text in self._parts():
            if x < cell_len(text):
                self.post_message(self.Clicked(group))
                return
            x -= cell_len(text)
