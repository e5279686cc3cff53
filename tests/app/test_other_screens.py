"""The screens and dialogs that are opened from the study screen, and the way out."""

from __future__ import annotations

import re
from pathlib import Path

from mtui.core.driver.location import StudyOver
from mtui.tui.app.screens.commands_screen import CommandsScreen
from mtui.tui.app.screens.help_screen import HelpScreen
from mtui.tui.app.screens.instance_screen import InstanceScreen
from mtui.tui.app.screens.study_screen import StudyScreen
from mtui.tui.app.screens.timeline_screen import TimelineScreen
from mtui.tui.app.widgets.log_pane import LogPane
from mtui.tui.views.appearance import LOOKS
from tests.app.app_helpers import FAILED, SIMS, Desk, visit


def test_the_help_shows_every_key_of_the_pane_and_of_the_screen(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        for page in ("1", "2", "3"):
            await desk.press(page)
            pane = desk.app.focused
            assert pane is not None
            await desk.press("question_mark")
            screen = desk.app.screen
            assert isinstance(screen, HelpScreen)
            text = str(screen._text)
            for node in (pane, desk.screen):
                for binding in type(node).__dict__["BINDINGS"]:
                    assert (binding.tooltip or binding.description) in text, binding
            for status, look in LOOKS.items():
                assert re.search(rf"^ {re.escape(look.glyph)} .*\b{status.value}\b", text, re.MULTILINE), status
            await desk.see("Keys")
            await desk.press("G")
            await desk.see("blocked")
            await desk.press("g", "question_mark")

    visit(ran, user)


def test_the_detail_screen_shows_everything_and_goes_up_and_down(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "enter")
        assert isinstance(desk.app.screen, InstanceScreen)
        await desk.see(FAILED[0], "exit code 3", "no room for 20", "SIZE = 20", "SEED = a", "mesh_SIZE.20 (finished)",
                       "report (1 instance, with all other instances of this step)")  # fmt: skip
        await desk.press("G")
        await desk.see("echo simulating 20 a", f"{FAILED[0]}.sh")
        await desk.press("g", "u")
        await desk.see("mesh_SIZE.20", "prep (finished)")
        await desk.press("d")
        await desk.see("SEED = a", "no room for 20")
        await desk.press("d")
        await desk.see("report is blocked")
        await desk.press("u")
        await desk.see(FAILED[0])
        await desk.press("escape")
        assert isinstance(desk.app.screen, StudyScreen)

    visit(ran, user, size=(140, 60))


def test_the_commands_and_their_answers_are_listed(own: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("C")
        assert isinstance(desk.app.screen, CommandsScreen)
        await desk.see("no commands yet", "this study does not use Slurm")
        await desk.press("escape", "n", "r", "y")
        await desk.until(
            lambda: desk.study.describe_progress(desk.study.sent[-1])[0].startswith("done"), "the command is done"
        )
        await desk.press("C")
        await desk.see(f"done: 1 will run again  retry {FAILED[0]}")
        await desk.press("escape")
        await desk.until(lambda: isinstance(desk.study.driving.location, StudyOver), "it failed again")

    visit(own, user)


def test_the_timeline_leads_to_an_instance(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("T")
        assert isinstance(desk.app.screen, TimelineScreen)
        await desk.see("Timeline", "10 of 11 instances submitted so far")
        await desk.press("G")
        index = desk.app.screen.timeline.index
        assert index is not None
        await desk.press("enter")
        assert isinstance(desk.app.screen, StudyScreen)
        assert desk.grid.index == index
        await desk.press("T", "escape")
        assert isinstance(desk.app.screen, StudyScreen)

    visit(ran, user)


def test_a_search_in_the_log(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "3", "slash")
        assert "search" in desk.screen.input.placeholder
        await desk.type("room")
        await desk.press("enter")
        await desk.until(lambda: "1/1" in str(desk.screen.query_one(LogPane).border_subtitle), "the hit is counted")
        assert desk.study.view.hits is None
        assert desk.app.focused is desk.screen.log_pane

    visit(ran, user)


def test_something_is_copied(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "y")
        await desk.see("job id", "workspace", f"mtui {ran}", "its last 1 line")
        await desk.press("j", "enter")
        await desk.see("copied:")
        assert desk.app.clipboard == str(ran / "sim" / "SEED.a.SIZE.20")

    visit(ran, user)


def test_it_goes_to_an_instance_that_the_filter_hides(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("f", "1")
        desk.app.go_to(desk.index(SIMS[0]))
        await desk.pilot.pause()
        assert desk.here == SIMS[0]
        assert desk.study.view.hits is None
        assert desk.app.focused is desk.grid

    visit(ran, user)


def test_escape_and_ctrl_c_never_leave(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("escape", "escape", "ctrl+c")
        await desk.see("q leaves the app")
        assert isinstance(desk.app.screen, StudyScreen)
        await desk.press("q")
        await desk.until(lambda: not desk.app.is_running or desk.app._exit, "it leaves")

    visit(ran, user)
