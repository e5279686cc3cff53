"""The timeline screen: when each instance was queued, ran and ended, and how many ran at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from ....core.engine.attempt import Attempt
from ....core.engine.cause_text import cause_text
from ....core.engine.state import StudyState
from ...views import timeline as tl
from ...views.appearance import LOOKS, StatusGroup
from ...views.estimate import span_words
from ...views.text import plural, safe
from ..widgets.bars import WordLine, Words
from ..widgets.timeline_chart import TimelineChart, ran

_EVERY = 1.0  # seconds between updates


class TimelineScreen(Screen[int | None]):
    """The timeline of a study. Returns the instance to go to, or None."""

    BINDING_GROUP_TITLE = "Timeline"
    AUTO_FOCUS = "#timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,T", "close", "Back", id="timeline.back", tooltip="Back to the study"),
        Binding("question_mark", "app.help", "Help", key_display="?", id="timeline.help"),
    ]
    DEFAULT_CSS = """
    TimelineScreen #timeline-title { background: $panel; }
    """

    def __init__(
        self, get_state: Callable[[], StudyState], clock: Callable[[], float] = time.time, *, plain: bool = False
    ) -> None:
        super().__init__()
        self._get_state = get_state
        self._clock = clock
        self._plain = plain

    def compose(self) -> ComposeResult:
        yield WordLine(id="timeline-title")
        yield TimelineChart(self._get_state(), self._clock(), plain=self._plain)
        yield WordLine(id="timeline-subject")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.timeline = self.query_one(TimelineChart)
        self.set_interval(_EVERY, self._tick)
        self.call_after_refresh(self._tick)

    def _tick(self) -> None:
        self.timeline.look(self._get_state(), self._clock())
        self._say()

    def on_timeline_chart_bar_highlighted(self) -> None:
        self._say()

    def on_timeline_chart_bar_selected(self, event: TimelineChart.BarSelected) -> None:
        self.dismiss(event.index)

    def action_close(self) -> None:
        self.dismiss(None)

    def _say(self) -> None:
        state, timeline = self._get_state(), self.timeline
        begun = f"{len(timeline.order):,} of {plural(len(state.status), 'instance')}"
        left: Words = [(" Timeline ", "line--strong"), (f" {begun} submitted so far", "line--faint")]
        if timeline.window:
            left.append((f"  {span_words(timeline.window[1] - timeline.window[0])} shown, 0: all", "line--strong"))
        self.query_one("#timeline-title", WordLine).show_words(left, self._legend())
        index = timeline.index
        if index is None:
            self.query_one("#timeline-subject", WordLine).show_words([])
            return
        status = state.status[index]
        words: Words = [
            (f" {safe(state.plan.instances[index].name)} ", "line--strong"),
            (f" {status.value}", f"state--{LOOKS[status].group.value}"),
        ]
        facts = [_account(attempt, self._clock()) for attempt in state.attempts[index]]
        self.query_one("#timeline-subject", WordLine).show_words([*words, ("  " + "; ".join(facts), "line--faint")])

    def _legend(self) -> Words:
        if self.size.width < 110:
            return []
        queued, running = tl.glyphs(plain=self._plain)
        kinds = ((queued * 2, StatusGroup.QUEUED), (running * 2, StatusGroup.RUNNING), (running * 2, StatusGroup.DONE),
                 (running * 2, StatusGroup.FAILED))  # fmt: skip
        return [(f"{text} {group.value}  ", f"state--{group.value}") for text, group in kinds]


def _account(attempt: Attempt, now: float) -> str:
    """Describe one attempt: when it was submitted, how long it waited and ran, and why it was returned."""
    words = [f"attempt {attempt.number}"]
    if attempt.submitted_at:
        words[0] += f" submitted {time.strftime('%H:%M:%S', time.localtime(attempt.submitted_at))}"
    if attempt.started_at > attempt.queued_at > 0:
        words.append(f"waited {span_words(attempt.started_at - attempt.queued_at)}")
    if attempt.started_at:
        words.append(f"ran {ran(attempt, now)}" + (f" on {safe(attempt.node)}" if attempt.node else ""))
    if attempt.returned:
        words.append(f"returned: {safe(cause_text(attempt.cause))}")
    return ", ".join(words)
