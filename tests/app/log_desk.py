"""The log pane alone in an app, its file, and a user before it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from mtui.tui.app.widgets.log_pane import LogPane
from tests.app.app_helpers import press


class Logs(App[None]):
    """One pane and nothing else."""

    CSS = "LogPane { border: round white; }"
    AUTO_FOCUS = "LogPane"

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []

    def compose(self) -> ComposeResult:
        yield LogPane(id="log")

    def on_log_pane_search_requested(self, event: LogPane.SearchRequested) -> None:
        self.requests.append(event.pattern)


class Desk:
    """A pane on a screen, its file, and a user."""

    def __init__(self, pilot: Pilot[None], path: Path) -> None:
        self.pilot = pilot
        self.path = path
        self.pane = pilot.app.query_one(LogPane)

    async def show(self, path: Path | None = None, empty: str = "") -> None:
        self.pane.show(path or self.path, "stdout", empty)
        await self.settle()

    async def write(self, text: str) -> None:
        """The study writes, and the pane has seen it."""
        with self.path.open("a") as out:
            out.write(text)
        await self.settle()

    async def settle(self) -> None:
        """Look at the file until nothing is new."""
        await self.until(lambda: not self.pane.reader.is_reading, "an answer")
        self.pane.poll_file()
        await self.until(lambda: not self.pane.reader.is_reading, "an answer")
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not so: {what}")
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await press(self.pilot, *keys)

    @property
    def lines(self) -> list[str]:
        return [self.pane.render_line(y).text.rstrip() for y in range(self.pane.scrollable_content_region.height)]

    @property
    def words(self) -> str:
        return str(self.pane.border_subtitle or "")

    def lit(self, name: str) -> list[str]:
        """The text in the colours of a component class."""
        style = self.pane.get_component_rich_style(name, partial=True)
        strips = [self.pane.render_line(y) for y in range(len(self.lines))]
        return [part.text for strip in strips for part in strip if part.style and part.style.bgcolor == style.bgcolor]


def on_screen(
    width: int = 42, height: int = 12
) -> Callable[[Callable[[Desk], Awaitable[None]]], Callable[[Path], None]]:
    """Run a test in an app of this size; the pane has 3 columns and 2 rows less."""

    def decorate(test: Callable[[Desk], Awaitable[None]]) -> Callable[[Path], None]:
        async def run(path: Path) -> None:
            async with Logs().run_test(size=(width, height)) as pilot:
                await test(Desk(pilot, path))

        @wraps(test)
        def wrapper(tmp_path: Path) -> None:
            asyncio.run(run(tmp_path / "step.out"))

        del wrapper.__wrapped__  # pytest is to see the argument of the wrapper
        return wrapper

    return decorate


def numbered(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last + 1))
