"""The app: its start, its exit, and the screens that it opens.

The state and the commands of a study are in views/study_session.py; the app shows them. A study that this process
drives is handed over to a headless driver whenever the app exits.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.console import RenderableType
from textual import work
from textual._compositor import ChopsUpdate
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.filter import LineFilter, Monochrome, NoColor
from textual.message import Message
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from ...core.driver.location import DrivenHere
from ...core.errors import MtuiError, Refusal, lacks_thread
from ...core.store.recent_studies import remember_study
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_file import StudyFile, read_study_file
from ..views.environment import has_utf8
from ..views.study_opening import is_maestros, open_any_study, read_any_study
from ..views.study_session import StudySession
from ..views.text import safe
from . import preferences, themes
from .app_base import AppBase
from .narrow_update import NarrowUpdate
from .no_colour import AttributesOnly
from .palette import Actions, Instances
from .screens.allocations_screen import AllocationsScreen
from .screens.command_dialogs import ask_and_send
from .screens.commands_screen import CommandsScreen
from .screens.dialogs import PickScreen
from .screens.help_screen import HelpScreen
from .screens.instance_screen import InstanceScreen
from .screens.studies_screen import StudiesScreen
from .screens.study_screen import StudyScreen
from .screens.timeline_screen import TimelineScreen
from .terminal import Guard
from .terminal_driver import InputEnded, TerminalDriver
from .typed_ahead import TypedAhead

_READ = 15.0  # seconds that a message is shown which must be read
_HAND_OVER = 25.0  # seconds that a headless driver has to take over the study


class MtuiApp(AppBase):
    """Shows one study, or the list of the user's studies."""

    CSS_PATH = "mtui.tcss"
    TITLE = "mtui"
    BINDING_GROUP_TITLE = "Everywhere"
    COMMANDS: ClassVar = {Actions, Instances}
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("colon", "command_palette", "Palette", key_display=":", id="app.palette",
                tooltip="Find an action or an instance by name"),
        Binding("ctrl+q", "leave", "Leave", show=False, priority=True, id="app.quit"),
        Binding("ctrl+c,ctrl+z", "how_to_leave", show=False, id="app.interrupt", tooltip="Show how to leave"),
    ]  # fmt: skip

    class StudyChanged(Message):
        """The study changed. Pending messages of this kind are merged into one."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, MtuiApp.StudyChanged)

    def __init__(
        self, directory: StudyDirectory | None = None, study: StudyFile | None = None, notice: str = ""
    ) -> None:
        super().__init__(driver_class=TerminalDriver)
        self.ended_by = ""  # what ended the app, if it was not the user
        self.failure: MtuiError | None = None  # why the study could not be shown
        self.was_left = False  # by `exit`, as opposed to an error inside of Textual
        self.animation_level = "none"  # over SSH each frame costs kilobytes
        self._kept = preferences.read_preferences()
        self.plain = not has_utf8() if self._kept.ascii is None else self._kept.ascii
        self.study: StudySession | None = None
        self.notice = notice or preferences.preferences_problem()
        self._first = (directory, study) if directory and study else None
        self._leaving = False
        self._typed = TypedAhead(self, super().on_event)
        self._guard = Guard(self._exit_on_signal, self._hand_over)
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.no_color = bool(os.environ.get("NO_COLOR"))  # for Textual also if it is empty
        self._attributes_only = AttributesOnly()
        self.theme = self._first_theme()
        self.set_keymap(dict(self._kept.keys))

    def _first_theme(self) -> str:
        if self.no_color:
            return themes.MONO
        for name in (os.environ.get("TEXTUAL_THEME", ""), self._kept.theme):
            if name in self.available_themes:
                return name
        return themes.DARK

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.variable_defaults(self.current_theme.dark)

    def get_line_filters(self) -> Sequence[LineFilter]:
        if self.no_color:
            return [self._attributes_only]
        return [each for each in super().get_line_filters() if not isinstance(each, (Monochrome, NoColor))]

    # --- start

    def on_mount(self) -> None:
        self.set_class(self.plain, "-plain")
        if self.is_headless is False:
            self._guard.install()
        if self._first:
            self._open(*self._first)
        else:
            self.push_screen(StudiesScreen())

    def _open(self, directory: StudyDirectory, study: StudyFile) -> None:
        self.study = StudySession(directory, study, self._post_change)
        self.push_screen(StudyScreen(self.study, plain=self.plain))
        self.study.start()

    def _post_change(self) -> None:
        """Notify the app; called on other threads."""
        self.post_message(self.StudyChanged())

    @work(thread=True, exit_on_error=False)
    def open_path(self, root: Path) -> None:
        """Open a study from the list."""
        try:
            directory = open_any_study(root)
            study = read_any_study(directory)[0] if is_maestros(directory) else read_study_file(directory.study_file)
            remember_study(root)
        except MtuiError as error:
            self.call_from_thread(self.notify, safe(str(error)), severity="error", markup=False)
            return
        self.call_from_thread(self._open, directory, study)

    @work(thread=True, exit_on_error=False, group="reload", exclusive=True)
    def _reload(self, study: StudySession) -> None:
        """Read the plan again, because rows were added to the study."""
        try:
            extended = read_study_file(study.directory.study_file)
        except MtuiError as error:
            self.call_from_thread(self.notify, safe(str(error)), severity="error", markup=False)
            return
        self.call_from_thread(self._replace_study_screen, study, replace(extended, settings=study.study.settings))

    def _replace_study_screen(self, study: StudySession, extended: StudyFile) -> None:
        if study is not self.study or len(extended.plan.instances) <= len(study.plan.instances):
            return
        while not isinstance(self.screen, StudyScreen):
            self.pop_screen()
        study.restart(extended)
        self.switch_screen(StudyScreen(study, plain=self.plain))
        self.notify(f"rows were added: {len(study.plan.instances):,} instances", markup=False)

    def on_mtui_app_study_changed(self) -> None:
        for screen in reversed(self.screen_stack):  # the screen below a dialog is updated as well
            show = getattr(screen, "show_news", None)
            if show is not None:
                if screen.is_mounted:  # a screen that is still being built shows the current state when it is mounted
                    show()
                break
        if self.study and self.study.is_outdated:
            self._reload(self.study)
        if self.study and self.study.failure and not self._leaving:
            self._fail(self.study.failure)

    def _fail(self, failure: MtuiError) -> None:
        """Close a study that cannot be shown: end the app, or return to the list of studies."""
        if self._first:
            self._leaving = True
            self.failure = failure
            self.exit(return_code=failure.exit_code)
        else:
            self.notify(safe(str(failure)), severity="error", markup=False, timeout=_READ)
            self.action_leave()

    # --- leave

    @work
    async def action_leave(self) -> None:
        """Leave the study. If this process drives it, a headless driver continues."""
        if self._leaving:
            return
        if self.study is None:
            self.exit()
            return
        self._leaving = True
        if isinstance(self.study.driving.location, DrivenHere):
            self.notify("Handing the study over to a driver in the background ...", timeout=_HAND_OVER)
        self.study.driving.detach()
        self._wait_for_hand_over(self.study)

    @work(thread=True, exit_on_error=False)
    def _wait_for_hand_over(self, study: StudySession) -> None:
        if study.driving.join(_HAND_OVER):
            self.call_from_thread(self._left)
        else:
            study.driving.stay()
            self.call_from_thread(self._could_not_leave)

    def _could_not_leave(self) -> None:
        self._leaving = False
        words = (
            "No driver could be started in the background (see driver.log). This one continues; 'mtui stop' ends it."
        )
        self.notify(words, severity="error")

    def _left(self) -> None:
        self._leaving = False
        if self._first:
            self.exit()
            return
        if self.study:
            self.study.stop()
            self.study = None
        while len(self.screen_stack) > 1 and not isinstance(self.screen, StudiesScreen):
            self.pop_screen()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        self.was_left = True
        super().exit(result, return_code, message)

    def _exit_on_signal(self, number: int) -> None:
        self.ended_by = self.ended_by or f"ended by {signal.Signals(number).name}"
        self.exit(return_code=128 + number)

    def on_input_ended(self, message: InputEnded) -> None:
        self.ended_by = f"the terminal cannot be read: {message.reason}"
        self._guard.end_as_lost()

    def _hand_over(self) -> None:
        """Hand the study over to a headless driver, or release it if none starts. May be called on any thread."""
        if self.study is None:
            return
        self.study.driving.detach()
        if not self.study.driving.join(_HAND_OVER):
            self.study.driving.let_go("the screen is gone")
            self.study.driving.join(5)

    def close(self) -> None:
        """Hand over or release the study after the screen has closed: this process must not hold it any longer."""
        if self.suspended_job:
            self.suspended_job.end()
        self._hand_over()
        if self.study:
            self.study.stop()

    def action_how_to_leave(self) -> None:
        self.notify("q leaves the app; the study continues. c cancels.", timeout=4)

    async def action_quit(self) -> None:
        self.action_leave()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show that a key did nothing because no thread could be started, so that the user presses it again."""
        if event.state is WorkerState.ERROR and lacks_thread(event.worker.error):
            self._leaving = False
            self.notify("No thread can be started now (ulimit -u). Try again.", severity="error", markup=False)

    # --- confirmation and choices

    async def pick(self, title: str, choices: list[tuple[str, str]]) -> str | None:
        return await self.push_screen_wait(PickScreen(title, choices))

    @work
    async def act(self, verb: str, indices: set[int]) -> None:
        """Send a command for instances, after confirmation. For screens without a grid."""
        if self.study is None:
            return
        try:
            sent = await ask_and_send(self, self.study, verb, indices)
        except MtuiError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if isinstance(sent, Refusal):
            self.notify(sent.message, markup=False)

    # --- further screens

    def action_help(self) -> None:
        chain = [*(self.screen.focused.ancestors_with_self if self.screen.focused else [self.screen])]
        self.push_screen(HelpScreen(chain if self.screen.focused else [self.screen, self], plain=self.plain))

    @work
    async def show_instance(self, index: int) -> None:
        if self.study is not None and not isinstance(self.screen, InstanceScreen):  # the key was pressed twice
            await self.push_screen_wait(InstanceScreen(self.study, index, plain=self.plain))

    @work
    async def show_timeline(self) -> None:
        study = self.study
        if study is None or isinstance(self.screen, TimelineScreen):
            return
        index = await self.push_screen_wait(TimelineScreen(lambda: study.state, plain=self.plain))
        if index is not None:
            self.go_to(index)

    @work
    async def show_allocations(self) -> None:
        if self.study is None or isinstance(self.screen, AllocationsScreen):
            return
        text = await self.push_screen_wait(AllocationsScreen(self.study, plain=self.plain))
        for screen in self.screen_stack:
            if text and isinstance(screen, StudyScreen):
                screen.show_only(text)

    def show_commands(self) -> None:
        if self.study is not None:
            self.push_screen(CommandsScreen(self.study))

    def go_to(self, index: int) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, StudyScreen):
                screen.go_to(index)

    # --- preferences

    def action_choose_theme(self, name: str) -> None:
        self.theme = name
        self._keep(replace(self._kept, theme=name))

    def action_toggle_glyphs(self) -> None:
        self._keep(replace(self._kept, ascii=not self.plain))
        self.notify("the glyphs change at the next start")

    def _keep(self, kept: preferences.Preferences) -> None:
        self._kept = kept
        preferences.write_preferences(kept)

    def action_drive(self) -> None:
        if self.study is not None:
            self.study.driving.drive()

    def action_picture(self) -> None:
        try:
            path = self.save_screenshot(path=str(Path.cwd()))
        except OSError as error:
            self.notify(f"no screenshot: {error.strerror}", severity="error", markup=False)
            return
        self.notify(f"saved as {path}", markup=False)

    # --- keys

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key) and not event.is_forwarded:
            await self._typed.handle_key(event)
        else:
            await super().on_event(event)

    # --- painting

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if type(renderable) is ChopsUpdate:
            renderable = NarrowUpdate(renderable.chops, renderable.spans, renderable.chop_ends)
        super()._display(screen, renderable)

    # --- errors

    def _print_error_renderables(self) -> None:
        """Print nothing: the exception is raised again when the terminal is restored, and reported as any other."""
