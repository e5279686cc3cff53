"""In the app: what is run again although it is done, what is marked by hand, and rows that are added meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.engine.status import Status
from mtui.tui.app.screens.dialogs import ConfirmScreen, RetryScreen
from mtui.tui.app.screens.study_screen import StudyScreen
from tests import mtui
from tests.app.app_helpers import Desk, visit

STEPS = """\
- {name: sim, description: d, run: {cmd: '[ $(SIZE) != 2 ]'}}
- {name: post, description: d, run: {cmd: 'echo $(SIZE)', depends: [sim]}}
- {name: all, description: d, run: {cmd: 'true', depends: ["post_*"]}}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study on this machine that is over; one of its rows failed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    spec = mtui.write_study(tmp_path / "s.yaml", STEPS, parameters="  SIZE: {values: [1, 2], label: SIZE.%%}")
    assert mtui.run("--no-ui", "-o", tmp_path / "out", spec).returncode == 2
    return tmp_path / "out"


def test_failed_one_is_marked_as_done_with_a_reason_and_its_dependents_run(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n")
        assert desk.here == "sim_SIZE.2"
        await desk.press("M")
        assert isinstance(desk.app.screen, RetryScreen)
        await desk.see("Mark 1 instance as done?", "2 instances downstream can then start", "reason")
        await desk.press("tab")
        await desk.type("it is known")
        await desk.press("ctrl+s")
        await desk.until(lambda: desk.status("all") is Status.FINISHED, "all is done")
        await desk.see("sim_SIZE.2", "finished")

    visit(study, user)
    why = mtui.run("why", study, "sim_SIZE.2").stdout
    assert "marked as finished by hand: it is known" in why


def test_done_one_runs_again_with_all_that_follows(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("g", "E")
        await desk.see("Rerun 1 instance with all dependents?", "1 instance downstream will run again as well")
        assert isinstance(desk.app.screen, ConfirmScreen)
        await desk.press("y")
        await desk.until(lambda: len(desk.study.state.attempts[desk.index("post_SIZE.1")]) == 2, "it runs again")
        await desk.until(lambda: desk.study.state.result, "the study is over")
        assert len(desk.study.state.attempts[desk.index("sim_SIZE.2")]) == 1

    visit(study, user)


def test_one_is_skipped_and_shown_so(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "K")
        await desk.see("Skip 1 instance?")
        await desk.press("y")
        await desk.until(lambda: desk.status("sim_SIZE.2") is Status.SKIPPED, "it is skipped")
        await desk.until(lambda: desk.status("all") is Status.FINISHED, "all is done")
        await desk.see("↷ skipped")

    visit(study, user)


def test_rows_that_are_added_meanwhile_are_shown(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.see("all 5")
        assert mtui.run("extend", study, "--params", "SIZE=3,4").returncode == 0
        await desk.see("all 9", "rows were added: 9 instances")
        await desk.until(lambda: len(desk.study.state.status) == 9, "the journal is read again")
        await desk.until(lambda: desk.status("post_SIZE.4") is Status.FINISHED, "the new rows are done")
        await desk.until(lambda: desk.study.state.result, "the study is over")
        assert desk.status("all") is Status.BLOCKED

    visit(study, user)


def test_news_that_comes_before_the_screen_is_built_waits_for_it(study: Path) -> None:
    async def user(desk: Desk) -> None:
        desk.app.switch_screen(StudyScreen(desk.study, plain=False))
        assert not desk.app.screen.is_mounted
        desk.app.on_mtui_app_study_changed()
        await desk.until(lambda: desk.app.screen.is_mounted, "the screen is built")
        await desk.see("all 5")

    visit(study, user)
