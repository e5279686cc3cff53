"""What is marked and sorted on the study screen, and commands for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.engine.commands import CommandRequest
from mtui.core.engine.status import Status
from mtui.core.store import inbox
from mtui.core.store.study_directory import open_study
from mtui.tui.app.screens.dialogs import ConfirmScreen, PickScreen
from mtui.tui.app.screens.study_screen import StudyScreen
from tests.app.app_helpers import FAILED, SIMS, Desk, visit

# --- marks and order


def test_marks_ranges_and_all_that_is_shown(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("l", "l", "space", "space")
        assert desk.marked() == set(SIMS[:2])
        await desk.see("2 marked")
        await desk.press("V")
        await desk.see("range: move to its other end")
        await desk.press("j", "V")
        assert desk.marked() == set(SIMS[:4])
        await desk.press("backslash")
        assert desk.marked() == set()
        await desk.press("V", "j", "escape", "V", "escape")
        assert desk.marked() == set(), "escape gives a range up"
        await desk.press("f", "asterisk")
        assert desk.marked() == set(FAILED)
        await desk.press("escape", "escape")
        assert desk.marked() == set(FAILED), "marks outlive a filter"

    visit(ran, user)


def test_rows_are_sorted_and_sorted_back(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("S")
        assert isinstance(desk.app.screen, PickScreen)
        await desk.see("state of sim")
        await desk.press("j", "enter")
        await desk.see("sorted by SIZE")
        assert desk.study.view.order == [0, 1, 2, 3, 4, 5]
        await desk.press("S", "j", "enter")
        await desk.see("sorted by SIZE, descending")
        assert desk.study.view.order == [4, 5, 2, 3, 0, 1]
        await desk.press("S", "escape")
        assert desk.study.view.order == [4, 5, 2, 3, 0, 1]
        await desk.press("S", "enter")
        await desk.gone("sorted by")
        assert desk.study.view.order == [0, 1, 2, 3, 4, 5]

    visit(ran, user)


# --- acting


def test_enter_in_a_question_means_no(own: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "r")
        assert isinstance(desk.app.screen, ConfirmScreen)
        await desk.see("Retry 1 instance?", FAILED[0], "1 blocked instance downstream can then start")
        await desk.press("enter")
        for key in ("n", "escape", "q"):
            assert isinstance(desk.app.screen, StudyScreen)
            await desk.press("r", key)
        assert isinstance(desk.app.screen, StudyScreen)
        assert desk.study.sent == []
        assert list((own / ".mtui" / "inbox" / "new").iterdir()) == []

    visit(own, user)


def test_what_failed_is_retried_and_the_study_ends_well(own: Path, tmp_path: Path, ran: Path) -> None:
    fixed = ran.parent / "fixed"

    async def user(desk: Desk) -> None:
        fixed.touch()
        await desk.press("A")
        await desk.see("Retry 2 instances?")
        await desk.press("y")
        assert desk.study.sent[-1].words == "retry 2 instances"
        await desk.until(
            lambda: desk.study.describe_progress(desk.study.sent[-1])[0].startswith("done"), "the command is done"
        )
        await desk.see("done: 2 will run again")
        await desk.until(lambda: desk.study.state.result == "finished", "the study is over")
        await desk.see("11/11", "100 %", "study finished")
        assert desk.status("report") is Status.FINISHED

    try:
        visit(own, user)
    finally:
        fixed.unlink()
    assert tmp_path in own.parents
    assert (own / "sim" / "SEED.a.SIZE.20" / f"{FAILED[0]}.1.err").read_text() == "no room for 20\n"


def test_a_command_without_a_driver_waits_in_the_inbox(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtui.tui.views.driver_thread.DriverThread.start", lambda _: None)

    async def user(desk: Desk) -> None:
        await desk.press("n", "space", "space", "r", "tab", "enter")
        await desk.see("retry 2 instances: sent, waits for a driver")
        assert desk.marked() == set(), "what was acted on is marked no longer"

    visit(own, user)
    [path] = inbox.pending_commands(open_study(own).inbox)
    request = inbox.read_command(path)
    assert isinstance(request, CommandRequest)
    assert (request.verb, request.targets) == ("retry", FAILED)


def test_a_command_that_would_change_nothing_needs_no_confirmation(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        for key, words in (("c", "nothing to cancel"), ("r", "nothing to retry"), ("H", "nothing to hold"),
                           ("U", "nothing to release")):  # fmt: skip
            await desk.press(key)
            await desk.see(words)
            assert isinstance(desk.app.screen, StudyScreen)

    visit(ran, user)


def test_on_the_steps_a_command_means_the_whole_step(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("1", "j", "j", "r")
        await desk.see("Retry 2 instances?")
        await desk.press("n")

    visit(ran, user)
