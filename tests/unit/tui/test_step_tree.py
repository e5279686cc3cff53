"""The step tree: depths, bars of shares, and its lines on a screen."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from mtui.core.plan.model import Plan
from mtui.core.study.state import StudyState
from mtui.core.study.status import Status
from mtui.tui.app.themes import variable_defaults
from mtui.tui.app.widgets.step_tree import StepTree, depths, shares, waits_for
from mtui.tui.views.appearance import Group
from mtui.tui.views.view import StudyView
from tests.plans import plan, step
from tests.unit.study import script
from tests.unit.tui.app_helpers import lines_of, press

DIAMOND = plan(
    step("prep"),
    step("left", "prep", uses="A"),
    step("right", "prep", uses="A"),
    step("join", "left", "right", uses="A"),
    step("all", "join_*"),
    step("lone"),
    rows={"A": range(20)},
)


def _by_name(plan: Plan, found: list[int]) -> dict[str, int]:
    return {step.name: depth for step, depth in zip(plan.steps, found, strict=True)}


# --- the graph


def test_the_depth_of_a_step_is_its_longest_way_down() -> None:
    expected = {"prep": 0, "left": 1, "right": 1, "join": 2, "all": 3, "lone": 0}
    assert _by_name(DIAMOND, depths(DIAMOND)) == expected
    detour = plan(step("a"), step("b", "a"), step("c", "a", "b"), step("d", "c_*", "a"))
    assert _by_name(detour, depths(detour)) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_what_a_step_waits_for_is_told_in_words() -> None:
    words = {step.name: waits_for(DIAMOND, step) for step in DIAMOND.steps}
    assert words["prep"] == "nothing"
    assert words["join"] == "left and right"
    assert words["all"] == "all of join"


# --- shares


def test_shares_are_in_proportion() -> None:
    assert shares({Group.DONE: 50, Group.RUNNING: 25, Group.WAITING: 25}, 8) == {
        Group.DONE: 4,
        Group.RUNNING: 2,
        Group.WAITING: 2,
    }


@pytest.mark.parametrize("group", Group)
def test_one_among_many_is_seen(group: Group) -> None:
    many = Group.DONE if group is not Group.DONE else Group.WAITING
    assert shares({many: 100_000, group: 1}, 10) == {many: 9, group: 1}


def test_nothing_has_no_shares() -> None:
    assert shares({}, 10) == {}
    assert shares({Group.DONE: 0}, 10) == {}
    assert shares({Group.DONE: 3}, 0) == {}


@given(st.dictionaries(st.sampled_from(Group), st.integers(0, 10**6)), st.integers(7, 80))
def test_a_bar_is_as_wide_as_asked_for_and_hides_no_group(counts: dict[Group, int], width: int) -> None:
    cells = shares(counts, width)
    present = {group for group, count in counts.items() if count}
    assert set(cells) == present
    assert all(count >= 1 for count in cells.values())
    assert sum(cells.values()) == (width if present else 0)


@given(st.dictionaries(st.sampled_from(Group), st.integers(1, 10**6), min_size=1), st.integers(7, 80))
def test_more_never_gets_less_of_a_bar(counts: dict[Group, int], width: int) -> None:
    cells = shares(counts, width)
    for one in counts:
        for other in counts:
            assert counts[one] > counts[other] or cells[one] <= cells[other] + 1


def test_failures_stand_between_what_is_done_and_what_is_to_come() -> None:
    assert list(shares(dict.fromkeys(Group, 5), 14)) == [
        Group.DONE,
        Group.FAILED,
        Group.CANCELLED,
        Group.BLOCKED,
        Group.RUNNING,
        Group.QUEUED,
        Group.WAITING,
    ]


# --- on a screen


class _Steps(App[None]):
    """The tree and nothing else."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.state = StudyState(plan)
        self.steps = StepTree(StudyView(plan), self.state, plain=True)
        self.steps.is_read = True
        self.heard: list[int] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(dark=True)

    def compose(self) -> ComposeResult:
        yield self.steps

    def on_step_tree_moved(self, event: StepTree.Moved) -> None:
        self.heard.append(event.column)

    def on_step_tree_chosen(self, event: StepTree.Chosen) -> None:
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
            assert "waits for left and right" in text
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


def test_the_cursor_tells_where_it_goes_and_stays_inside() -> None:
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
