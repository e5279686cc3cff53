"""The step tree on a screen."""

from __future__ import annotations

import asyncio

from textual.app import App, ComposeResult

from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan
from mtui.tui.app.themes import variable_defaults
from mtui.tui.app.widgets.step_tree import StepTree
from mtui.tui.views.status_grid import GridView
from tests.app.app_helpers import lines_of, press
from tests.plans import plan, step
from tests.unit.engine import script

DIAMOND = plan(
    step("prep"),
    step("left", "prep", uses="A"),
    step("right", "prep", uses="A"),
    step("join", "left", "right", uses="A"),
    step("all", "join_*"),
    step("lone"),
    rows={"A": range(20)},
)


class _Steps(App[None]):
    """The tree and nothing else."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.state = StudyState(plan)
        self.steps = StepTree(GridView(plan), self.state, plain=True)
        self.steps.is_read = True
        self.heard: list[int] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(dark=True)

    def compose(self) -> ComposeResult:
        yield self.steps

    def on_step_tree_step_highlighted(self, event: StepTree.StepHighlighted) -> None:
        self.heard.append(event.column)

    def on_step_tree_step_selected(self, event: StepTree.StepSelected) -> None:
        self.heard.append(event.column + 100)


def test_the_tree_shows_depth_counts_and_what_the_chosen_step_waits_for() -> None:
    async def visit() -> None:
        app = _Steps(DIAMOND)
        script.run(app.state, 0)
        script.run(app.state, 1, Status.FAILED)
        async with app.run_test(size=(40, 16)) as pilot:
            lines = lines_of(app)
            left = next(line for line in lines if "left" in line)
            assert left.startswith(" `- left")
            assert "0/20" in left and "x" in left and "." in left
            assert any(line.startswith("   `-+join") for line in lines)
            assert any(line.startswith("     `-*all") for line in lines)
            app.steps.go_to([step.name for step in app.steps.view.steps].index("join"))
            await pilot.pause()
            text = "\n".join(lines_of(app))
            assert "join: 20 instances in Slurm" in text
            assert "depends on left and right" in text
            assert "19 waiting" in text and "1 blocked" in text

    asyncio.run(visit())


def test_no_count_falls_off_a_narrow_tree() -> None:
    async def visit() -> None:
        app = _Steps(DIAMOND)
        script.run(app.state, 0)
        script.run(app.state, 1, Status.FAILED)
        script.run(app.state, 2)
        script.apply(app.state, script.intend("s", (3, 1)))
        async with app.run_test(size=(40, 16)) as pilot:
            app.steps.go_to([step.name for step in app.steps.view.steps].index("left"))
            await pilot.pause()
            assert "1 queued  17 waiting  1 done  1 failed" in "\n".join(lines_of(app))
            await pilot.resize_terminal(30, 16)
            await pilot.pause()
            assert "q 1  . 17  = 1  x 1" in "\n".join(lines_of(app))

    asyncio.run(visit())


def test_the_cursor_reports_where_it_goes_and_stays_inside() -> None:
    async def visit() -> None:
        app = _Steps(DIAMOND)
        async with app.run_test(size=(40, 8)) as pilot:
            await press(pilot, "k", "j", "down", "G", "g", "enter")
            await pilot.pause()
            assert app.heard == [0, 1, 2, 5, 0, 100]

    asyncio.run(visit())


def test_more_steps_than_lines_are_scrolled_to() -> None:
    async def visit() -> None:
        many = plan(*(step(f"step{number:02}") for number in range(40)))
        app = _Steps(many)
        async with app.run_test(size=(40, 12)) as pilot:
            await press(pilot, "G")
            await pilot.pause()
            text = "\n".join(lines_of(app))
            assert "step39 " in text
            assert "step39: 1 instance in Slurm" in text

    asyncio.run(visit())


def test_names_of_any_kind_fit_on_a_line() -> None:
    async def visit() -> None:
        app = _Steps(plan(step("x" * 120), step("a日本語" * 20)))
        async with app.run_test(size=(30, 10)):
            assert all(len(line) <= 30 for line in lines_of(app))
            assert "~" in lines_of(app)[0]

    asyncio.run(visit())
