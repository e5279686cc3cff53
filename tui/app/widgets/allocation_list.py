"""The list of allocations, one per line: open ones first, and within each group the newest first."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message

from ....core.engine.allocation import Allocation
from ....core.engine.cause_text import cause_text
from ...views.allocation_text import Use, allocation_status_text, group, hosts, left, not_begun, open_ones
from ...views.appearance import GROUP_GLYPHS, StatusGroup
from ...views.study_session import StudySession
from .line_view import LineView, fit
from .step_tree import bar

_JOB, _STATE, _NODES, _LEFT, _BAR, _CORES, _RUN, _WAIT, _DONE = 10, 12, 6, 10, 8, 9, 5, 7, 7  # columns
_NARROW = 100  # columns; with fewer, the line below the list shows the rest


class AllocationList(LineView):
    """The allocations of a study. The cursor stays on its allocation when others are requested."""

    BINDING_GROUP_TITLE = "Allocations"
    HELP = "Instances in a shared allocation run side by side; Slurm sees one job."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="allocations.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="allocations.down"),
        Binding("pageup,ctrl+u", "move(-10)", "Ten up", show=False, id="allocations.page_up"),
        Binding("pagedown,ctrl+d", "move(10)", "Ten down", show=False, id="allocations.page_down"),
        Binding("g,home", "move(-1000000)", "First", show=False, id="allocations.first"),
        Binding("G,end", "move(1000000)", "Last", show=False, id="allocations.last"),
        Binding("enter", "choose", "Instances", id="allocations.choose", tooltip="Show its instances in the grid"),
    ]

    class AllocationHighlighted(Message):
        """The cursor moved to another allocation."""

    class AllocationSelected(Message):
        """The user selected an allocation to see its instances."""

        def __init__(self, allocation: Allocation) -> None:
            super().__init__()
            self.allocation = allocation

    def __init__(self, study: StudySession, *, plain: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self.study = study
        self.plain = plain
        self.rows: list[Allocation] = []
        self._open: set[str] = set()
        self._here = ""  # the name of the allocation under the cursor
        self._now = 0.0

    @property
    def chosen(self) -> Allocation | None:
        return self.study.state.allocations.by_name.get(self._here)

    def look(self, now: float) -> None:
        """Show the state of the allocations at `now`."""
        state = self.study.state
        self._now = now
        self._open = {allocation.name for allocation in open_ones(state)}
        newest = reversed(state.allocations.by_name.values())
        self.rows = sorted(newest, key=lambda allocation: allocation.name not in self._open)
        if self.rows and self._here not in state.allocations.by_name:
            self._here = self.rows[0].name
        self.virtual_size = Size(10, len(self.rows) + 1)
        self.repaint()

    # --- keys and mouse

    @property
    def _place(self) -> int:
        return next((place for place, row in enumerate(self.rows) if row.name == self._here), 0)

    def action_move(self, down: int) -> None:
        self._set(self._place + down)

    def action_choose(self) -> None:
        if self.chosen:
            self.post_message(self.AllocationSelected(self.chosen))

    def on_click(self, event: Click) -> None:
        place = event.y - 1 + self.scroll_offset.y
        if event.y >= 1 and place < len(self.rows):
            again = place == self._place
            self._set(place)
            if again:
                self.action_choose()

    def _set(self, place: int) -> None:
        if not self.rows:
            return
        place = max(0, min(place, len(self.rows) - 1))
        self._here = self.rows[place].name
        height = max(1, self.size.height - 1)
        if not self.scroll_offset.y <= place < self.scroll_offset.y + height:
            self.scroll_to(y=max(0, place - height // 2), animate=False, immediate=True)
        self.repaint()
        self.post_message(self.AllocationHighlighted())

    # --- lines

    def segments(self, y: int) -> list[Segment]:
        if y == 0:
            text = f"   {'JOB':<{_JOB}}{'STATE':<{_STATE}}{'NODES':>{_NODES}}{'TIME LEFT':>{_LEFT}}"
            text += f"{'CORES BUSY':>{_BAR + _CORES + 2}}{'RUN':>{_RUN}}{'WAIT':>{_WAIT}}{'DONE':>{_DONE}}"
            return [Segment(fit(text, self.size.width), self.style_of("line--strong"))]
        place = y - 1 + self.scroll_offset.y
        if place < len(self.rows):
            return self._line(self.rows[place])
        return self._empty(y) if not self.rows else []

    def _empty(self, y: int) -> list[Segment]:
        packs = self.study.study.settings.pack is not None
        lines = (
            ("", "No allocation was requested yet.") if packs else
            ("", "No shared allocations in this study:", "each instance is a separate job or an array task.", "",
             "'mtui: {pack: true}' in a study packs many small instances into one job.")
        )  # fmt: skip
        return [Segment(f"  {lines[y - 1]}", self.style_of("line--faint"))] if y <= len(lines) else []

    def _line(self, allocation: Allocation) -> list[Segment]:
        kind = group(allocation)
        colour = self.style_of(f"state--{kind.value}")
        job = self.style_of("line--cursor") if allocation.name == self._here else self.rich_style
        segments = [
            Segment(f" {GROUP_GLYPHS[kind][1 if self.plain else 0]} ", colour),
            Segment(fit(allocation.job or "-", _JOB - 1) + " ", job),
            Segment(fit(allocation_status_text(allocation), _STATE), colour),
        ]
        if allocation.name in self._open:
            use = self.study.uses().get(allocation.name, Use(0, len(allocation.members), 0))
            segments += self._in_use(allocation, use)
            words = not_begun(allocation) or hosts(allocation)
        else:
            blank = " " * (_LEFT + 2 + _BAR + _CORES + _RUN + _WAIT)
            segments.append(
                Segment(f"{allocation.nodes:>{_NODES},}{blank}{allocation.done:>{_DONE},}", self.rich_style)
            )
            words = cause_text(allocation.cause)
        if self.size.width >= _NARROW:
            segments.append(Segment(fit(f"  {words}", self.size.width), self.style_of("line--faint")))
        return segments

    def _in_use(self, allocation: Allocation, use: Use) -> list[Segment]:
        """Return the columns of an open allocation: its resources, and how much of them is in use."""
        has = f"{allocation.nodes:>{_NODES},}{left(allocation, self._now):>{_LEFT}}  "
        counts = f"{use.running:>{_RUN},}{use.waiting:>{_WAIT},}{allocation.done:>{_DONE},}"
        if not allocation.began_at:
            return [Segment(has + " " * (_BAR + _CORES) + counts, self.rich_style)]
        free = allocation.cores - use.busy
        return [
            Segment(has, self.rich_style),
            *(bar(self, {StatusGroup.RUNNING: use.busy, StatusGroup.WAITING: free}, _BAR, plain=self.plain)
              or [Segment(" " * _BAR, self.rich_style)]),
            Segment(f"{f'{use.busy:,}/{allocation.cores:,}':>{_CORES}}{counts}", self.rich_style),
        ]  # fmt: skip
