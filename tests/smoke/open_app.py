"""Opens a finished study in the app, without a terminal, as a check that app and Textual fit together.

    python tests/smoke/open_app.py DIR

Needs nothing but mtui itself, so that it runs on every Python and with the oldest Textual.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from mtui.core.store.study_directory import open_study
from mtui.core.store.study_file import read_study_file
from mtui.tui.app.app import MtuiApp

SCREENS = ("question_mark", "enter", "T", "C", "ctrl+p")
DEADLINE = 120.0  # seconds


async def visit(root: Path) -> None:
    """Open the study and each of its screens; raises whatever goes wrong in the app."""
    directory = open_study(root)
    app = MtuiApp(directory, read_study_file(directory.study_file))
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            while app.study is None or not app.study.is_read:
                await pilot.pause(0.05)
            for key in SCREENS:
                await pilot.press(key)
                await pilot.press("escape")
            while "finished" not in app.export_screenshot():
                await pilot.pause(0.05)
    finally:
        app.close()


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(visit(Path(sys.argv[1])), DEADLINE))
