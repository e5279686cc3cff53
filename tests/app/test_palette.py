"""The palette: every action by its name, and every instance by part of its name."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandPalette

from mtui.tui.app.screens.dialogs import PickScreen
from mtui.tui.app.screens.help_screen import HelpScreen
from mtui.tui.app.screens.study_screen import StudyScreen
from tests.app.app_helpers import Desk, visit
from tests.unit.engine import script
from tests.unit.tui.directories import append, write_slurm_study

STEPS = "- {name: sim, description: d, run: {cmd: 'echo $(CASE) $(SIZE)', procs: 1}}"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtui.tui.views.driver_thread.DriverThread.start", lambda _: None)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    cases = ", ".join(
        f'"{name}"' for name in ["alpha", "beta", "gamma [/x]", *(f"case{number}" for number in range(97))]
    )
    rows = (
        f"  CASE: {{values: [{cases}], label: CASE.%%}}\n  SIZE: {{values: [{', '.join(['7'] * 100)}], label: SIZE.%%}}"
    )
    directory = write_slurm_study(tmp_path / "out", STEPS, rows, 1.0)
    append(directory, script.hold(1))
    return directory.root


async def _search(desk: Desk, text: str) -> None:
    await desk.press("colon")
    await desk.until(lambda: isinstance(desk.app.screen, CommandPalette), "the palette")
    await desk.type(text)


async def _choose(desk: Desk) -> None:
    """Take the first that was found."""
    while isinstance(desk.app.screen, CommandPalette):
        await desk.press("enter")


def test_an_action_is_found_by_its_name_and_done(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await _search(desk, "sort")
        await desk.see("Sort the rows")
        await _choose(desk)
        await desk.until(lambda: isinstance(desk.app.screen, PickScreen), "the action is done")
        await desk.press("escape")
        await _search(desk, "zoom")
        await desk.see("Maximize or restore")
        await _choose(desk)
        await desk.until(lambda: desk.screen.has_class("-zoom"), "the action is done")

    visit(study, user)


def test_without_a_word_every_action_of_the_screen_is_listed(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("ctrl+p")
        await desk.see("Leave", "Help", "Filter")
        await desk.press("escape")
        assert isinstance(desk.app.screen, StudyScreen)

    visit(study, user, size=(120, 50))


def test_an_instance_is_found_by_parts_of_its_name(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await _search(desk, "go to beta 7")
        await desk.see("go to sim_CASE.beta.SIZE.7", "held")
        await _choose(desk)
        await desk.until(lambda: desk.here == "sim_CASE.beta.SIZE.7", "the cursor is there")
        assert isinstance(desk.app.screen, StudyScreen)

    visit(study, user)


def test_a_name_that_looks_like_markup_is_shown_and_found(study: Path) -> None:
    async def user(desk: Desk) -> None:
        name = desk.study.plan.instances[2].name
        await _search(desk, "gamma")
        await desk.see(name)
        await _choose(desk)
        await desk.until(lambda: desk.here == name, "the cursor is there")

    visit(study, user)


def test_of_very_many_instances_some_are_shown(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await _search(desk, "sim")
        await desk.see("go to sim_CASE.alpha.SIZE.7")
        await desk.press("escape")

    visit(study, user)


def test_a_theme_is_chosen_and_kept(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await _search(desk, "mtui-light")
        await desk.see("Theme: mtui-light")
        await _choose(desk)
        await desk.until(lambda: desk.app.theme == "mtui-light", "the theme is chosen")

    async def later(desk: Desk) -> None:
        assert desk.app.theme == "mtui-light"

    visit(study, user)
    visit(study, later)


def test_what_has_no_key_is_found_too(study: Path) -> None:
    async def user(desk: Desk) -> None:
        before = desk.app.plain
        await _search(desk, "ascii")
        await desk.see("Unicode or ASCII glyphs")
        await _choose(desk)
        await desk.see("the glyphs change at the next start")
        changed.append(before)

    async def later(desk: Desk) -> None:
        assert desk.app.plain is not changed[0]

    changed: list[bool] = []
    visit(study, user)
    visit(study, later)


def test_on_another_screen_its_own_actions_are_found(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("enter")
        await _search(desk, "go to a parent")
        await desk.press("escape")
        await desk.press("ctrl+p")
        await desk.see("Parent")
        await desk.press("escape", "question_mark")
        await desk.until(lambda: isinstance(desk.app.screen, HelpScreen), "the help")

    visit(study, user)
