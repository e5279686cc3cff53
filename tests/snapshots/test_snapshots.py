"""The main screens at 80, 100 and 160 columns, dark, light and mono: first what they say, then how they look."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.segment import Segment

from mtui.core.driver.location import DrivenElsewhere
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.store import status_csv
from mtui.core.store.lease_owner import Owner
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_file import read_study_file
from mtui.core.store.study_reader import read_study
from mtui.tui.app.app import MtuiApp
from mtui.tui.app.screens.timeline_screen import TimelineScreen
from mtui.tui.app.widgets.log_pane import LogPane
from mtui.tui.views.driver_thread import DriverThread
from tests.app.app_helpers import Desk, rows_of
from tests.snapshots.alloy import BEGAN, NOW, make_alloy
from tests.snapshots.packed import make_packed
from tests.snapshots.picture import compare, picture
from tests.unit.tui.directories import append

SIZES = {80: (80, 24), 100: (100, 30), 160: (160, 45)}


@dataclass(frozen=True)
class Case:
    """A screen: the keys that lead to it, and what must be on it."""

    name: str
    columns: int
    theme: str
    keys: tuple[str, ...]
    says: tuple[str, ...]
    ascii: bool = False
    list: bool = False  # the list of studies instead of a study
    packed: bool = False  # a study whose instances share allocations

    @property
    def title(self) -> str:
        return f"{self.name}-{self.columns}-{self.theme}"


_GRID = ("SIZE", "TEMP", "relax", "FAIL", "MEM", "alloy", "driven by process 4711 on login1")
_FAILED = ("n",)  # the first that failed
_PACKED = ("dock", "2 allocations, 48/128 cores busy, 1 queued")
_ALLOCATIONS = ("70004", "pending", "70003", "48/128", "70001", "node failed")
_LOG = ("relax_SIZE.40.TEMP.900", "cell became negative")

CASES = (
    *(Case("study", 80, theme, (), _GRID) for theme in ("dark", "light", "mono")),
    Case("steps", 80, "dark", ("1", "j", "j"), ("relax: 12 instances in Slurm", "depends on mesh", "5/12")),
    Case("log", 80, "dark", (*_FAILED, "3"), (*_LOG, "follow")),
    *(Case("study", 100, theme, _FAILED, (*_GRID, *_LOG)) for theme in ("dark", "light")),
    Case("ascii", 100, "mono", _FAILED, (*_GRID, *_LOG), ascii=True),
    *(Case("study", 160, theme, _FAILED, (*_GRID, *_LOG)) for theme in ("dark", "light", "mono")),
    Case("filter", 160, "dark", ("f", "asterisk"), ("/state:failed  2 shown", "2 marked")),
    Case("detail", 100, "dark", (*_FAILED, "enter"), ("relax_SIZE.40.TEMP.900", "Why", "exit code 1", "Parameters")),
    Case("detail", 80, "mono", (*_FAILED, "enter"), ("relax_SIZE.40.TEMP.900", "Why", "exit code 1")),
    Case("help", 80, "dark", ("question_mark",), ("Keys", "Status grid")),
    Case("confirm", 80, "dark", ("l", "l", "V", "G", "V", "c"), ("Cancel 2 instances?", "No (n)", "Yes, cancel (y)")),
    Case("retry", 100, "light", (*_FAILED, "r"), ("Retry 1 instance?", "walltime", "01:00:00", "Yes, retry (y)")),
    Case("timeline", 160, "dark", ("T", "G"), ("Timeline", "10:30")),
    Case("timeline", 100, "mono", ("T",), ("Timeline", "10:30")),
    Case(
        "commands",
        100,
        "dark",
        ("C",),
        ("refused: 1 finished", "received, not yet done", "QOSMaxSubmitJobPerUserLimit"),
    ),
    Case("packed", 160, "dark", (), _PACKED, packed=True),
    Case("packed-detail", 100, "dark", ("G", "enter"), ("waits in allocation 70003 for a free slot",), packed=True),
    Case("allocations", 160, "dark", ("a", "j"), _ALLOCATIONS, packed=True),
    Case("allocations", 80, "mono", ("a",), _ALLOCATIONS, packed=True, ascii=True),
    Case("studies", 100, "dark", (), ("alloy", "driven", "finished"), list=True),
    Case("studies", 80, "mono", (), ("alloy", "driven", "finished"), list=True),
)


class _FrozenTimeline(TimelineScreen):
    def __init__(self, get_state: Callable[[], StudyState], *, plain: bool) -> None:
        super().__init__(get_state, lambda: NOW, plain=plain)


@pytest.fixture(autouse=True)
def _frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time and zone, one place, one driver: nothing on the screen may depend on where the test runs."""

    def driven(driving: DriverThread) -> None:
        owner = Owner(1, "login1", "", 4711, "", NOW)
        driving.location = DrivenElsewhere(owner, "process 4711 on login1 since 2026-01-02 10:00:00")

    for variable in ("NO_COLOR", "TEXTUAL_THEME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(DriverThread, "start", driven)
    monkeypatch.setattr("mtui.tui.app.app.TimelineScreen", _FrozenTimeline)
    yield
    monkeypatch.undo()
    time.tzset()


def _directory(case: Case, monkeypatch: pytest.MonkeyPatch) -> StudyDirectory | None:
    """The study, or the list of two of them, of which one is over."""
    if case.packed:
        return make_packed(Path("dock"))
    if not case.list:
        return make_alloy(Path("alloy"))
    root = Path("studies")
    root.mkdir()
    newer, older = (
        make_alloy(root / "alloy_20260102-100000"),
        make_alloy(root / "alloy_20251230-090000", BEGAN - 260_000),
    )
    append(older, ev.StudyEnded(at=BEGAN, result="finished"))
    (older.owner / "000001.released").touch()
    for directory, changed in ((newer, NOW - 20), (older, BEGAN - 250_000)):
        _, state = read_study(directory)
        directory.status_csv.write_text(status_csv.status_table(state, NOW), encoding="utf-8")
        os.utime(directory.journal / "000001.jsonl", (changed, changed))
    monkeypatch.setattr("mtui.tui.app.screens.studies_screen.list_recent_studies", lambda: [newer.root, older.root])
    return None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_screen_looks_as_it_did(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    preferences = Path("config/mtui/preferences.json")
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"theme": f"mtui-{case.theme}", "ascii": case.ascii}))
    directory = _directory(case, monkeypatch)
    rows = asyncio.run(_rows(case, directory))
    columns, lines = SIZES[case.columns]
    compare(case.title, picture(rows, f"{columns}x{lines}, {case.theme}"))


def _is_reading(app: MtuiApp) -> bool:
    """Whether something on the screen still waits for what a thread reads."""
    looks = any(pane.reader.is_reading for screen in app.screen_stack for pane in screen.query(LogPane))
    return looks or any(worker.is_running and worker._thread_worker for worker in app.workers)


async def _rows(case: Case, directory: StudyDirectory | None) -> list[list[Segment]]:
    app = MtuiApp(directory, read_study_file(directory.study_file) if directory else None)
    try:
        async with app.run_test(size=SIZES[case.columns]) as pilot:
            desk = Desk(app, pilot)
            if directory:
                await desk.until(lambda: app.study is not None and app.study.is_read, "the journal is read")
                await desk.gone("reading the journal")
            await desk.press(*case.keys)
            await desk.see(*case.says)
            await desk.gone("reading the journal")
            before: object = None
            while before != (before := rows_of(app)) or _is_reading(app):  # nothing moves any more
                await pilot.pause(0.2)
            return rows_of(app)
    finally:
        app.close()
