"""The list of studies that the user started or opened recently: progress, result, and whether a driver is running."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Footer
from textual.worker import get_current_worker

from ....core.engine.status import Status
from ....core.store.recent_studies import StudySummary, list_recent_studies, summarize_study
from ...views.appearance import StatusGroup, by_group
from ...views.estimate import rough_words
from ...views.studies_text import NO_STUDIES
from ...views.text import cell_width
from ..app_base import AppBase
from ..widgets.bars import WordLine
from ..widgets.line_view import LineView, fit
from ..widgets.step_tree import bar

_LOOK_EVERY = 5.0  # seconds
_SHORTEST, _LONGEST = 8, 28  # cells for the names, at least and at most
_BAR, _TALLY, _DRIVER = 20, 15, 12


class StudyList(LineView):
    """One line per study."""

    BINDING_GROUP_TITLE = "Studies"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="studies.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="studies.down"),
        Binding("g,home", "move(-1000)", "First", show=False, id="studies.first"),
        Binding("G,end", "move(1000)", "Last", show=False, id="studies.last"),
        Binding("enter", "open", "Open", id="studies.open"),
    ]

    app: AppBase

    def __init__(self, *, plain: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self.plain = plain
        self.roots: list[Path] = []
        self.glances: dict[Path, StudySummary] = {}
        self._here: Path | None = None
        self.is_read = False
        self._names = _SHORTEST  # cells of the names; the directories get the rest

    def show(self, roots: list[Path], glances: dict[Path, StudySummary]) -> None:
        self.roots, self.glances, self.is_read = roots, glances, True
        if self._here not in roots:
            self._here = roots[0] if roots else None
        longest = max((cell_width(seen.name) for seen in glances.values()), default=0) + 2
        self._names = min(max(longest, _SHORTEST), _LONGEST)
        self.virtual_size = Size(10, len(roots) + 1)
        self.repaint()

    def action_move(self, down: int) -> None:
        if self._here is None:
            return
        place = max(0, min(self.roots.index(self._here) + down, len(self.roots) - 1))
        self._here = self.roots[place]
        if not self.scroll_offset.y <= place < self.scroll_offset.y + self.size.height - 1:
            self.scroll_to(y=max(0, place - self.size.height // 2), animate=False, immediate=True)
        self.repaint()

    def action_open(self) -> None:
        if self._here is not None:
            self.app.open_path(self._here)

    def segments(self, y: int) -> list[Segment]:
        if y == 0:
            heads = (
                (" STUDY", self._names + 1),
                ("", _BAR),
                ("   DONE", _TALLY + 2),
                ("DRIVER", _DRIVER + 1),
                ("CHANGED", 13),
            )
            text = "".join(fit(head, width) for head, width in heads) + "DIRECTORY"
            return [Segment(fit(text, self.size.width), self.style_of("line--strong"))]
        place = y - 1 + self.scroll_offset.y
        if place >= len(self.roots):
            return self._empty(y) if not self.roots else []
        return self._line(self.roots[place])

    def _empty(self, y: int) -> list[Segment]:
        lines = ("", *NO_STUDIES) if self.is_read else ("", "searching ...")
        return [Segment(f"  {lines[y - 1]}", self.style_of("line--faint"))] if y <= len(lines) else []

    def _line(self, root: Path) -> list[Segment]:
        seen = self.glances.get(root)
        name = self.style_of("line--cursor") if root == self._here else self.rich_style
        if seen is None:
            return [Segment(fit(f" {root}", self.size.width), name)]
        faint = self.style_of("line--faint")
        segments = [Segment(fit(f" {seen.name}", self._names) + " ", name)]
        counts = by_group({Status(word): count for word, count in (seen.counts or {}).items()})
        total = sum(counts.values())
        segments += bar(self, counts, _BAR, plain=self.plain) or [Segment(" " * _BAR, faint)]
        tally = "" if seen.counts is None else f"   {counts.get(StatusGroup.DONE, 0):,}/{total:,}"
        segments.append(Segment(fit(tally, _TALLY + 2), faint))
        driven = seen.standing is not None and seen.standing.drives
        words, kind = ("driven", "state--running") if driven else (seen.result, "line--faint")
        if not driven and not seen.result:
            words, kind = "no driver", "state--failed"
        segments.append(Segment(fit(words, _DRIVER) + " ", self.style_of(kind)))
        ago = rough_words(time.time() - seen.last_change) if seen.last_change else ""
        segments.append(Segment(fit(f"{ago} ago" if ago else "", 12) + " ", faint))
        room = max(10, self.size.width - self._names - _BAR - _TALLY - _DRIVER - 19)
        segments.append(Segment(fit(str(root), room, keep_end=True), faint))
        return segments


class StudiesScreen(Screen[None]):
    """Lists the studies. Reads them again every few seconds, on a thread, because a file system may be slow."""

    AUTO_FOCUS = "#studies"
    BINDING_GROUP_TITLE = "Your studies"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape", "app.leave", "Quit", id="studies.quit"),
        Binding("question_mark", "app.help", "Help", key_display="?", id="studies.help"),
    ]

    app: AppBase

    def compose(self) -> ComposeResult:
        yield WordLine(id="title")
        yield StudyList(plain=self.app.plain, id="studies")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#title", WordLine).show_words([(" mtui ", "line--strong"), (" your studies", "line--faint")])
        self.set_interval(_LOOK_EVERY, self._look)
        self._look()

    def on_screen_resume(self) -> None:
        self._look()

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _look(self) -> None:
        roots = list_recent_studies()
        glances = {root: summarize_study(root) for root in roots}
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self.query_one(StudyList).show, roots, glances)
