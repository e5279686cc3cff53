"""The bars of the timeline: a line for each submitted instance, over a common time axis."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message

from ....core.engine.attempt import Attempt
from ....core.engine.state import StudyState
from ....core.engine.status import LIVE
from ...views import timeline as tl
from ...views.appearance import LOOKS
from ...views.estimate import span_words
from ...views.text import cell_width
from .line_view import LineView, fit

_COST_SHARE = 50  # work that took a second is repeated after so many seconds at the earliest
_HEAD_LINES = 2  # the number that ran at the same time, and the axis
_SPAN_WIDTH = 7  # cells of the run time of the last attempt
_NARROWEST_LABEL = 12
_SHORTEST = 10.0  # seconds on the screen, at least


class TimelineChart(LineView):
    """The bars. The cursor stays on its instance when others start."""

    BINDING_GROUP_TITLE = "Timeline"
    HELP = "One line per submitted instance: dotted while it is queued, solid while it runs."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="timeline.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="timeline.down"),
        Binding("pageup,ctrl+b", "page(-2)", "Page up", show=False, id="timeline.page_up"),
        Binding("pagedown,ctrl+f", "page(2)", "Page down", show=False, id="timeline.page_down"),
        Binding("ctrl+u", "page(-1)", "Half a page up", show=False, id="timeline.half_up"),
        Binding("ctrl+d", "page(1)", "Half a page down", show=False, id="timeline.half_down"),
        Binding("g,home", "edge(0)", "First", show=False, id="timeline.first", tooltip="First started"),
        Binding("G,end", "edge(1)", "Last", show=False, id="timeline.last", tooltip="Last started"),
        Binding("plus,equals_sign", "zoom(0.5)", "Closer", key_display="+", id="timeline.closer",
                tooltip="Zoom in around the bar under the cursor"),
        Binding("minus", "zoom(2)", "Wider", key_display="-", id="timeline.wider", tooltip="Zoom out"),
        Binding("left,h", "shift(-1)", "Earlier", show=False, id="timeline.earlier", tooltip="A quarter to the left"),
        Binding("right,l", "shift(1)", "Later", show=False, id="timeline.later", tooltip="A quarter to the right"),
        Binding("0", "whole", "All", id="timeline.whole", tooltip="Show the whole study, and keep it in view"),
        Binding("enter", "choose", "Go to", id="timeline.choose", tooltip="Go to this instance in the grid"),
    ]  # fmt: skip

    COMPONENT_CLASSES: ClassVar[set[str]] = {"timeline--guide"}
    DEFAULT_CSS = """
    TimelineChart { height: 1fr; overflow-x: hidden; scrollbar-gutter: stable; }
    TimelineChart > .timeline--guide { color: $foreground 30%; }
    """

    class BarHighlighted(Message):
        """The cursor moved to another instance, or its instance has changed."""

    class BarSelected(Message):
        """The user selected an instance to go to."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, state: StudyState, now: float, *, plain: bool) -> None:
        super().__init__(id="timeline")
        self.plain = plain
        self.index: int | None = None  # the instance under the cursor
        self.order: list[int] = []
        self.window: tuple[float, float] | None = None  # None: the whole study
        self._state = state
        self._now = now
        self._place = 0  # of the cursor, in the order
        self._label_width = _NARROWEST_LABEL
        self._whole = (now, now + _SHORTEST)
        self._whole_of: tuple[float, bool] = (0.0, False)  # its inputs: the start, and whether anything was running
        self._seen: object = None
        self._not_before = 0.0
        self._axis = tl.axis(now, now + _SHORTEST, 1)
        self._load = tl.Load(state)
        self._at_once: list[int] = []

    # --- the state

    def look(self, state: StudyState, now: float) -> bool:
        """Show the state at `now`; return whether it has changed."""
        self._state, self._now = state, now
        seen = (id(state), state.last_event_at, len(state.attempts), tuple(state.counts.values()))
        changed = seen != self._seen
        begun = time.monotonic()
        if (changed or self._is_live) and begun >= self._not_before:
            if changed:
                self._seen = seen
                self._arrange()
            self._measure()
            self._not_before = begun + _COST_SHARE * (time.monotonic() - begun)
        self.repaint()
        return changed

    @property
    def _is_live(self) -> bool:
        return bool(self._state.live_slurm or self._state.live_local or self._state.live_packed)

    def _arrange(self) -> None:
        count = len(self.order)
        self.order = tl.order(self._state)
        self._load = tl.Load(self._state)
        if self.index is None and self.order:
            self.index = self.order[0]
        if self.index is not None:
            self._place = self.order.index(self.index)
        if len(self.order) != count:
            names = self._state.plan.instances
            longest = max((cell_width(names[index].name) for index in self.order), default=0)
            self._label_width = max(_NARROWEST_LABEL, longest)
            self.virtual_size = Size(self.size.width, len(self.order) + _HEAD_LINES)
            self.refresh()

    def _measure(self) -> None:
        """Compute the axis, and how many instances ran at the same time."""
        start, end = tl.extent(self._state, self.order, self._now)
        if (start, self._is_live) != self._whole_of or end >= self._whole[1]:
            # While something runs, leave room to the right, so that the bars do not shift every second.
            room = 1.08 if self._is_live else 1.02
            self._whole = (start, start + max(_SHORTEST, (end - start) * room))
            self._whole_of = (start, self._is_live)
        start, end = self.window or self._whole
        width = max(1, self.size.width - self._left - _SPAN_WIDTH - 1)
        self._axis = tl.axis(start, end, width, self._whole[0])
        self._at_once = self._load.over(self._axis, self._now)

    # --- keys

    def action_move(self, down: int) -> None:
        self._set(self._place + down)

    def action_page(self, halves: int) -> None:
        self._set(self._place + halves * max(1, self._height // 2))

    def action_edge(self, end: int) -> None:
        self._set(len(self.order) - 1 if end else 0)

    def action_choose(self) -> None:
        if self.index is not None:
            self.post_message(self.BarSelected(self.index))

    def action_whole(self) -> None:
        self._show_window(None)

    def action_zoom(self, factor: float) -> None:
        start, end = self.window or self._whole
        span = max(_SHORTEST, (end - start) * factor)
        if span >= self._whole[1] - self._whole[0]:
            self._show_window(None)
            return
        first, last = self._bar_of_cursor()
        middle = (max(first, start) + min(last, end)) / 2
        if not start <= middle <= end:
            middle = (start + end) / 2
        start = middle - (middle - start) * span / (end - start)
        self._show_window((start, start + span))

    def action_shift(self, quarters: int) -> None:
        if self.window:
            start, end = self.window
            self._show_window((start + quarters * (end - start) / 4, end + quarters * (end - start) / 4))

    def _show_window(self, window: tuple[float, float] | None) -> None:
        """Show this span of time, within the span of the study."""
        if window:
            span = window[1] - window[0]
            start = max(self._whole[0], min(window[0], self._whole[1] - span))
            window = (start, start + span)
        self.window = window
        self._measure()
        self.repaint()
        self.post_message(self.BarHighlighted())

    def _bar_of_cursor(self) -> tuple[float, float]:
        attempts = self._state.attempts[self.index] if self.index is not None else []
        if not attempts:
            return self._whole
        first, last = attempts[0], attempts[-1]
        return first.queued_at or first.started_at or self._now, last.ended_at or self._now

    # --- mouse

    def on_click(self, event: Click) -> None:
        place = event.y - _HEAD_LINES + self.scroll_offset.y
        if event.y >= _HEAD_LINES and place < len(self.order):
            again = place == self._place
            self._set(place)
            if again:
                self.action_choose()

    # --- layout

    def on_resize(self, event: Resize) -> None:
        self.virtual_size = Size(event.size.width, len(self.order) + _HEAD_LINES)
        self._measure()
        self._show_cursor()
        self.refresh()

    @property
    def _height(self) -> int:
        return max(1, self.size.height - _HEAD_LINES)

    @property
    def _left(self) -> int:
        """Cells before the bars: the state's glyph and the name."""
        return 4 + min(self._label_width, max(_NARROWEST_LABEL, self.size.width * 3 // 10))

    def _set(self, place: int) -> None:
        if not self.order:
            return
        self._place = max(0, min(place, len(self.order) - 1))
        self.index = self.order[self._place]
        self._show_cursor()
        first, last = self._bar_of_cursor()
        if self.window and (last < self.window[0] or first > self.window[1]):
            span = self.window[1] - self.window[0]
            self._show_window((first - span / 4, first + span * 3 / 4))
        self.repaint()
        self.post_message(self.BarHighlighted())

    def _show_cursor(self) -> None:
        top = self.scroll_offset.y
        if not top <= self._place < top + self._height:
            self.scroll_to(y=max(0, self._place - self._height // 2), animate=False, immediate=True)

    # --- painting

    def segments(self, y: int) -> list[Segment]:
        left = self._left
        if y == 0:
            top = max(self._at_once, default=0)
            return [
                Segment(fit(" running at once", left), self.style_of("line--faint")),
                Segment(tl.sparkline(self._at_once, plain=self.plain), self.style_of("state--running")),
                Segment(fit(f" max {top:,}" if top else "", _SPAN_WIDTH + 1), self.style_of("line--faint")),
            ]
        if y == 1:
            now = self._now if self._is_live else None
            text = tl.axis_text(self._axis, now, plain=self.plain)
            return [Segment(" " * left), Segment(text, self.style_of("line--faint"))]
        place = y - _HEAD_LINES + self.scroll_offset.y
        if place >= len(self.order):
            if y == _HEAD_LINES and not self.order:
                return [Segment(" no instance submitted yet", self.style_of("line--faint"))]
            return []
        return self._line(self.order[place], here=place == self._place)

    def _line(self, index: int, *, here: bool) -> list[Segment]:
        state, status = self._state, self._state.status[index]
        attempts, look = state.attempts[index], LOOKS[status]
        cursor = ("line--cursor",) if here else ()
        name = fit(state.plan.instances[index].name, self._left - 4, keep_end=True)
        segments = [
            Segment(f" {look.plain if self.plain else look.glyph} ", self._style(look.group.value, *cursor)),
            Segment(f"{name} ", self.style_of(*(cursor or ("line--faint",)))),
        ]
        pieces = tl.bar(self._axis, attempts, status, self._now, plain=self.plain)
        segments += [Segment(text, self._style(kind)) for text, kind in pieces]
        lasted = ran(attempts[-1], self._now) if attempts[-1].ended_at or status in LIVE else ""
        return [*segments, Segment(f" {lasted:>{_SPAN_WIDTH - 1}} ", self.style_of("line--faint"))]

    def _style(self, kind: str, *more: str) -> Style:
        if kind == tl.BLANK:  # a full style: a partial one loses the transparency of a colour
            return self.get_component_rich_style("timeline--guide")
        return self.style_of(f"state--{kind}", *more)


def ran(attempt: Attempt, now: float) -> str:
    """Return how long an attempt ran. While it runs, in minutes, because each change is written to the terminal."""
    if not attempt.started_at:
        return ""
    if attempt.ended_at:
        return span_words(attempt.ended_at - attempt.started_at)
    minutes = int(now - attempt.started_at) // 60
    return span_words(minutes * 60).removesuffix("00s") if minutes else "<1m"
