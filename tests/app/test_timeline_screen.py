"""The screen of the timeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from textual.app import App

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.tui.app.screens.timeline_screen import TimelineScreen
from mtui.tui.app.themes import variable_defaults
from mtui.tui.app.widgets.timeline_chart import TimelineChart
from tests.app.app_helpers import press
from tests.plans import plan, step

NOON = 1_795_262_400.0  # 12:00 UTC
SWEEP = plan(step("sim", uses="A"), rows={"A": range(40)})


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class _App(App[None]):
    """Opens the timeline of a state at a time that the test sets."""

    def __init__(self, state: StudyState, now: float) -> None:
        super().__init__()
        self.state, self.now = state, now
        self.chosen: list[int | None] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(dark=True)

    def on_mount(self) -> None:
        self.open()

    def open(self) -> None:
        self.push_screen(TimelineScreen(lambda: self.state, lambda: NOON + self.now, plain=True), self.chosen.append)

    @property
    def timeline(self) -> TimelineChart:
        return self.screen.query_one(TimelineChart)

    def lines(self) -> list[str]:
        rows = range(self.timeline.size.height)
        return ["".join(segment.text for segment in self.timeline.segments(y)).rstrip() for y in rows]


def _begun(count: int, state: StudyState | None = None) -> StudyState:
    """The first instances were submitted one every ten seconds, and began to run five seconds later."""
    state = state or StudyState(SWEEP)
    for index in range(count):
        _begin(state, index)
    return state


def _begin(state: StudyState, index: int) -> None:
    at, name = NOON + 10 * index, str(index)
    state.apply(ev.SubmitIntended(at=at, submission=name, backend="slurm", members=((index, 1),)))
    state.apply(ev.Submitted(at=at, submission=name, job=name))
    state.apply(ev.Started(at=at + 5, instance=index, attempt=1, job=name, node="n1"))


def _end(state: StudyState, index: int, at: float, status: Status = Status.FINISHED) -> None:
    state.apply(ev.Ended(at=NOON + at, instance=index, attempt=1, status=status))


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (30, 8)])
def test_the_screen(size: tuple[int, int]) -> None:
    async def story() -> None:
        app = _App(_begun(38), 400)
        _end(app.state, 0, 200, Status.FAILED)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            lines = app.lines()
            assert lines[0].endswith("max 37" if size[0] > 30 else "max 31")
            assert lines[2].startswith(" x sim_A.0")
            assert lines[3].startswith(" > sim_A.1")
            assert lines[2].endswith(" 3m15s")
            assert "#" in lines[3]
            await press(pilot, "j", "j", "down")
            assert app.timeline.index == 3
            await press(pilot, "G")
            assert app.timeline.index == 37
            assert any("sim_A.37" in line for line in app.lines())
            await press(pilot, "pageup", "k", "g", "j", "enter")
            assert app.chosen == [1]
            for key in ("escape", "q", "T"):
                app.open()
                await pilot.pause()
                await press(pilot, key)
            assert app.chosen == [1, None, None, None]

    asyncio.run(story())


def test_zoom_and_shift() -> None:
    async def story() -> None:
        app = _App(_begun(38), 3000)
        _end(app.state, 0, 200)
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            whole = app.lines()
            await press(pilot, "plus", "plus", "plus")
            window = app.timeline.window
            assert window is not None
            assert window[0] < NOON + 200 < window[1]  # the bar under the cursor is in it
            assert window[1] - window[0] == pytest.approx((3000 * 1.08) / 8)
            assert app.lines() != whole
            await press(pilot, "right", "right", "right", "right")
            assert app.timeline.window == (pytest.approx(window[0] + 405), pytest.approx(window[1] + 405))
            assert app.lines()[2][16] == "<"
            await press(pilot, "left", "left", "left", "left", "left", "left", "left")
            assert app.timeline.window == (NOON, pytest.approx(NOON + 405))
            await press(pilot, "minus", "minus", "minus", "minus")
            assert app.timeline.window is None
            await press(pilot, *["plus"] * 30)
            window = app.timeline.window
            assert window is not None
            assert window[1] - window[0] == pytest.approx(10)
            await press(pilot, "G")
            assert app.timeline.window is not None
            await press(pilot, "0")
            await press(pilot, "g")
            assert app.lines() == whole

    asyncio.run(story())


def test_the_screen_continues_with_the_study() -> None:
    async def story() -> None:
        app = _App(StudyState(SWEEP), 0)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            assert app.lines()[2] == " no instance submitted yet"
            await press(pilot, "j", "G", "plus", "right", "enter")
            assert app.chosen == []
            _begun(3, app.state)
            app.now = 100
            app.timeline.look(app.state, NOON + app.now)
            await press(pilot, "j")
            assert app.timeline.index == 1
            _begin(app.state, 3)
            app.now = 101
            app.timeline._not_before = 0.0
            assert app.timeline.look(app.state, NOON + app.now)
            assert not app.timeline.look(app.state, NOON + app.now)
            assert app.timeline.index == 1
            assert sum("sim_A" in line for line in app.lines()) == 4

    asyncio.run(story())


def test_a_second_that_shows_nothing_new_paints_nothing() -> None:
    async def story() -> None:
        app = _App(_begun(5), 1000)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await pilot.pause(0.1)
            painted: list[object] = []
            app.timeline.refresh = lambda *regions, **_: painted.extend(regions)  # pyright: ignore
            app.timeline._not_before = 0.0
            app.timeline.look(app.state, NOON + 1000.1)
            assert painted == []
            _end(app.state, 3, 1001)
            app.timeline._not_before = 0.0
            app.timeline.look(app.state, NOON + 1001)
            assert {region.y for region in painted} <= {0, 1, 5}  # pyright: ignore
            assert painted

    asyncio.run(story())


def test_names_that_would_drive_the_terminal_are_harmless() -> None:
    odd = plan(step("sim", cmd="$(A)"), rows={"A": ["[/x]\x1b]52;c;aGk=\x07", "\u202eabc", "宽" * 200]})
    state = StudyState(odd)
    for index in range(3):
        _begin(state, index)

    async def story() -> None:
        app = _App(state, 60)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            text = "\n".join(app.lines())
            assert "\x1b" not in text
            assert "\u202e" not in text
            await press(pilot, "j", "j")
            assert app.timeline.index == 2

    asyncio.run(story())
