"""The status grid: its cells, the cursor on it, marks, and what it paints again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan
from mtui.tui.app.themes import variable_defaults
from mtui.tui.app.widgets.grid import StatusGrid
from mtui.tui.views.status_grid import GridView, Sort
from tests.app.app_helpers import lines_of, press
from tests.plans import plan, step
from tests.unit.engine import script

# Columns prep, mesh, sim, all; mesh covers pairs of rows.
SWEEP = plan(
    step("prep"),
    step("mesh", "prep", uses="A"),
    step("sim", "mesh", uses="AB"),
    step("all", "sim_*"),
    rows={"A": [1, 1, 2, 2, 3, 3], "B": ["x", "y"] * 3},
)
PREP, MESH, SIM, ALL = 0, 1, 4, 10


class Grid(App[None]):
    """The grid and nothing else."""

    def __init__(self, plan: Plan, *, plain: bool = True) -> None:
        super().__init__()
        self.state = StudyState(plan)
        self.view = GridView(plan)
        self.grid = StatusGrid(self.view, self.state, plain=plain)
        self.grid.is_read = True
        self.heard: list[Any] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(dark=True)

    def compose(self) -> ComposeResult:
        yield self.grid

    def on_status_grid_cell_highlighted(self, event: StatusGrid.CellHighlighted) -> None:
        self.heard.append(event.index)

    def on_status_grid_cell_selected(self, event: StatusGrid.CellSelected) -> None:
        self.heard.append(("chosen", event.index))

    def on_status_grid_marks_changed(self) -> None:
        self.heard.append("marked")


def _use(
    plan: Plan,
    user: Callable[[Grid, Pilot[None]], Awaitable[None]],
    *,
    size: tuple[int, int] = (80, 12),
    plain: bool = True,
) -> None:
    async def session() -> None:
        app = Grid(plan, plain=plain)
        async with app.run_test(size=size) as pilot:
            app.grid.focus()
            await pilot.pause()
            app.heard.clear()
            await user(app, pilot)

    asyncio.run(session())


def _cells(app: Grid, line: int) -> list[str]:
    """The words of a line."""
    return lines_of(app)[line].split()


# --- what it shows


def test_a_row_shows_its_parameters_and_the_state_of_each_step() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        for index in (PREP, MESH, MESH + 1):
            script.run(app.state, index)
        script.run(app.state, SIM, Status.TIMED_OUT)
        app.grid.repaint()
        await pilot.pause()
        assert _cells(app, 0) == ["A", "B", "prep", "mesh", "sim", "all"]
        assert _cells(app, 1) == ["1", "x", "=", "done", "=", "done", "T", "TIMEOUT", "#", "blocked"]
        assert _cells(app, 3) == ["2", "x", "|", "=", "done", ":", "ready", "|"]

    _use(SWEEP, user)


def test_a_cell_that_covers_the_row_above_too_is_a_dotted_line() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        del pilot
        assert [line.count("╎") for line in lines_of(app)[1:7]] == [0, 3, 2, 3, 2, 3]

    _use(SWEEP, user, plain=False)


def test_the_first_line_on_the_screen_shows_the_state_also_of_a_cell_that_began_above() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "G")
        await pilot.pause()
        assert app.grid.scroll_offset.y > 0
        assert _cells(app, 1)[2:4] == [":", "ready"]

    _use(SWEEP, user, size=(80, 4))


def test_narrow_columns_show_the_glyph_alone() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        del pilot
        assert _cells(app, 1) == ["1", "x", ":", ".", ".", "."]

    _use(SWEEP, user, size=(30, 12))


def test_a_long_value_keeps_its_end() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        del pilot
        assert _cells(app, 1)[0].startswith("~") and _cells(app, 1)[0].endswith("/one.dat")

    _use(plan(step("s", uses="A"), rows={"A": ["/data/of/some/depth/" * 5 + "one.dat"]}), user)


@pytest.mark.parametrize("value", ["\x1b[31m\x1b]0;x\x07", "[/x][bold]", "日本語" * 40, "\u202eabc", "x" * 200])
def test_any_value_fits_and_is_harmless(value: str) -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "l", "j", "space", "k")
        text = "\n".join(lines_of(app))
        assert not set(text) & set("\x1b\x07\u202e")
        assert all(len(line) <= 80 for line in lines_of(app))
        assert app.grid.virtual_size.width <= 80

    _use(plan(step("s", uses="AN"), rows={"A": [value] * 3, "N": [1, 2, 3]}, out="/o"), user)


def test_a_study_without_instances_says_so() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "k", "l", "G", "pagedown", "space", "V", "V", "asterisk", "backslash", "enter")
        assert "this study has no instances" in lines_of(app)[1]
        assert app.grid.index is None

    _use(plan(step("s", uses="A"), rows={"A": []}), user)


def test_a_filter_without_hits_says_so() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        app.view.set_filter("state:failed", app.state)
        app.grid.arranged()
        await pilot.pause()
        assert "no instance matches the filter" in lines_of(app)[1]
        assert app.grid.index is None
        app.view.set_filter("", app.state)
        app.grid.arranged()
        await pilot.pause()
        assert app.grid.index == PREP

    _use(SWEEP, user)


def test_until_the_journal_is_read_no_state_is_shown() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        app.grid.is_read = False
        app.grid.repaint()
        await pilot.pause()
        text = "\n".join(lines_of(app))
        assert "reading the journal" in text
        assert "wait" not in text

    _use(SWEEP, user)


# --- the cursor


def test_the_cursor_goes_where_the_keys_say_and_no_further() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "l", "l", "j", "k", "h", "left", "left", "l", "right", "l", "l", "l")
        await pilot.pause()
        assert app.heard == [MESH, SIM, SIM + 1, SIM, MESH, PREP, MESH, SIM, ALL]

    _use(SWEEP, user)


def test_a_cell_that_spans_rows_is_left_in_one_step() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "l", "j", "j", "j", "k", "k")
        await pilot.pause()
        assert app.heard == [MESH, MESH + 1, MESH + 2, MESH + 1, MESH]

    _use(SWEEP, user)


def test_pages_and_ends() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "g", "end", "home")
        await pilot.pause()
        assert app.heard == [199, 0, 199, 0]
        app.heard.clear()
        await press(pilot, "pagedown", "pagedown", "pageup", "ctrl+d", "ctrl+u", "ctrl+f", "ctrl+b")
        await pilot.pause()
        assert app.heard == [10, 20, 10, 15, 10, 20, 10]

    _use(plan(step("s", uses="A"), rows={"A": range(200)}), user)


@pytest.mark.parametrize("size", [(80, 12), (40, 12), (24, 7), (200, 30), (13, 4)])
def test_the_cursor_is_always_on_the_screen(size: tuple[int, int]) -> None:
    """Also beside and above scroll bars."""
    wide = plan(*(step(f"step{number}", uses="A") for number in range(12)), rows={"A": range(60)})

    async def user(app: Grid, pilot: Pilot[None]) -> None:
        for keys in (["j"] * 12, ["l"] * 9, ["k"] * 4, ["G"], ["h"] * 5, ["g"], ["pagedown"], ["l"] * 5):
            await press(pilot, *keys)
            await pilot.pause()
            room = app.grid.scrollable_content_region
            line = 1 + app.grid._place - app.grid.scroll_offset.y
            assert 1 <= line < max(2, room.height), (keys, line, room)
            row = app.screen._compositor.render_strips()[line]
            column = app.grid.style_of("line--cursor").bgcolor
            lit = [segment.text for segment in row if segment.style and segment.style.bgcolor == column]
            assert "".join(lit).strip(), keys

    _use(wide, user, size=size)


def test_no_scroll_bar_takes_room_from_what_would_fit() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        del pilot
        assert not app.grid.show_horizontal_scrollbar
        assert _cells(app, 11)[0] == "10"

    _use(plan(step("s", uses="A"), rows={"A": range(200)}), user)


def test_the_cursor_stays_on_its_row_when_the_order_changes() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "l", "l", "j", "j", "j")
        await pilot.pause()
        assert app.grid.index == SIM + 3
        app.view.set_sort(Sort("A", descending=True), app.state)
        app.grid.arranged()
        assert app.grid.index == SIM + 3
        app.view.set_filter("A>2", app.state)
        app.grid.arranged()
        assert app.grid.index in (SIM + 4, SIM + 5)

    _use(SWEEP, user)


def test_going_to_an_instance() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        del pilot
        assert app.grid.go_to(SIM + 4)
        assert (app.grid.index, app.grid.column) == (SIM + 4, 2)
        app.view.set_filter("B=y step:sim", app.state)
        app.grid.arranged()
        assert not app.grid.go_to(SIM)
        assert app.grid.go_to(MESH + 1), "one of its rows is shown"
        assert app.grid.index == MESH + 1

    _use(SWEEP, user)


def test_a_click_goes_there_and_a_second_one_opens() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        x = lines_of(app)[0].index("sim") + 1
        await pilot.click(StatusGrid, offset=(x, 3))
        await pilot.pause()
        assert app.heard == [SIM + 2]
        await pilot.click(StatusGrid, offset=(x, 3))
        await pilot.pause()
        assert ("chosen", SIM + 2) in app.heard

    _use(SWEEP, user)


def test_enter_opens_what_the_cursor_is_on() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "l", "enter")
        await pilot.pause()
        assert app.heard == [MESH, ("chosen", MESH)]

    _use(SWEEP, user)


# --- marks


def test_space_marks_and_goes_down() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "l", "l", "space", "space")
        await pilot.pause()
        assert app.view.marks == {SIM, SIM + 1}
        assert app.grid.index == SIM + 2
        assert "*. wait" in lines_of(app)[1]
        await press(pilot, "k", "space")
        assert app.view.marks == {SIM}
        await press(pilot, "backslash")
        assert app.view.marks == set()

    _use(SWEEP, user)


def test_a_range_is_marked_from_one_end_to_the_other() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        await press(pilot, "l", "l", "j", "V")
        assert app.grid.selecting
        await press(pilot, "j", "j", "h", "V")
        await pilot.pause()
        assert not app.grid.selecting
        assert app.view.marks == {SIM + 1, SIM + 2, SIM + 3, MESH, MESH + 1}
        assert "marked" in app.heard

    _use(SWEEP, user)


def test_all_that_is_shown_is_marked() -> None:
    async def user(app: Grid, pilot: Pilot[None]) -> None:
        app.view.set_filter("step:sim B=y", app.state)
        app.grid.arranged()
        await press(pilot, "asterisk")
        assert app.view.marks == {SIM + 1, SIM + 3, SIM + 5}

    _use(SWEEP, user)


# --- what is painted


class _Watched(Grid):
    """Keeps what the grid calls dirty."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.dirty: list[Region] = []
        refresh = self.grid.refresh

        def watched(*regions: Region, **options: Any) -> Any:
            self.dirty += regions or [self.grid.size.region]
            return refresh(*regions, **options)

        self.grid.refresh = watched  # pyright: ignore[reportAttributeAccessIssue]


def test_only_what_changed_on_the_screen_is_painted() -> None:
    async def session() -> None:
        app = _Watched(plan(step("s", uses="A"), step("t", uses="A"), rows={"A": range(1000)}))
        async with app.run_test(size=(80, 12)) as pilot:
            await pilot.pause()
            app.dirty.clear()
            app.grid.repaint()
            assert app.dirty == []
            for index in range(500, 900):
                script.run(app.state, index)
            app.grid.repaint()
            assert app.dirty == [], "what is not on the screen costs nothing"
            script.run(app.state, 1004)
            app.grid.repaint()
            assert [(region.y, region.height) for region in app.dirty] == [(5, 1)]
            assert app.dirty[0].width < 20
            app.dirty.clear()
            for index in (*range(5), *range(1005, 1010)):
                script.run(app.state, index)
            app.grid.repaint()
            assert {region.y for region in app.dirty} == set(range(1, 11))

    asyncio.run(session())
