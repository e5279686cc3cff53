"""The screen of allocations, and what the app says elsewhere of instances that share them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.status import Status
from mtui.core.spec.study_spec import PackingOptions
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_file import Settings
from mtui.tui.app.screens.allocations_screen import AllocationsScreen
from mtui.tui.app.screens.instance_screen import InstanceScreen
from mtui.tui.app.screens.study_screen import StudyScreen
from tests.app.app_helpers import Desk, visit
from tests.unit.tui.directories import append, write_slurm_study
from tests.unit.tui.packed import asked, began, ends, given, over, queued, returned, runs, shown, taken

STEPS = """
- {name: a, description: d, run: {cmd: "echo $(X)", procs: 2}}
- {name: b, description: d, run: {cmd: "echo $(X)", procs: 1, depends: [a]}}
"""
ROWS = "  X: {values: [0, 1, 2, 3, 4, 5], label: X.%%}"  # a is 0 to 5, b is 6 to 11


@pytest.fixture(autouse=True)
def _undriven(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("mtui.tui.views.driver_thread.DriverThread.start", lambda _: None)


def packed(root: Path, *events: ev.Event) -> StudyDirectory:
    """A study of twelve instances, of which an allocation has the first four of `a`; two of these run."""
    directory = write_slurm_study(root, STEPS, ROWS, 1.0, settings=Settings(pack=PackingOptions()))
    gift = tuple((index, 1) for index in range(4))
    append(directory, asked(), queued(), began(at=time.time()), given("g", *gift), taken("g"), runs(0), runs(1))
    append(directory, *events)
    return directory


def row(desk: Desk, job: str) -> str:
    """The line of an allocation, its columns a blank apart."""
    line = next(line for line in desk.text.split("\n") if f" {job} " in line[:14])
    return " ".join(line.split())


def test_a_line_for_each_allocation_with_what_it_has_and_does(tmp_path: Path) -> None:
    second = (asked("1-2"), queued("1-2", "402"), shown("1-2"))

    async def user(desk: Desk) -> None:
        await desk.press("a")
        await desk.see("Allocations", "401")
        assert " running 1 0:58:" in row(desk, "401")
        assert row(desk, "401").endswith("4/8 2 2 0 n1")
        assert row(desk, "402").endswith(" 0 0 0 waits in Slurm's queue: jobs with higher priority are first")
        lines = desk.text.split("\n")
        places = [next(place for place, line in enumerate(lines) if f" {job} " in line[:14]) for job in ("402", "401")]
        assert places == sorted(places)  # the newest on top
        assert "2 allocations, 4/8 cores busy, 1 queued" in lines[0]
        await desk.press("escape")
        assert isinstance(desk.app.screen, StudyScreen)

    visit(packed(tmp_path / "out", *second).root, user)


def test_one_that_is_over_is_shown_below_with_its_cause(tmp_path: Path) -> None:
    back = returned(*((index, 1) for index in range(3, -1, -1)))

    async def user(desk: Desk) -> None:
        await desk.press("a")
        await desk.see("402")
        assert row(desk, "401").endswith("cancelled 1 0 allocation 401 was cancelled outside of mtui")
        await desk.press("j")
        await desk.see("allocation 401  allocation 401 was cancelled outside of mtui  1 node (n1), --partition=q")

    visit(packed(tmp_path / "out", back, over(), asked("1-2"), queued("1-2", "402")).root, user)


def test_enter_shows_the_instances_of_an_allocation(tmp_path: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("a")
        await desk.see("401")
        await desk.press("enter")
        await desk.see("/alloc:401", "4 shown")
        assert desk.study.view.hits == {0, 1, 2, 3}

    visit(packed(tmp_path / "out").root, user)


def test_the_cursor_stays_on_its_allocation_when_another_is_requested(tmp_path: Path) -> None:
    directory = packed(tmp_path / "out")

    async def user(desk: Desk) -> None:
        await desk.press("a")
        await desk.see("allocation 401")
        append(directory, asked("1-2"), queued("1-2", "402"))
        await desk.see("402")
        await desk.see("allocation 401")

    visit(directory.root, user)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(), "No shared allocations in this study"),
        (Settings(pack=PackingOptions()), "No allocation was requested yet"),
    ],
)
def test_where_there_is_none_it_says_so(tmp_path: Path, settings: Settings, words: str) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("a")
        await desk.see(words)
        await desk.press("j", "enter", "G")  # nothing to go to
        assert isinstance(desk.app.screen, AllocationsScreen)

    visit(write_slurm_study(tmp_path / "out", STEPS, ROWS, 1.0, settings=settings).root, user)


def test_the_study_says_how_many_cores_are_busy_while_one_is_open(tmp_path: Path) -> None:
    directory = packed(tmp_path / "out")

    async def user(desk: Desk) -> None:
        await desk.see("1 allocation, 4/8 cores busy")
        append(directory, runs(2))
        await desk.see("1 allocation, 6/8 cores busy")
        append(directory, *(ends(index) for index in range(3)), runs(3), ends(3))
        await desk.see("1 allocation, 0/8 cores busy")
        append(directory, ev.StudyEnded(at=30.0, result="cancelled"))
        await desk.gone("cores busy")

    visit(directory.root, user)


def test_an_instance_says_where_it_is(tmp_path: Path) -> None:
    directory = packed(tmp_path / "out")

    async def user(desk: Desk) -> None:
        await desk.see("a_X.0  running", "allocation 401, on n1")
        await desk.press("G", "k", "k")  # the fourth
        await desk.see("a_X.3  pending: for a free slot there", "allocation 401")
        await desk.press("enter")
        await desk.see("It waits in allocation 401 for a free slot.")
        assert isinstance(desk.app.screen, InstanceScreen)
        append(directory, ev.AllocationEnding(at=9.0, allocation="1-1", cause=text_cause("idle")))
        await desk.see("Instances that do not start in that allocation are assigned to another.")

    visit(directory.root, user)


def test_ending_packed_instances_does_not_end_their_allocation(tmp_path: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("asterisk", "c")
        await desk.see("4 instances will be cancelled in an allocation, which continues.")
        assert "job will be cancelled" not in desk.text

    visit(packed(tmp_path / "out").root, user)


def test_the_key_is_found_in_help_and_palette(tmp_path: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("colon")
        await desk.type("Allocations")
        await desk.see("Shared allocations: nodes, time left, cores in use")
        await desk.press("enter")
        await desk.until(lambda: isinstance(desk.app.screen, AllocationsScreen), "the screen is open")

    visit(packed(tmp_path / "out").root, user)


def test_many_allocations_are_scrolled_through(tmp_path: Path) -> None:
    more = [
        event
        for number in range(2, 60)
        for event in (
            asked(f"1-{number}"),
            queued(f"1-{number}", str(400 + number)),
            over(f"1-{number}", Status.FINISHED, ""),
        )
    ]

    async def user(desk: Desk) -> None:
        await desk.press("a")
        await desk.see("401", "459")
        await desk.press("G")
        await desk.see("402")
        await desk.press("g")
        await desk.see("401", "459")

    visit(packed(tmp_path / "out", *more).root, user)
