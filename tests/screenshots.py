"""Makes the pictures in screenshots/ from a real run of sample_specs/alloy.yaml on a private Slurm cluster.

python -m tests.screenshots
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from mtui.core.engine.status import Status
from mtui.core.store.study_directory import open_study
from mtui.core.store.study_file import Settings, read_study_file
from mtui.core.study_creation import PlanOptions, create_study, plan_study
from mtui.tui.app.app import MtuiApp
from mtui.tui.app.themes import LIGHT
from tests.slurm.cluster import Cluster

PROJECT = Path(__file__).parents[1]
TARGET = PROJECT / "screenshots"
DEADLINE = 180.0  # seconds for each state that is waited for

# Where it is there, the picture's font is the reader's own; nothing is fetched from anywhere.
FONTS = 'font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace;'


def save(app: MtuiApp, name: str) -> None:
    """The screen as SVG, with no reference to anything outside the file."""
    text = app.export_screenshot(title="mtui")
    text = re.sub(r"@font-face \{.*?\}", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;]*Fira Code[^;]*;", FONTS, text)
    (TARGET / f"{name}.svg").write_text(text, encoding="utf-8")
    print(f"screenshots/{name}.svg")


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await pilot.pause(0.1)


async def visit(root: Path) -> None:
    """Drive the study in the app and take a picture of each screen on the way."""
    directory = open_study(root)
    app = MtuiApp(directory, read_study_file(directory.study_file))

    def count(*statuses: Status) -> int:
        return sum(app.study.state.counts[status] for status in statuses) if app.study else 0

    async def press(pilot: Pilot[None], *keys: str) -> None:
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.6)

    try:
        async with app.run_test(size=(132, 38)) as pilot:
            await until(pilot, lambda: count(Status.FAILED) >= 2 and count(Status.RUNNING) >= 2, "two failures")
            await press(pilot, "n")
            save(app, "study")
            app.theme = LIGHT
            await press(pilot)
            save(app, "light")
            app.theme = "mtui-dark"
            await until(pilot, lambda: app.study is not None and app.study.state.is_over, "the end")
            await press(pilot, "f")
            await press(pilot, "enter")
            save(app, "detail")
            await press(pilot, "escape")
            (root / "damped").touch()
            await press(pilot, "A")
            save(app, "retry")
            await press(pilot, "y")
            await until(pilot, lambda: bool(app.study and app.study.state.result == "finished"), "all to finish")
            await press(pilot, "escape", "C")
            save(app, "commands")
            await press(pilot, "escape", "T")
            save(app, "timeline")
            await press(pilot, "escape", "question_mark")
            save(app, "help")
            await press(pilot, "escape")
            await pilot.resize_terminal(80, 24)
            await press(pilot)
            save(app, "narrow")
    finally:
        app.close()


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    cluster = Cluster().start()
    try:
        os.environ.update(cluster.env)
        cluster.wait_healthy()
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_STATE_HOME"] = os.environ["XDG_CONFIG_HOME"] = folder
            root = Path(folder) / "alloy"
            options = PlanOptions(out=str(root))
            create_study(plan_study(PROJECT / "sample_specs" / "alloy.yaml", options), options, Settings())
            asyncio.run(visit(root))
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
