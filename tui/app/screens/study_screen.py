"""The study screen: steps, status grid and log side by side, or one at a time on a narrow terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widgets import Footer, Input

from ....core.engine.status import UNSUCCESSFUL
from ....core.errors import MtuiError, Refusal
from ...views.study_session import StudySession
from ..app_base import AppBase
from ..clipboard import copy_menu
from ..external_programs import edit_script, open_pager, open_shell
from ..widgets.bars import Counts, Head, WordLine
from ..widgets.filter_line import FilterLine
from ..widgets.grid import StatusGrid
from ..widgets.log_pane import LogPane
from ..widgets.step_tree import StepTree
from .command_dialogs import ask_and_send
from .grid_filter import GridFilter
from .instance_log import InstanceLog
from .study_keys import KEYS
from .study_lines import StudyLines

_PAGES = ("steps", "grid", "log")
_NEEDS_STATES = {
    *("act", "retry_all", "filter", "cycle", "next_hit", "sort"),
    *("timeline", "allocations", "copy", "shell", "pager"),
}
_SETTLED = 0.15  # seconds that the cursor must rest before a log is opened, so that holding a key down opens none
_TICK = 1.0  # seconds between updates of the lines that change with time


class StudyScreen(Screen[None]):
    """Shows one study. Reads the state from a `StudySession`, and sends commands through it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    BINDING_GROUP_TITLE = "Study"
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = KEYS

    app: AppBase

    def __init__(self, study: StudySession, *, plain: bool) -> None:
        super().__init__()
        self.study = study
        self._plain = plain
        self._page = "grid"
        self._paused = False
        self._subject_timer = None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable actions that need the states of instances until the journal is read."""
        if not self.study.is_read and action in _NEEDS_STATES:
            return None
        return super().check_action(action, parameters)

    # --- layout

    def compose(self) -> ComposeResult:
        study = self.study
        yield Head(plain=self._plain, id="head")
        yield WordLine(id="who")
        yield WordLine(id="tabs")
        with Horizontal(id="body"):
            yield StepTree(study.view, study.state, plain=self._plain, id="steps")
            with Vertical(id="right"):
                yield StatusGrid(study.view, study.state, plain=self._plain, id="grid")
                yield WordLine(id="subject")
                yield LogPane(id="log")
        yield FilterLine(study.plan, id="filter")
        yield Counts(plain=self._plain, id="counts")
        yield WordLine(id="notice")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.tabs = self.query_one("#tabs", WordLine)
        self.steps = self.query_one(StepTree)
        self.grid = self.query_one(StatusGrid)
        self.subject = self.query_one("#subject", WordLine)
        self.log_pane = self.query_one(LogPane)
        self.notice = self.query_one("#notice", WordLine)
        self.input = self.query_one(FilterLine)
        self._log = InstanceLog(self.study, self.log_pane)
        self._filter = GridFilter(self.study, self.grid, self.notice)
        head, who = self.query_one("#head", Head), self.query_one("#who", WordLine)
        self._lines = StudyLines(self.study, head, who, self.query_one(Counts), self.notice)
        self.steps.border_title = "Steps"
        self.grid.border_title = "Instances"
        self.action_page("grid")
        self.set_interval(_TICK, self._tick)
        self.show_news()

    # --- updates

    def show_news(self) -> None:
        """Apply new events, and repaint what changed."""
        if self._paused:
            return
        was_read = self.study.is_read
        self.study.apply_events()
        state = self.study.state
        if self.study.is_read != was_read:
            self.refresh_bindings()
        self.steps.state = self.grid.state = state
        self.steps.is_read = self.grid.is_read = self.study.is_read
        self._filter.reapply()
        self.steps.repaint()
        self.grid.repaint()
        self._show_log()
        self._tick()

    def on_screen_resume(self) -> None:
        self.show_news()

    def _tick(self) -> None:
        """Update the lines around the panes."""
        self.study.start_missing()
        self._lines.show(self._filter.group, selecting=self.grid.selecting, paused=self._paused)
        self._filter.reapply()
        if self.app.notice and not self.study.sent:
            self.notice.show_words([(f" {self.app.notice}", "state--queued")])
            self.app.notice = ""
        self._lines.show_command()
        self._show_tabs()
        self._say_subject()

    # --- the instance under the cursor

    def _say_subject(self) -> None:
        """Show the instance under the cursor; on the right, which of its files the log pane shows."""
        index = self.grid.index
        if index is None:
            words = []
        elif self.study.is_read:
            words = [(f" {self._log.source(index)}:", "line--faint"), *self.study.subject(index, time.time())]
        else:
            words = [(f" {self.study.plan.instances[index].name}", "line--strong")]
        self.subject.show_words(words, [(f"{self._log.words} ", "line--faint")])

    def _show_log(self) -> None:
        self._log.show(self.grid.index)
        self._say_subject()

    @on(StatusGrid.CellHighlighted)
    def _cursor_moved(self) -> None:
        self.steps.go_to(self.grid.column)
        self._say_subject()
        if self._subject_timer is not None:
            self._subject_timer.stop()
        self._subject_timer = self.set_timer(_SETTLED, self._show_log)

    @on(StatusGrid.MarksChanged)
    def _marks_changed(self) -> None:
        self._tick()

    @on(StatusGrid.CellSelected)
    def _chosen(self, event: StatusGrid.CellSelected) -> None:
        if self.study.is_read:
            self.app.show_instance(event.index)

    @on(StepTree.StepHighlighted)
    def _step_moved(self, event: StepTree.StepHighlighted) -> None:
        self.grid.go_to_column(event.column)

    @on(StepTree.StepSelected)
    def _step_chosen(self, event: StepTree.StepSelected) -> None:
        self.grid.go_to_column(event.column)
        self.action_page("grid")

    def go_to(self, index: int) -> None:
        """Move the cursor to an instance; clear the filter if it hides that."""
        if not self.grid.go_to(index):
            self._set_filter("")
            self.grid.go_to(index)
        self.action_page("grid")

    # --- panes and pages

    def action_next_page(self, step: int) -> None:
        self.action_page(_PAGES[(_PAGES.index(self._page) + step) % len(_PAGES)])

    def action_page(self, page: str) -> None:
        self._page = page
        for name in _PAGES:
            self.set_class(name == page, f"-page-{name}")
        self.query_one(f"#{page}").focus()
        self._show_tabs()

    def _show_tabs(self) -> None:
        """Show the tabs, which replace the panes' borders on a narrow terminal, and the log pane's subtitle."""
        tabs = [
            (f" {number} {name.capitalize()} ", "line--cursor" if name == self._page else "line--faint")
            for number, name in enumerate(_PAGES, 1)
        ]
        state = str(self.log_pane.border_subtitle or "") if self._page == "log" else ""
        self.tabs.show_words(tabs, [(f"{state} ", "line--faint")])

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if event.widget.id in _PAGES and event.widget.id != self._page:
            self.action_page(event.widget.id)

    def action_zoom(self) -> None:
        self.toggle_class("-zoom")

    # --- filter and sort

    def action_filter(self) -> None:
        if self._page == "log":
            self.input.ask_for_search()
        else:
            self.input.ask_for_filter(self._filter.proposal)

    @on(LogPane.SearchRequested)
    def _search_requested(self) -> None:
        self.action_filter()

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self.input.searching:
            self._close_input()
            self.log_pane.search(event.value)
        elif self._set_filter(event.value):
            self._close_input()

    def _close_input(self) -> None:
        self.input.close()
        self.query_one(f"#{self._page}").focus()

    def _set_filter(self, text: str) -> bool:
        if not self._filter.set(text):
            return False
        self._tick()
        return True

    def show_only(self, text: str) -> None:
        """Filter the grid and show it."""
        self._set_filter(text)
        self.action_page("grid")

    def action_cycle(self) -> None:
        self._filter.cycle()
        self._tick()

    @on(Counts.Clicked)
    def _count_clicked(self, event: Counts.Clicked) -> None:
        self._set_filter(f"state:{event.group.value}" if event.group else "")

    def action_next_hit(self, step: int) -> None:
        self._filter.go_to_hit(step)

    @work
    async def action_sort(self) -> None:
        sorts = self.study.view.sorts()
        chosen = await self.app.pick("Sort the rows by", [(sort.key, sort.words) for sort in sorts])
        if chosen is not None:
            self._filter.sort_by(chosen)
            self._tick()

    def action_back(self) -> None:
        if self.input.is_open:
            self._close_input()
        elif self.grid.selecting:
            self.grid.action_range_off()
        elif self.has_class("-zoom"):
            self.remove_class("-zoom")
        elif self.study.view.hits is not None:
            self._set_filter("")
        self._tick()

    # --- commands

    def chosen(self) -> set[int]:
        """Return the targets of a command: the marked instances, else the step or instance under the cursor."""
        if self.study.view.marks:
            return set(self.study.view.marks)
        if self._page == "steps" and self.steps.step is not None:
            return set(self.steps.step.instances)
        return set() if self.grid.index is None else {self.grid.index}

    @work
    async def action_act(self, verb: str) -> None:
        await self._act(verb, self.chosen())

    @work
    async def action_retry_all(self) -> None:
        state = self.study.state
        failed = {index for index, status in enumerate(state.status) if status in UNSUCCESSFUL}
        await self._act("retry", failed)

    async def _act(self, verb: str, indices: Iterable[int]) -> None:
        try:
            sent = await ask_and_send(self.app, self.study, verb, indices)
        except MtuiError as error:
            self.notice.show_words([(f" {error}", "state--failed")])
            return
        if isinstance(sent, Refusal):
            self.notice.show_words([(f" {sent.message}", "state--queued")])
        elif sent:
            self.study.view.marks -= set(sent.indices)
            self.grid.repaint()
            self._tick()

    # --- further screens and programs

    def action_source(self) -> None:
        self._log.choose_next(self.grid.index)
        self._say_subject()

    def action_timeline(self) -> None:
        self.app.show_timeline()

    def action_allocations(self) -> None:
        self.app.show_allocations()

    def action_commands(self) -> None:
        self.app.show_commands()

    def action_pause(self) -> None:
        self._paused = not self._paused
        self._tick()
        self.show_news()

    def action_refresh_now(self) -> None:
        self.study.feed.wake()
        self.refresh()

    def action_pager(self) -> None:
        open_pager(self.app, self._log.path(self.grid.index))

    def action_editor(self) -> None:
        if self.grid.index is not None:
            edit_script(self.app, self.study, self.grid.index)

    @work
    async def action_shell(self) -> None:
        if self.grid.index is not None:
            await open_shell(self.app, self.study, self.grid.index)

    @work
    async def action_copy(self) -> None:
        await copy_menu(self.app, self.study, self.grid.index, self.log_pane.plain_lines(100))
