"""The app on a study directory without a terminal: opening it, pressing keys, reading the screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.segment import Segment
from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot

from mtui.core.engine.status import Status
from mtui.core.store.study_directory import open_study
from mtui.core.store.study_file import read_study_file
from mtui.tui.app.app import MtuiApp
from mtui.tui.app.screens.study_screen import StudyScreen
from mtui.tui.app.widgets.grid import StatusGrid
from mtui.tui.app.widgets.step_tree import StepTree
from mtui.tui.views.study_session import StudySession
from tests import mtui

DEADLINE = 30.0  # seconds
_HOPS = 12  # at most, from one queue of messages to the next, until the last thing that a key sets off is done
_QUIET_HOPS = 2  # after which nothing more comes: what a widget posts to another is seen by the hop that follows

# --- the screen


def rows_of(app: App[Any]) -> list[list[Segment]]:
    """What is on the screen, line by line, with its styles."""
    visible_screen_stack.set(app._background_screens)  # a dialog lies over another screen
    return [list(strip) for strip in app.screen._compositor.render_strips()]


def lines_of(app: App[Any]) -> list[str]:
    """The text on the screen, line by line."""
    return ["".join(segment.text for segment in row).rstrip() for row in rows_of(app)]


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, and wait after each until everybody on the screen has handled all that it caused.

    The pilot itself waits until this process uses no CPU time, and a busy machine may give it none.
    """
    for key in keys:
        await pilot.press(key)
        quiet = 0
        for _ in range(_HOPS):
            await pilot.pause(0)
            quiet = 0 if _is_busy(pilot.app) else quiet + 1
            if quiet == _QUIET_HOPS:
                break


def _is_busy(app: App[Any]) -> bool:
    """Whether a message or a call waits on any screen."""
    nodes = [app, *(node for screen in app.screen_stack for node in screen.walk_children(with_self=True))]
    waiting = any(node.message_queue_size or node._next_callbacks for node in nodes)
    return waiting or any(screen._callbacks for screen in app.screen_stack)


class Desk:
    """The app and somebody before it."""

    def __init__(self, app: MtuiApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def study(self) -> StudySession:
        assert self.app.study is not None
        return self.app.study

    @property
    def screen(self) -> StudyScreen:
        """The study's screen, also while another lies over it."""
        return next(screen for screen in self.app.screen_stack if isinstance(screen, StudyScreen))

    @property
    def grid(self) -> StatusGrid:
        return self.screen.query_one(StatusGrid)

    @property
    def steps(self) -> StepTree:
        return self.screen.query_one(StepTree)

    @property
    def text(self) -> str:
        return "\n".join(lines_of(self.app))

    @property
    def here(self) -> str:
        """The name of the instance under the cursor."""
        return self.study.plan.instances[self.grid.index].name if self.grid.index is not None else ""

    def index(self, name: str) -> int:
        return next(instance.index for instance in self.study.plan.instances if instance.name == name)

    def status(self, name: str) -> Status:
        return self.study.state.status[self.index(name)]

    def marked(self) -> set[str]:
        return {self.study.plan.instances[index].name for index in self.study.view.marks}

    async def press(self, *keys: str) -> None:
        await press(self.pilot, *keys)

    async def type(self, text: str) -> None:
        await self.press(*({" ": "space"}.get(character, character) for character in text))

    async def until(self, condition: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not so: {what}\n{self.text}")
            await self.pilot.pause(0.02)

    async def see(self, *words: str) -> None:
        """Wait until these words are on the screen."""
        await self.until(lambda: all(word in self.text for word in words), f"{words} on the screen")

    async def gone(self, *words: str) -> None:
        await self.until(lambda: not any(word in self.text for word in words), f"{words} gone from the screen")


@asynccontextmanager
async def opened(root: Path | None, size: tuple[int, int] = (140, 40)) -> AsyncIterator[Desk]:
    """The app on the study in a directory, its journal read; without one, on the list of studies."""
    directory = open_study(root) if root else None
    app = MtuiApp(directory, read_study_file(directory.study_file) if directory else None)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            desk = Desk(app, pilot)
            if root:
                await desk.until(lambda: app.study is not None and app.study.is_read, "the journal is read")
                await desk.until(lambda: "reading the journal" not in desk.text, "the study is shown")
            yield desk
    finally:
        app.close()


def visit(root: Path | None, user: Callable[[Desk], Awaitable[object]], size: tuple[int, int] = (140, 40)) -> None:
    """Let somebody use the app on a study."""

    async def session() -> None:
        async with opened(root, size) as desk:
            await user(desk)

    asyncio.run(session())


# --- studies

_LOCAL = """
- {{name: prep, description: d, run: {{cmd: echo prepared}}}}
- name: mesh
  description: d
  run: {{cmd: "echo mesh of $(SIZE)", depends: [prep]}}
- name: sim
  description: d
  run:
    depends: [mesh]
    cmd: |
      echo simulating $(SIZE) $(SEED)
      if [ $(SIZE) = 20 ] && [ ! -e {fixed} ]; then
        echo no room for $(SIZE) >&2
        exit 3
      fi
- name: report
  description: d
  run: {{cmd: echo all of them, depends: [sim_*]}}
"""
_ROWS = """
  SIZE: {values: [5, 5, 10, 10, 20, 20], label: SIZE.%%}
  SEED: {values: [a, b, a, b, a, b], label: SEED.%%}
"""
SIMS = [f"sim_SEED.{seed}.SIZE.{size}" for size in (5, 10, 20) for seed in "ab"]
FAILED = ("sim_SEED.a.SIZE.20", "sim_SEED.b.SIZE.20")


def run_study(folder: Path) -> Path:
    """A local study that a headless driver ran: the two largest sizes failed, so the report is blocked.

    Once the file `fixed` exists beside its directory, they would succeed.
    """
    steps = _LOCAL.format(fixed=folder / "fixed")
    spec = mtui.write_study(folder / "study.yaml", steps, parameters=_ROWS, name="sweep")
    done = mtui.run("--no-ui", "-o", folder / "out", spec)
    assert done.returncode == 2, done.stdout + done.stderr
    return folder / "out"
