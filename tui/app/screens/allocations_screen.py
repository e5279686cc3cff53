"""The screen with the allocations in which instances are packed: state, time left and use of each."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer

from ....core.engine.allocation import Allocation
from ....core.engine.cause_text import cause_text
from ....core.plan.shared_allocations import ANY
from ...views.allocation_text import clock, group, hosts, not_begun, open_ones, open_words, title
from ...views.study_session import StudySession
from ...views.text import plural, safe
from ..app_base import AppBase
from ..widgets.allocation_list import AllocationList
from ..widgets.bars import WordLine, Words

_EVERY = 1.0  # seconds: the time left changes every second


class AllocationsScreen(Screen[str | None]):
    """The allocations of a study. Returns the filter that selects the instances of one, or None."""

    BINDING_GROUP_TITLE = "Allocations"
    AUTO_FOCUS = "#allocations"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,a", "close", "Back", id="allocations.back", tooltip="Back to the study"),
        Binding("question_mark", "app.help", "Help", key_display="?", id="allocations.help"),
    ]

    app: AppBase

    def __init__(self, study: StudySession, *, plain: bool) -> None:
        super().__init__()
        self.study = study
        self._plain = plain

    def compose(self) -> ComposeResult:
        yield WordLine(id="title")
        yield AllocationList(self.study, plain=self._plain, id="allocations")
        yield WordLine(id="subject")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.list = self.query_one(AllocationList)
        self.set_interval(_EVERY, self.show_news)
        self.show_news()

    def show_news(self) -> None:
        self.study.apply_events()
        self.list.look(time.time())
        self._say()

    def on_allocation_list_allocation_highlighted(self) -> None:
        self._say()

    def on_allocation_list_allocation_selected(self, event: AllocationList.AllocationSelected) -> None:
        self.dismiss(f"alloc:{event.allocation.job or event.allocation.name}")

    def action_close(self) -> None:
        self.dismiss(None)

    def _say(self) -> None:
        state = self.study.state
        still = open_words(state, self.study.uses())
        left: Words = [(" Allocations ", "line--strong"), (f" open: {still}" if still else "", "line--faint")]
        self.query_one("#title", WordLine).show_words(left)
        chosen = self.list.chosen
        words = _account(chosen, is_open=chosen in open_ones(state)) if chosen else []
        self.query_one("#subject", WordLine).show_words(words)


def _account(allocation: Allocation, *, is_open: bool) -> Words:
    """Describe one allocation: nodes, times, and why it waits or ended."""
    facts = [plural(allocation.nodes, "node") + (f" ({hosts(allocation)})" if allocation.hosts else "")]
    if allocation.pool != ANY and allocation.pool.options:
        facts.append(safe(" ".join(allocation.pool.options)))
    facts.append(f"requested {time.strftime('%H:%M:%S', time.localtime(allocation.asked_at))}")
    if allocation.began_at:
        facts.append(f"started {time.strftime('%H:%M:%S', time.localtime(allocation.began_at))}")
        if allocation.ended_at:
            facts.append(f"ran {clock(allocation.ended_at - allocation.began_at)}")
    words: Words = [(f" {title(allocation)} ", "line--strong")]
    why = not_begun(allocation) if is_open else cause_text(allocation.cause)
    if why:
        words.append((f" {safe(why)}", f"state--{group(allocation).value}"))
    return [*words, ("  " + ", ".join(facts), "line--faint")]
