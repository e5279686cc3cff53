"""The screen of one instance: reasons for its status, attempts, history, parents and dependents, script, workspace."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker, WorkerState

from ....core.engine.status import Status
from ....core.errors import lacks_thread
from ....core.file_reading import open_file
from ....core.store.history import History, InstanceEvent
from ...views.allocation_text import allocation_status_text, open_ones
from ...views.appearance import GROUP_GLYPHS, group_of
from ...views.event_text import history_text
from ...views.study_session import StudySession
from ...views.text import Paint, plural, safe
from ...views.why_text import why_text
from ..app_base import AppBase
from ..clipboard import copy_menu
from ..external_programs import edit_script, open_pager, open_shell
from ..widgets.bars import WordLine

_MOST_NAMES = 12
_MOST_SCRIPT = 200  # lines


class InstanceScreen(Screen[int | None]):
    """Shows one instance. Returns the instance to go to, or None."""

    BINDING_GROUP_TITLE = "Instance"
    AUTO_FOCUS = "#detail"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,backspace", "close", "Back", id="detail.back"),
        Binding("question_mark", "app.help", "Help", key_display="?", id="detail.help"),
        Binding("c", "act('cancel')", "Cancel", id="detail.cancel"),
        Binding("r", "act('retry')", "Retry", id="detail.retry"),
        Binding("E", "act('rerun')", "Rerun", show=False, id="detail.rerun"),
        Binding("M", "act('done')", "Mark done", show=False, id="detail.done"),
        Binding("K", "act('skip')", "Skip", show=False, id="detail.skip"),
        Binding("H", "act('hold')", "Hold", show=False, id="detail.hold"),
        Binding("U", "act('release')", "Release", show=False, id="detail.release"),
        Binding("v", "pager", "Output", id="detail.pager", tooltip="stdout in $PAGER"),
        Binding("e", "editor", "Script", id="detail.editor", tooltip="The script in $EDITOR"),
        Binding("s", "shell", "Shell", id="detail.shell", tooltip="A shell in the workspace or on the node"),
        Binding("y", "copy", "Copy", id="detail.copy"),
        Binding("u", "go('parent')", "Parent", id="detail.parent", tooltip="Go to a parent"),
        Binding("d", "go('child')", "Child", id="detail.child", tooltip="Go to a dependent"),
        Binding("j", "scroll(1)", "Down", show=False, id="detail.down"),
        Binding("k", "scroll(-1)", "Up", show=False, id="detail.up"),
        Binding("ctrl+d", "scroll(10)", "Ten down", show=False, id="detail.page_down"),
        Binding("ctrl+u", "scroll(-10)", "Ten up", show=False, id="detail.page_up"),
        Binding("g", "edge(0)", "Top", show=False, id="detail.top"),
        Binding("G", "edge(1)", "End", show=False, id="detail.end"),
    ]

    app: AppBase

    def __init__(self, study: StudySession, index: int, *, plain: bool) -> None:
        super().__init__()
        self.study = study
        self.index = index
        self._plain = plain
        self._shown = ""
        self._history = History(study.directory.journal, index)
        self._reading = threading.Lock()
        self._events: list[InstanceEvent] | None = None  # the history; None until it is read

    def compose(self) -> ComposeResult:
        yield WordLine(id="title")
        with VerticalScroll(id="detail"):
            yield Static(id="text")
        yield WordLine(id="notice")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.set_interval(1.0, self.show_news)
        self.show_news()

    def show_news(self) -> None:
        """Show changes; the text is built again only if the instance or an allocation has changed."""
        self.study.apply_events()
        state = self.study.state
        self.query_one("#title", WordLine).show_words(self.study.subject(self.index, time.time()))
        allocations = [(one.name, allocation_status_text(one), one.reason) for one in open_ones(state)]
        last = state.last_attempt(self.index)
        seen = f"{self.index} {state.status[self.index]} {state.waits_for(self.index)} {last} {allocations}"
        if seen != self._shown:
            self._shown = seen
            self.query_one("#text", Static).update(self._text())
            self._read(self._history)
        if self.study.sent:
            words, kind = self.study.describe_progress(self.study.sent[-1])
            self.query_one("#notice", WordLine).show_words(
                [(f" {self.study.sent[-1].words}: ", "line--faint"), (words, kind)]
            )

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _read(self, history: History) -> None:
        """Read the history on a thread, because the journal may be long."""
        with self._reading:
            self.app.call_from_thread(self._show_history, history, history.read())

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Read the history later if no thread could be started for it."""
        if event.state is WorkerState.ERROR and lacks_thread(event.worker.error):
            self._shown = ""

    def _show_history(self, history: History, events: list[InstanceEvent]) -> None:
        if history is self._history and events != self._events:
            self._events = events
            self.query_one("#text", Static).update(self._text())

    # --- the text

    def _text(self) -> Text:
        study, index = self.study, self.index
        plan, state = study.plan, study.state
        instance = plan.instances[index]
        text = Text(no_wrap=False)
        _head(text, "Why")
        why = why_text(study.directory, study.study, state, index, Paint(None))
        text.append("\n".join(line for line in why.split("\n") if line.strip()) + "\n")
        params = plan.params(instance)
        if params:
            _head(text, "Parameters")
            for key, value in params.items():
                text.append(f"  {safe(key)} = {safe(value)}\n")
        _head(text, "Depends on")
        parents = list(plan.parents(instance))
        self._names(text, parents, "nothing")
        children, funnels = state.children(index)
        _head(text, "Dependents")
        self._names(text, children, "" if funnels else "nothing")
        for step in funnels:
            text.append(f"  {safe(plan.steps[step].name)} ({plural(len(plan.steps[step].instances), 'instance')}, "
                        "with all other instances of this step)\n")  # fmt: skip
        _head(text, "History")
        if self._events is None:
            text.append("  reading the journal\n", style="dim")
        for found in self._events or ():
            if words := history_text(found, index):
                clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.event.at))
                text.append(f"  {clock}  {safe(words)}\n")
        _head(text, "Script")
        last = state.last_attempt(index)
        script = study.directory.workspace(instance) / plan.script_of(instance, dict(last.changes) if last else {})
        text.append(f"  {safe(str(script))}\n", style="dim")
        try:
            with open_file(script) as file:
                lines = file.read(1 << 16).decode("utf-8", "replace").split("\n")
        except OSError:
            lines = ["(written when the instance is submitted)"]
        for line in lines[:_MOST_SCRIPT]:
            text.append(f"  {safe(line)}\n")
        return text

    def _names(self, text: Text, indices: list[int], nothing: str) -> None:
        if not indices and nothing:
            text.append(f"  {nothing}\n", style="dim")
        state = self.study.state
        # Unfinished ones first: they matter more.
        ordered = sorted(indices[:100_000], key=lambda index: state.status[index] is Status.FINISHED)
        for index in ordered[:_MOST_NAMES]:
            status = state.status[index]
            glyph = GROUP_GLYPHS[group_of(status)][1 if self._plain else 0]
            text.append(f"  {glyph} {safe(self.study.plan.instances[index].name)} ({status.value})\n")
        if len(indices) > _MOST_NAMES:
            text.append(f"  and {len(indices) - _MOST_NAMES:,} more\n", style="dim")

    # --- keys

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#detail", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_edge(self, end: int) -> None:
        pane = self.query_one("#detail", VerticalScroll)
        pane.scroll_end(animate=False) if end else pane.scroll_home(animate=False)

    def action_act(self, verb: str) -> None:
        self.app.act(verb, {self.index})

    def action_pager(self) -> None:
        open_pager(self.app, self.study.directory.stdout(self.study.plan.instances[self.index]))

    def action_editor(self) -> None:
        edit_script(self.app, self.study, self.index)

    @work
    async def action_shell(self) -> None:
        await open_shell(self.app, self.study, self.index)

    @work
    async def action_copy(self) -> None:
        await copy_menu(self.app, self.study, self.index)

    def action_go(self, where: str) -> None:
        """Show a parent or a dependent instead: unfinished ones first."""
        plan, state = self.study.plan, self.study.state
        if where == "parent":
            found = list(plan.parents(plan.instances[self.index]))
        else:
            children, funnels = state.children(self.index)
            found = [*children, *(index for step in funnels for index in plan.steps[step].instances)]
        if found:
            self.index = min(found, key=lambda index: (state.status[index] is Status.FINISHED, index))
            self._shown = ""
            self._history, self._events = History(self.study.directory.journal, self.index), None
            self.show_news()
            self.action_edge(0)


def _head(text: Text, words: str) -> None:
    text.append(f"{chr(10) if text else ''}{words}\n", style="bold underline")
