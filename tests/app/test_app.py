"""The app as a whole: themes and keys, the list of studies, and what happens to a study when somebody leaves."""

from __future__ import annotations

import asyncio
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from textual.app import App

from mtui.core.driver.location import DrivenHere
from mtui.core.engine.status import Status
from mtui.core.store.lease_owner import read_current_owner
from mtui.core.store.recent_studies import remember_study
from mtui.core.store.study_directory import open_study
from mtui.tui.app.app import MtuiApp
from mtui.tui.app.run import farewell
from mtui.tui.app.screens.dialogs import RetryScreen
from mtui.tui.app.screens.studies_screen import StudiesScreen
from mtui.tui.app.screens.study_screen import StudyScreen
from tests import mtui
from tests.app.app_helpers import Desk, rows_of, visit
from tests.no_threads import NoThreads
from tests.unit.engine import script
from tests.unit.tui.directories import append, write_slurm_study
from tests.waiting import wait_until

STEPS = """
- {name: sim, description: d, run: {cmd: 'echo $(SIZE)', procs: 1, nodes: 2, walltime: "00:10:00"}}
- {name: post, description: d, run: {cmd: 'echo $(SIZE)', procs: 1, depends: [sim]}}
"""
ROWS = "  SIZE: {values: [1, 2, 3], label: SIZE.%%}"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    return tmp_path / "config" / "mtui" / "preferences.json"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study on Slurm in which one instance failed; nobody drives it."""
    monkeypatch.setattr("mtui.tui.views.driver_thread.DriverThread.start", lambda _: None)
    directory = write_slurm_study(tmp_path / "out", STEPS, ROWS, time.time() - 600, name="sweep")
    append(directory, script.intend("1-1", (0, 1)), script.submitted("1-1", "4711"), script.started(0, job="4711"))
    append(directory, script.ended(0, Status.TIMED_OUT))
    return directory.root


def _keep(config: Path, **content: object) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps(content))


# --- themes and keys


def _colours(app: App[None]) -> set[str]:
    """The colours on the screen that are no shade of grey."""
    styles = [segment.style for row in rows_of(app) for segment in row if segment.style]
    triplets = [colour.triplet for style in styles for colour in (style.color, style.bgcolor) if colour]
    return {triplet.hex for triplet in triplets if triplet and len({triplet.red, triplet.green, triplet.blue}) > 1}


def test_the_dark_theme_is_the_first(study: Path) -> None:
    async def user(desk: Desk) -> None:
        assert desk.app.theme == "mtui-dark"
        assert "#ff6a3d" in _colours(desk.app)

    visit(study, user)


def test_no_color_is_honoured_whatever_was_chosen(study: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _keep(config, theme="mtui-light")
    monkeypatch.setenv("NO_COLOR", "1")

    async def user(desk: Desk) -> None:
        assert desk.app.theme == "mtui-mono"
        assert _colours(desk.app) == set()
        await desk.see("✗ TIMEOUT", "⊠ blocked")

    visit(study, user)


@pytest.mark.parametrize(
    ("kept", "variable", "theme"),
    [("mtui-light", "", "mtui-light"), ("mtui-light", "mtui-mono", "mtui-mono"), ("no such theme", "", "mtui-dark")],
)
def test_a_theme_comes_from_what_was_kept_or_from_the_environment(
    study: Path, config: Path, monkeypatch: pytest.MonkeyPatch, kept: str, variable: str, theme: str
) -> None:
    _keep(config, theme=kept)
    if variable:
        monkeypatch.setenv("TEXTUAL_THEME", variable)

    async def user(desk: Desk) -> None:
        assert desk.app.theme == theme

    visit(study, user)


def test_preferences_that_cannot_be_parsed_are_reported(study: Path, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text('{"keys": {"study.cancel": "x"')

    async def user(desk: Desk) -> None:
        await desk.see("is not a JSON object")

    visit(study, user)


def test_every_theme_can_show_every_screen(study: Path) -> None:
    async def user(desk: Desk) -> None:
        for theme in desk.app.available_themes:
            desk.app.theme = theme
            await desk.press("j", "enter", "escape")
            assert isinstance(desk.app.screen, StudyScreen)

    visit(study, user)


def test_ascii_is_ascii(study: Path, config: Path) -> None:
    _keep(config, ascii=True)

    async def user(desk: Desk) -> None:
        for keys in (("l",), ("enter",), ("escape", "T"), ("escape", "C"), ("escape", "question_mark")):
            await desk.press(*keys)
            odd = {character for character in desk.text if not character.isascii()}
            assert odd <= set("⏎…▁▂▃▄▅▆▇█▎▊▔▏"), (keys, odd)
        await desk.press("escape")
        await desk.see("T TIMEOUT", "# blocked")

    visit(study, user)


def test_keys_are_as_somebody_wants_them(study: Path, config: Path) -> None:
    _keep(config, keys={"study.zoom": "x", "grid.down": "n"})

    async def user(desk: Desk) -> None:
        await desk.press("z")
        assert not desk.screen.has_class("-zoom")
        await desk.press("x")
        assert desk.screen.has_class("-zoom")
        await desk.press("n")
        assert desk.here == "sim_SIZE.2"

    visit(study, user)


# --- a retry of a job


def test_a_retry_offers_what_the_jobs_request(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("r")
        assert isinstance(desk.app.screen, RetryScreen)
        await desk.see("Retry 1 instance?", "walltime", "00:10:00", "nodes")
        await desk.press("y")
        await desk.see("retry sim_SIZE.1: sent, waits for a driver")

    visit(study, user)


# --- the list of studies


def test_without_a_study_there_is_a_list_to_choose_from(study: Path, tmp_path: Path) -> None:
    other = write_slurm_study(tmp_path / "other", STEPS, ROWS, time.time(), name="another").root
    remember_study(other)
    wait_until(lambda: time.time_ns() > other.stat().st_mtime_ns, 10, "the clock has moved")
    remember_study(study)

    async def user(desk: Desk) -> None:
        assert isinstance(desk.app.screen, StudiesScreen)
        await desk.see("sweep", "another", "/out", "/other", "no driver")
        await desk.press("j", "k", "enter")
        await desk.until(lambda: isinstance(desk.app.screen, StudyScreen), "the study")
        await desk.until(lambda: desk.study.is_read, "the journal is read")
        assert desk.study.directory.root == study
        await desk.press("q")
        await desk.until(lambda: isinstance(desk.app.screen, StudiesScreen), "back at the list")
        assert desk.app.study is None
        await desk.press("G", "enter")
        await desk.until(lambda: isinstance(desk.app.screen, StudyScreen), "the other study")
        assert desk.study.directory.root == other
        await desk.press("q")
        await desk.until(lambda: isinstance(desk.app.screen, StudiesScreen), "back at the list")

    visit(None, user)


def test_without_any_study_it_says_how_to_start_one() -> None:
    async def user(desk: Desk) -> None:
        await desk.see("mtui STUDY.yaml")
        await desk.press("j", "k", "G", "g", "enter", "question_mark", "escape")
        assert isinstance(desk.app.screen, StudiesScreen)

    visit(None, user)


def test_a_study_that_is_damaged_does_not_open_and_says_why(study: Path) -> None:
    remember_study(study)

    async def user(desk: Desk) -> None:
        await desk.see("sweep")
        (study / ".mtui" / "study.json").write_text("{")
        await desk.press("enter")
        await desk.see("is damaged")
        assert isinstance(desk.app.screen, StudiesScreen)

    visit(None, user)


# --- leaving


WAITS = "- {{name: a, description: d, run: {{cmd: 'while [ ! -e {go} ]; do sleep 0.05; done'}}}}"


def test_leaving_without_a_free_thread_is_reported_and_works_later(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def user(desk: Desk) -> None:
        await desk.until(lambda: desk.study.is_read, "the journal is read")
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        no_threads = NoThreads(monkeypatch)
        await desk.press("q")
        await desk.see("No thread can be started now")
        assert not desk.app._exit
        no_threads.allow()
        await desk.press("q")
        await desk.until(lambda: desk.app._exit, "the app leaves")

    visit(study, user)


def test_the_study_continues_when_somebody_leaves(tmp_path: Path) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", WAITS.format(go=go))
    assert mtui.run("--dry", "-o", out, spec).returncode == 0

    async def user(desk: Desk) -> None:
        await desk.see("driven here")
        await desk.until(lambda: desk.status("a") is Status.RUNNING, "it runs")
        await desk.press("q")
        await desk.until(
            lambda: not isinstance(desk.study.driving.location, DrivenHere) or desk.app._exit, "it is handed over"
        )
        await desk.until(lambda: desk.app._exit, "the app leaves")

    async def again(desk: Desk) -> None:
        await desk.see("driven by process")
        go.touch()
        await desk.see("study finished", "1/1")

    visit(out, user)
    owner = open_study(out).owner
    wait_until(lambda: (found := read_current_owner(owner)) and found.pid != os.getpid(), 40, "another drives")
    visit(out, again)


def test_an_app_that_ends_without_leaving_hands_over_too(tmp_path: Path) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", WAITS.format(go=go))
    assert mtui.run("--dry", "-o", out, spec).returncode == 0

    async def user(desk: Desk) -> None:
        await desk.see("driven here")

    visit(out, user)
    owner = open_study(out).owner
    try:
        wait_until(lambda: (found := read_current_owner(owner)) and found.pid != os.getpid(), 40, "another drives")
    finally:
        go.touch()
    wait_until(lambda: mtui.status(out)["result"] == "finished", 40, "it ends")


def test_the_last_lines_show_the_status_and_how_to_come_back(study: Path) -> None:
    async def user(desk: Desk) -> None:
        words = farewell(desk.study)
        assert words.startswith("sweep: ")
        assert "1 failed, 1 blocked" in words
        assert words.endswith(f"To return, run: mtui {study}")

    visit(study, user)


def test_news_reach_the_study_below_a_dialog(study: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("question_mark")
        append(open_study(study), script.hold(1), epoch=2)
        desk.study.feed.wake()
        await desk.until(lambda: desk.status("sim_SIZE.2") is Status.HELD, "the new events are applied")

    visit(study, user)


def test_an_app_can_be_closed_before_and_after_it_ran(study: Path) -> None:
    app = MtuiApp()
    app.close()

    async def user(desk: Desk) -> None:
        del desk

    visit(study, user)
