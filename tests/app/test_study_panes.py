"""The panes of the study screen: focus, zoom, small terminals, and a display that is paused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.store.study_directory import open_study
from tests.app.app_helpers import FAILED, Desk, lines_of, visit
from tests.unit.engine import script
from tests.unit.tui.directories import append


def test_a_pane_is_zoomed_and_back(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("z")
        await desk.gone("Steps")
        assert not desk.screen.log_pane.display
        await desk.press("3")
        assert desk.screen.log_pane.size.width > 130
        await desk.press("z")
        await desk.see("Steps", "Instances")
        await desk.press("z", "escape")
        await desk.see("Steps", "Instances")

    visit(ran, user)


def test_the_panes_take_turns_by_number_and_tab(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        seen: list[str | None] = []
        for key in ("1", "2", "3", "tab", "tab", "shift+tab", "shift+tab"):
            await desk.press(key)
            seen.append(desk.app.focused.id if desk.app.focused else None)
        assert seen == ["steps", "grid", "log", "steps", "grid", "steps", "log"]

    visit(ran, user)


def test_on_a_small_terminal_there_is_one_page_at_a_time(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.see("1 Steps", "2 Grid", "3 Log")
        await desk.until(lambda: desk.text.count("FAIL") == 2, "the grid")
        assert [desk.steps.size.width, desk.screen.log_pane.size.width] == [0, 0]
        await desk.press("1")
        await desk.see("depends on nothing")
        assert "FAIL" not in desk.text
        await desk.press("j", "j", "enter", "G", "3")
        await desk.see("no room for 20")
        await desk.press("question_mark")
        await desk.see("Keys")
        await desk.press("escape", "2", "enter")
        await desk.see("Depends on")
        await desk.press("escape", "r")
        await desk.see("No (n)", "Yes, retry (y)")
        assert max(map(len, lines_of(desk.app))) <= 80

    visit(ran, user, size=(80, 24))


@pytest.mark.parametrize("size", [(20, 6), (40, 10), (1, 1), (250, 70), (99, 24), (100, 24)])
def test_no_size_is_too_small_or_too_large(ran: Path, size: tuple[int, int]) -> None:
    async def user(desk: Desk) -> None:
        for key in ("j", "l", "1", "3", "2", "question_mark", "escape", "enter", "escape", "T", "escape", "C", "escape",
                    "r", "n", "z", "slash", "escape"):  # fmt: skip
            await desk.press(key)
        await desk.pilot.resize_terminal(80, 24)
        await desk.see("1 Steps", "2 Grid")
        await desk.pilot.resize_terminal(*size)

    visit(ran, user, size=size)


def test_the_display_is_paused_and_resumed(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtui.tui.views.driver_thread.DriverThread.start", lambda _: None)
    directory = open_study(own)

    async def user(desk: Desk) -> None:
        await desk.press("p")
        await desk.see("display paused")
        append(directory, script.retry(desk.index(FAILED[0])), epoch=9)
        looked = desk.study.feed.read_at
        await desk.press("R")
        await desk.until(lambda: desk.study.feed.read_at > looked, "the journal is read")
        await desk.pilot.pause()
        assert desk.text.count("FAIL") == 2
        await desk.press("p")
        await desk.gone("display paused")
        await desk.until(lambda: desk.text.count("FAIL") == 1, "one fails no more")

    visit(own, user)
