"""The screen with the commands to the driver and their results, and with the log of sbatch and scancel."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Footer

from ...views.study_session import StudySession
from ...views.text import cell_width, safe
from ..app_base import AppBase
from ..external_programs import open_pager
from ..widgets.bars import WordLine
from ..widgets.line_view import LineView, fit
from ..widgets.log_pane import LogPane


class CommandList(LineView):
    """One line per command, the latest last: time, result, verb, targets."""

    BINDING_GROUP_TITLE = "Commands"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(-1)", "Up", show=False, id="commands.up"),
        Binding("down,j", "scroll_by(1)", "Down", show=False, id="commands.down"),
    ]

    def __init__(self, study: StudySession, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.study = study
        self._lines: list[list[tuple[str, str]]] = []

    def show_news(self) -> None:
        state = self.study.state
        own = {sent.command: sent for sent in self.study.sent}
        lines: list[tuple[float, list[tuple[str, str]]]] = []
        for name, command in state.commands.items():
            whom = ", ".join(command.targets[:3]) + (" …" if len(command.targets) > 3 else "")
            words = own[name].words if name in own else f"{command.verb} {safe(whom)}"
            result = f"{command.outcome or 'received, not yet done'}: {safe(command.message)}".rstrip(": ")
            kind = {"done": "state--done", "refused": "state--failed"}.get(command.outcome, "state--running")
            lines.append((command.taken_at, [(f"{result}  ", kind), (words, "")]))
        for sent in own.values():
            if sent.command not in state.commands:
                way, kind = self.study.describe_progress(sent)
                lines.append((sent.at, [(f"{way}  ", kind), (sent.words, "")]))
        lines.sort(key=lambda line: line[0])
        clock = [time.strftime(" %H:%M:%S  ", time.localtime(at)) for at, _ in lines]
        self._lines = [[(at, "line--faint"), *words] for at, (_, words) in zip(clock, lines, strict=True)]
        self.virtual_size = Size(10, len(self._lines))
        self.repaint()

    def segments(self, y: int) -> list[Segment]:
        place = y + self.scroll_offset.y
        if not self._lines and y == 0:
            return [Segment(" no commands yet", self.style_of("line--faint"))]
        if place >= len(self._lines):
            return []
        room = self.size.width
        segments: list[Segment] = []
        for text, name in self._lines[place]:
            cut = fit(text, min(cell_width(text), room))
            segments.append(Segment(cut, self.style_of(name) if name else self.rich_style))
            room = max(0, room - cell_width(cut))
        return segments

    def action_scroll_by(self, lines: int) -> None:
        self.scroll_relative(y=lines, animate=False)


class CommandsScreen(Screen[None]):
    """The commands above, the calls of Slurm's programs below."""

    BINDING_GROUP_TITLE = "Commands and Slurm's answers"
    AUTO_FOCUS = "#slurm"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,C", "dismiss", "Back", id="commands.back"),
        Binding("question_mark", "app.help", "Help", key_display="?", id="commands.help"),
        Binding("tab", "app.focus_next", "Other list", id="commands.other"),
        Binding("v", "pager", "Pager", id="commands.pager", tooltip="All calls of Slurm programs, in $PAGER"),
    ]

    app: AppBase

    def __init__(self, study: StudySession) -> None:
        super().__init__()
        self.study = study

    def compose(self) -> ComposeResult:
        yield WordLine(id="title")
        yield CommandList(self.study, id="commands")
        yield LogPane(id="slurm")
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#title", WordLine).show_words([(" Commands, and calls of Slurm programs", "line--strong")])
        self.query_one("#commands").border_title = "Commands"
        uses = self.study.plan.uses_slurm
        empty = "no calls of Slurm programs yet" if uses else "this study does not use Slurm"
        self.query_one(LogPane).show(self.study.directory.slurm_log, "sbatch and scancel", empty)
        self.query_one(LogPane).action_wrap()  # the answer is at the end of a line
        self.set_interval(1.0, self.show_news)
        self.show_news()

    def show_news(self) -> None:
        self.study.apply_events()
        self.query_one(CommandList).show_news()

    def action_pager(self) -> None:
        open_pager(self.app, self.study.directory.slurm_log)
