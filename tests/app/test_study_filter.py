"""Filters on the study screen: typed, recalled, by key and by a click."""

from __future__ import annotations

from pathlib import Path

from tests.app.app_helpers import FAILED, Desk, lines_of, visit


def test_a_filter_shows_what_matches(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("slash")
        await desk.type("state:failed")
        await desk.press("enter")
        await desk.see("/state:failed  2 shown")
        assert desk.study.view.order == [4, 5]
        assert desk.app.focused is desk.grid
        await desk.press("escape")
        await desk.gone("/state:failed")
        assert len(desk.study.view.order) == 6

    visit(ran, user)


def test_a_filter_with_a_mistake_says_so_and_the_old_one_stays(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("slash")
        await desk.type("SIZE>5")
        await desk.press("enter")
        assert desk.study.view.order == [2, 3, 4, 5]
        await desk.press("slash")
        assert desk.screen.input.value == "SIZE>5", "the filter is there to be changed"
        for _ in "SIZE>5":
            await desk.press("backspace")
        await desk.type("state:faild")
        await desk.press("enter")
        await desk.see("unknown state 'faild'", "failed")
        assert desk.app.focused is desk.screen.input, "it can be fixed"
        assert desk.study.view.filter.text == "SIZE>5"
        await desk.press("escape")
        assert desk.app.focused is desk.grid
        assert desk.study.view.order == [2, 3, 4, 5]

    visit(ran, user)


def test_a_filter_that_was_cleared_is_recalled(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("slash")
        await desk.type("SEED=b")
        await desk.press("enter", "escape")
        assert desk.study.view.hits is None
        await desk.press("slash", "enter")
        assert desk.study.view.order == [1, 3, 5]

    visit(ran, user)


def test_f_goes_through_the_states_that_are_there(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("f")
        assert desk.study.view.filter.text == "state:failed"
        await desk.press("f")
        assert desk.study.view.filter.text == "", "nothing runs, is queued or waits"

    visit(ran, user)


def test_n_goes_to_what_failed_or_to_what_the_filter_shows(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        seen: list[str] = []
        for key in ("n", "n", "n", "N"):
            await desk.press(key)
            seen.append(desk.here)
        assert seen == [FAILED[0], FAILED[1], FAILED[0], FAILED[1]]
        await desk.press("slash")
        await desk.type("step:mesh")
        await desk.press("enter", "g")
        seen.clear()
        for key in ("n", "n", "N"):
            await desk.press(key)
            seen.append(desk.here)
        assert len(set(seen)) > 1 and all(name.startswith("mesh") for name in seen)

    visit(ran, user)


def test_a_click_on_a_count_is_a_filter(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        line = next(number for number, line in enumerate(lines_of(desk.app)) if line.startswith(" all 11"))
        await desk.pilot.click(offset=(lines_of(desk.app)[line].index("failed"), line))
        await desk.see("/state:failed  2 shown")

    visit(ran, user)
