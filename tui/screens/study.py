"""The study screen: steps, status grid and log beside each other, or one at a time where there is little room."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widgets import Footer, Input

from ...core.errors import MtuiError, Refusal
from ...core.plan.model import Instance
from ...core.study.status import UNSUCCESSFUL, Status
from ..copying import copy_menu
from ..lending import edit_script, open_shell, page
from ..model.acting import order_for
from ..model.appearance import Group, by_group
from ..model.filters import FilterError
from ..model.log_source import DRIVER_LOG, SOURCES, missing_words, source_path, usual_source
from ..open_study import OpenStudy, Sent
from ..widgets.bars import Counts, Head, Progress, WordLine
from ..widgets.filter_line import FilterLine
from ..widgets.grid import StatusGrid
from ..widgets.log_pane import LogPane
from ..widgets.step_tree import StepTree
from .questions import ask_for
from .study_keys import KEYS

if TYPE_CHECKING:
    from ..app import MtuiApp

_PAGES = ("steps", "grid", "log")
_CYCLE = ("", "state:failed", "state:running", "state:queued", "state:waiting")
_NEEDS_STATES = (
    "act",
    "retry_all",
    "filter",
    "cycle",
    "next_hit",
    "sort",
    "timeline",
    "allocations",
    "copy",
    "shell",
    "pager",
)
_SETTLED = 0.15  # seconds that the cursor has to rest before a log is opened: holding a key down opens none
_TICK = 1.0  # seconds between two looks whether a line has to say something else by now
_REARRANGE = 1.0  # seconds between two times that a filter is asked anew of a study that changes


class StudyScreen(Screen[None]):
    """One study. Reads what `OpenStudy` has, and asks for changes through it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    BINDING_GROUP_TITLE = "Study"
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = KEYS

    app: MtuiApp

    def __init__(self, study: OpenStudy, *, plain: bool) -> None:
        super().__init__()
        self.study = study
        self._plain = plain
        self._page = "grid"
        self._source = ""  # which of SOURCES the log pane shows; empty: what is usual
        self._paused = False
        self._last_filter = ""
        self._arranged_at = 0.0
        self._subject_timer = None
        self._told: Sent | None = None
        self._log_words = ""
        self._tab_words: list[tuple[str, str]] = []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs the states of instances waits until the journal is read."""
        if not self.study.is_read and action in _NEEDS_STATES:
            return None
        return super().check_action(action, parameters)

    # --- what is on it

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
        self.head = self.query_one("#head", Head)
        self.who = self.query_one("#who", WordLine)
        self.tabs = self.query_one("#tabs", WordLine)
        self.steps = self.query_one(StepTree)
        self.grid = self.query_one(StatusGrid)
        self.subject = self.query_one("#subject", WordLine)
        self.log_pane = self.query_one(LogPane)
        self.counts = self.query_one(Counts)
        self.notice = self.query_one("#notice", WordLine)
        self.input = self.query_one(FilterLine)
        self.steps.border_title = "Steps"
        self.grid.border_title = "Instances"
        self._show_page("grid")
        self.set_interval(_TICK, self._tick)
        self.show_news()

    # --- news

    def show_news(self) -> None:
        """Something may have changed: take it in and paint what differs."""
        if self._paused:
            return
        was_read = self.study.is_read
        self.study.take()
        state = self.study.state
        if self.study.is_read != was_read:
            self.refresh_bindings()
        self.steps.state = self.grid.state = state
        self.steps.is_read = self.grid.is_read = self.study.is_read
        self._rearrange()
        self.steps.repaint()
        self.grid.repaint()
        self._tell_subject()
        self._tick()

    def on_screen_resume(self) -> None:
        self.show_news()

    def _rearrange(self) -> None:
        """Ask the filter anew, not too often."""
        now = time.monotonic()
        if self.study.view.depends_on_state and now - self._arranged_at >= _REARRANGE:
            self._arranged_at = now
            if self.study.view.arrange(self.study.state):
                self.grid.arranged()

    def _tick(self) -> None:
        """The lines around the panes: they may change with time alone."""
        study, now = self.study, time.time()
        state = study.state
        counts = by_group(state.counts) if study.is_read else {}
        total = len(study.plan.instances)
        words = study.progress_words(now)
        self.head.show(Progress(study.plan.name, counts, state.counts[Status.FINISHED], total, words))
        who = [(f"{' ' if place == 0 else ', '}{text}", name) for place, (text, name) in enumerate(study.who())]
        self.who.say(who, [(f"{study.directory.root} ", "line--faint")])
        self.counts.show(counts, total, self._chosen_group(), self._selection_words())
        self._rearrange()
        self._tell_notice()
        self._tell_tabs()
        self._say_subject()

    def _chosen_group(self) -> str:
        text = self.study.view.filter.text
        return text.partition(":")[2] if text.startswith("state:") else ""

    def _selection_words(self) -> list[tuple[str, str]]:
        view = self.study.view
        words: list[tuple[str, str]] = []
        if self._paused:
            words.append(("display paused (p)", "state--queued"))
        if view.marks:
            words.append((f"{len(view.marks):,} marked", "line--strong"))
        if self.grid.selecting:
            words.append(("range: go to its other end, then V", "line--strong"))
        if view.hits is not None:
            words.append((f"/{view.filter.text}  {len(view.hits):,} shown", "line--strong"))
        if view.sort.key:
            words.append((f"sorted by {view.sort.words}", "line--faint"))
        return words

    def _tell_notice(self) -> None:
        if self.app.notice and not self.study.sent:
            self.notice.say([(f" {self.app.notice}", "state--queued")])
            self.app.notice = ""
        if self.study.sent and self.study.sent[-1] is not self._told:
            sent = self.study.sent[-1]
            words, kind = self.study.way(sent)
            clock = time.strftime("%H:%M:%S", time.localtime(sent.at))
            self.notice.say([(f" {clock} {sent.words}: ", "line--faint"), (words, kind)])
            command = self.study.state.commands.get(sent.command)
            if command and command.outcome:
                self._told = sent  # its last word is said: other notices may take its place

    # --- the instance under the cursor

    def _tell_subject(self) -> None:
        self._say_subject()
        self._show_log()

    def _say_subject(self) -> None:
        """The instance under the cursor; on the right, which of its files is shown below."""
        index = self.grid.index
        if index is None:
            words = []
        elif self.study.is_read:
            words = [(f" {self._shown_source()}:", "line--faint"), *self.study.subject(index, time.time())]
        else:
            words = [(f" {self.study.plan.instances[index].name}", "line--strong")]
        self.subject.say(words, [(f"{self._log_words} ", "line--faint")])

    def log_path(self) -> Path | None:
        """The file that the log pane shows."""
        return source_path(self.study.directory, self.study.plan, self._instance, self._shown_source())

    def _shown_source(self) -> str:
        """What was chosen, or else what is usual."""
        if self._source or self._instance is None or not self.study.is_read:
            return self._source or "stdout"
        return usual_source(self.study.directory, self._instance, self.study.state.status[self._instance.index])

    @property
    def _instance(self) -> Instance | None:
        return None if self.grid.index is None else self.study.plan.instances[self.grid.index]

    def _show_log(self) -> None:
        path = self.log_path()
        source = self._shown_source()
        name = "" if source == DRIVER_LOG or path is None else path.name
        self._log_words = f"{source} {name}".strip()
        self.log_pane.show(path, "Output", self._no_log_words())
        self._say_subject()

    def _no_log_words(self) -> str:
        if self.grid.index is None:
            return "no instance is chosen"
        if not self.study.is_read:
            return ""
        return missing_words(self._shown_source(), self.study.state.status[self.grid.index])

    @on(StatusGrid.Moved)
    def _cursor_moved(self) -> None:
        self.steps.go_to(self.grid.column)
        self._say_subject()
        if self._subject_timer is not None:
            self._subject_timer.stop()
        self._subject_timer = self.set_timer(_SETTLED, self._show_log)

    @on(StatusGrid.Marked)
    def _marks_changed(self) -> None:
        self._tick()

    @on(StatusGrid.Chosen)
    def _chosen(self, event: StatusGrid.Chosen) -> None:
        if self.study.is_read:
            self.app.show_instance(event.index)

    @on(StepTree.Moved)
    def _step_moved(self, event: StepTree.Moved) -> None:
        self.grid.go_to_column(event.column)

    @on(StepTree.Chosen)
    def _step_chosen(self, event: StepTree.Chosen) -> None:
        self.grid.go_to_column(event.column)
        self.action_page("grid")

    def go_to(self, index: int) -> None:
        """Put the cursor on an instance, whatever the filter."""
        if not self.grid.go_to(index):
            self._set_filter("")
            self.grid.go_to(index)
        self.action_page("grid")

    # --- panes and pages

    def action_page(self, page: str) -> None:
        self._show_page(page)

    def action_next_page(self, step: int) -> None:
        self._show_page(_PAGES[(_PAGES.index(self._page) + step) % len(_PAGES)])

    def _show_page(self, page: str) -> None:
        self._page = page
        for name in _PAGES:
            self.set_class(name == page, f"-page-{name}")
        pane = self.query_one(f"#{page}")
        pane.focus()
        words: list[tuple[str, str]] = []
        for number, name in enumerate(_PAGES, 1):
            words.append((f" {number} {name.capitalize()} ", "line--cursor" if name == page else "line--faint"))
        self._tab_words = words
        self._tell_tabs()

    def _tell_tabs(self) -> None:
        """Where panes have no border, what the log pane says of itself stands beside the tabs."""
        told = str(self.log_pane.border_subtitle or "") if self._page == "log" else ""
        self.tabs.say(self._tab_words, [(f"{told} ", "line--faint")])

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if event.widget.id in _PAGES and event.widget.id != self._page:
            self._show_page(event.widget.id)

    def action_zoom(self) -> None:
        self.toggle_class("-zoom")

    # --- filter and sort

    def action_filter(self) -> None:
        if self._page == "log":
            self.input.ask_for_search()
        else:
            self.input.ask_for_filter(self.study.view.filter.text or self._last_filter)

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
        try:
            self.study.view.set_filter(text, self.study.state)
        except FilterError as error:
            self.notice.say([(f" {error.message}  ", "state--failed"), (error.hint, "line--faint")])
            return False
        self.notice.say([])  # what was said of an earlier one
        if text:
            self._last_filter = text
        self.grid.arranged()
        hits = self.study.view.hits
        if hits and self.grid.index not in hits:  # what was looked for, not what happened to be under the cursor
            self.action_next_hit(1)
        self._tick()
        return True

    def show_only(self, text: str) -> None:
        """Show what a filter lets through, in the grid."""
        self._set_filter(text)
        self.action_page("grid")

    def action_cycle(self) -> None:
        text = self.study.view.filter.text
        place = _CYCLE.index(text) if text in _CYCLE else 0
        for step in range(1, len(_CYCLE) + 1):  # a state that nothing is in is passed over
            choice = _CYCLE[(place + step) % len(_CYCLE)]
            if not choice or by_group(self.study.state.counts).get(Group(choice.partition(":")[2])):
                self._set_filter(choice)
                return

    @on(Counts.Clicked)
    def _count_clicked(self, event: Counts.Clicked) -> None:
        self._set_filter(f"state:{event.group.value}" if event.group else "")

    def action_next_hit(self, step: int) -> None:
        """To the next instance that the filter shows; without a filter, to the next that failed."""
        found = self.study.view.next_hit(self.grid.index, step, self.study.state)
        if found is None:
            nothing = "nothing has failed" if self.study.view.hits is None else "the filter shows nothing"
            self.notice.say([(f" {nothing}", "state--done")])
        else:
            self.grid.go_to(found)

    @work
    async def action_sort(self) -> None:
        sorts = self.study.view.sorts()
        chosen = await self.app.pick("Sort the rows by", [(sort.key, sort.words) for sort in sorts])
        if chosen is None:
            return
        before = self.study.view.sort
        sort = next(sort for sort in sorts if sort.key == chosen)
        again = before.key == chosen and bool(chosen)
        self.study.view.set_sort(replace(sort, descending=again and not before.descending), self.study.state)
        self.grid.arranged()
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
        """Whom a command means: the marks, else the step or the instance under the cursor."""
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
        order = order_for(self.study.state, verb, indices)
        if isinstance(order, Refusal):
            self.notice.say([(f" {order.message}", "state--queued")])
            return
        options = await ask_for(self.app, order, self.study)
        if options is None:
            return
        try:
            self.study.send(order, options)
        except MtuiError as error:
            self.notice.say([(f" {error}", "state--failed")])
            return
        self.study.view.marks -= set(order.indices)
        self.grid.repaint()
        self._tick()

    # --- further screens and programs

    def action_source(self) -> None:
        self._source = SOURCES[(SOURCES.index(self._shown_source()) + 1) % len(SOURCES)]
        self._show_log()

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
        page(self.app, self.log_path())

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
