"""The part of the app that screens and the palette use. They cannot import the app, which imports all of them."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from textual.app import App

from .foreground_job import ForegroundJob


class AppBase(App[None]):
    """The app as its screens see it.

    `plain`: show only ASCII glyphs. `notice`: a message that the study screen shows once, when it opens.
    `suspended_job`: a program that the user has suspended while it had the terminal.
    """

    plain: bool
    notice: str
    suspended_job: ForegroundJob | None = None

    @abstractmethod
    async def pick(self, title: str, choices: list[tuple[str, str]]) -> str | None:
        """Let the user choose from (value, label) pairs; return the value, None if the user closes the dialog."""

    @abstractmethod
    def act(self, verb: str, indices: set[int]) -> object:
        """Send a command for instances, after confirmation."""

    @abstractmethod
    def open_path(self, root: Path) -> object:
        """Open the study in a directory."""

    @abstractmethod
    def show_instance(self, index: int) -> object:
        """Open the screen with the details of an instance."""

    @abstractmethod
    def show_timeline(self) -> object: ...

    @abstractmethod
    def show_allocations(self) -> object: ...

    @abstractmethod
    def show_commands(self) -> object: ...

    @abstractmethod
    def go_to(self, index: int) -> None:
        """Move the cursor of the study screen to an instance."""
