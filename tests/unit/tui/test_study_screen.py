"""The study screen on a study that really ran: every key, as a person uses it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mtui.core.driver.location import StudyOver
from mtui.core.store import inbox
from mtui.core.store.layout import open_study
from mtui.core.study.status import Status
from mtui.tui.model.appearance import LOOKS
from mtui.tui.screens.commands import CommandsScreen
from mtui.tui.screens.detail import DetailScreen
from mtui.tui.screens.dialogs import ConfirmScreen, PickScreen
from mtui.tui.screens.help import HelpScreen
from mtui.tui.screens.study import StudyScreen
from mtui.tui.screens.timeline import TimelineScreen
from mtui.tui.widgets.log_pane import LogPane
from tests import mtui
from tests.unit.study import script
from tests.unit.tui.app_helpers import FAILED, Desk, append, lines_of, run_study, visit

SIMS = [f"sim_SEED.{seed}.SIZE.{size}" for size in (5, 10, 20) for seed in "ab"]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that ran; no test may change it."""
    return run_study(tmp_path_factory.mktemp("ran"))


@pytest.fixture
def own(ran: Path, tmp_path: Path) -> Path:
    """A copy of the study that the test may change."""
    return mtui.copied(ran, tmp_path / "out")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    return tmp_path / "config"


def _visit(root: Path, *acts: Callable[[Desk], Awaitable[object]], size: tuple[int, int] = (140, 40)) -> None:
    async def user(desk: Desk) -> None:
        for act in acts:
            await act(desk)

    visit(root, user, size)


# --- what is on it


def test_the_whole_study_is_seen_at_once(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.see("no driver: the study is over: failed", "8/11", "72 %", str(ran))
        text = desk.text
        for words in (
            "Steps",
            "Instances",
            "prep",
            "mesh",
            "sim",
            "report",
            "all 11",
            "done 8",
            "failed 2",
            "blocked 1",
        ):
            assert words in text, words
        assert text.count("FAIL") == 2

    _visit(ran, user)


def test_a_step_that_uses_fewer_parameters_spans_its_rows(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        rows = [line.split("││")[1] for line in lines_of(desk.app) if "││ 5 " in line or "││ 10 " in line]
        assert len(rows) == 4
        assert [row.count("done") for row in rows] == [3, 1, 2, 1]
        assert [row.count("╎") for row in rows] == [0, 3, 2, 3]

    _visit(ran, user)


def test_keys_move_the_cursor_and_the_panes_follow(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        assert desk.here == "prep"
        await desk.press("l", "l")
        assert desk.here == SIMS[0]
        await desk.see("simulating 5 a")
        assert desk.steps.step and desk.steps.step.name == "sim"
        await desk.press("j")
        assert desk.here == SIMS[1]
        await desk.see("simulating 5 b", f" {SIMS[1]} ", " finished")
        await desk.press("G")
        await desk.see("no room for 20", "stderr", "failed")
        await desk.press("o")
        await desk.see("#!/bin/bash")
        await desk.press("o", "o", "o")
        await desk.see("no room for 20")

    _visit(ran, user)


def test_the_step_tree_moves_the_grid(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("1", "j", "j")
        assert desk.grid.column == 2
        await desk.see("sim: 6 instances", "waits for mesh", "4 done")
        await desk.press("enter", "j")
        assert desk.here == SIMS[1]

    _visit(ran, user)


# --- filter


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

    _visit(ran, user)


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
        await desk.see("there is no state 'faild'", "failed")
        assert desk.app.focused is desk.screen.input, "it can be mended"
        assert desk.study.view.filter.text == "SIZE>5"
        await desk.press("escape")
        assert desk.app.focused is desk.grid
        assert desk.study.view.order == [2, 3, 4, 5]

    _visit(ran, user)


def test_a_filter_that_was_cleared_is_recalled(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("slash")
        await desk.type("SEED=b")
        await desk.press("enter", "escape")
        assert desk.study.view.hits is None
        await desk.press("slash", "enter")
        assert desk.study.view.order == [1, 3, 5]

    _visit(ran, user)


def test_f_goes_through_the_states_that_are_there(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("f")
        assert desk.study.view.filter.text == "state:failed"
        await desk.press("f")
        assert desk.study.view.filter.text == "", "nothing runs, is queued or waits"

    _visit(ran, user)


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

    _visit(ran, user)


def test_a_click_on_a_count_is_a_filter(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        line = next(number for number, line in enumerate(lines_of(desk.app)) if line.startswith(" all 11"))
        await desk.pilot.click(offset=(lines_of(desk.app)[line].index("failed"), line))
        await desk.see("/state:failed  2 shown")

    _visit(ran, user)


# --- marks and order


def test_marks_ranges_and_all_that_is_shown(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("l", "l", "space", "space")
        assert desk.marked() == set(SIMS[:2])
        await desk.see("2 marked")
        await desk.press("V")
        await desk.see("range: go to its other end")
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

    _visit(ran, user)


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

    _visit(ran, user)


# --- acting


def test_enter_in_a_question_means_no(own: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "r")
        assert isinstance(desk.app.screen, ConfirmScreen)
        await desk.see("Retry 1 instance?", FAILED[0], "1 blocked instance further down may follow")
        await desk.press("enter")
        for key in ("n", "escape", "q"):
            assert isinstance(desk.app.screen, StudyScreen)
            await desk.press("r", key)
        assert isinstance(desk.app.screen, StudyScreen)
        assert desk.study.sent == []
        assert list((own / ".mtui" / "inbox" / "new").iterdir()) == []

    _visit(own, user)


def test_what_failed_is_retried_and_the_study_ends_well(own: Path, tmp_path: Path, ran: Path) -> None:
    mended = ran.parent / "mended"

    async def user(desk: Desk) -> None:
        mended.touch()
        await desk.press("A")
        await desk.see("Retry 2 instances?")
        await desk.press("y")
        assert desk.study.sent[-1].words == "retry 2 instances"
        await desk.until(lambda: desk.study.way(desk.study.sent[-1])[0].startswith("done"), "the command is done")
        await desk.see("done: 2 to run again")
        await desk.until(lambda: desk.study.state.result == "finished", "the study is over")
        await desk.see("11/11", "100 %", "the study is over: finished")
        assert desk.status("report") is Status.FINISHED

    try:
        _visit(own, user)
    finally:
        mended.unlink()
    assert tmp_path in own.parents
    assert (own / "sim" / "SEED.a.SIZE.20" / f"{FAILED[0]}.1.err").read_text() == "no room for 20\n"


def test_a_command_without_a_driver_waits_in_the_inbox(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtui.tui.driving.Driving.start", lambda _: None)

    async def user(desk: Desk) -> None:
        await desk.press("n", "space", "space", "r", "tab", "enter")
        await desk.see("retry 2 instances: sent, waits for a driver")
        assert desk.marked() == set(), "what was acted on is marked no longer"

    _visit(own, user)
    [path] = inbox.waiting(open_study(own).inbox)
    request = inbox.read(path)
    assert not isinstance(request, str)
    assert (request.verb, request.targets) == ("retry", FAILED)


def test_a_command_that_would_change_nothing_is_not_asked_for(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        for key, words in (("c", "nothing to cancel"), ("r", "nothing to retry"), ("H", "nothing to hold"),
                           ("U", "nothing to release")):  # fmt: skip
            await desk.press(key)
            await desk.see(words)
            assert isinstance(desk.app.screen, StudyScreen)

    _visit(ran, user)


def test_on_the_steps_a_command_means_the_whole_step(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("1", "j", "j", "r")
        await desk.see("Retry 2 instances?")
        await desk.press("n")

    _visit(ran, user)


# --- panes


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

    _visit(ran, user)


def test_the_panes_take_turns_by_number_and_tab(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        seen: list[str | None] = []
        for key in ("1", "2", "3", "tab", "tab", "shift+tab", "shift+tab"):
            await desk.press(key)
            seen.append(desk.app.focused.id if desk.app.focused else None)
        assert seen == ["steps", "grid", "log", "steps", "grid", "steps", "log"]

    _visit(ran, user)


def test_on_a_small_terminal_there_is_one_page_at_a_time(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.see("1 Steps", "2 Grid", "3 Log")
        await desk.until(lambda: desk.text.count("FAIL") == 2, "the grid")
        assert [desk.steps.size.width, desk.screen.log_pane.size.width] == [0, 0]
        await desk.press("1")
        await desk.see("waits for nothing")
        assert "FAIL" not in desk.text
        await desk.press("j", "j", "enter", "G", "3")
        await desk.see("no room for 20")
        await desk.press("question_mark")
        await desk.see("Keys")
        await desk.press("escape", "2", "enter")
        await desk.see("Waits for")
        await desk.press("escape", "r")
        await desk.see("No (n)", "Yes, retry (y)")
        assert max(map(len, lines_of(desk.app))) <= 80

    _visit(ran, user, size=(80, 24))


@pytest.mark.parametrize("size", [(20, 6), (40, 10), (1, 1), (250, 70), (99, 24), (100, 24)])
def test_no_size_is_too_small_or_too_large(ran: Path, size: tuple[int, int]) -> None:
    async def user(desk: Desk) -> None:
        for key in ("j", "l", "1", "3", "2", "question_mark", "escape", "enter", "escape", "T", "escape", "C", "escape",
                    "r", "n", "z", "slash", "escape"):  # fmt: skip
            await desk.press(key)
        await desk.pilot.resize_terminal(80, 24)
        await desk.see("1 Steps", "2 Grid")
        await desk.pilot.resize_terminal(*size)

    _visit(ran, user, size=size)


def test_the_display_is_paused_and_goes_on(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtui.tui.driving.Driving.start", lambda _: None)
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

    _visit(own, user)


# --- further screens


def test_the_help_tells_every_key_of_the_pane_and_of_the_screen(ran: Path) -> None:
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

    _visit(ran, user)


def test_the_detail_screen_tells_everything_and_goes_up_and_down(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "enter")
        assert isinstance(desk.app.screen, DetailScreen)
        await desk.see(FAILED[0], "exit code 3", "no room for 20", "SIZE = 20", "SEED = a", "mesh_SIZE.20 (finished)",
                       "report (1 instance, with all others of this step)")  # fmt: skip
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

    _visit(ran, user, size=(140, 60))


def test_the_commands_and_their_answers_are_listed(own: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("C")
        assert isinstance(desk.app.screen, CommandsScreen)
        await desk.see("nobody has asked for anything yet", "this study does not use Slurm")
        await desk.press("escape", "n", "r", "y")
        await desk.until(lambda: desk.study.way(desk.study.sent[-1])[0].startswith("done"), "the command is done")
        await desk.press("C")
        await desk.see(f"done: 1 to run again  retry {FAILED[0]}")
        await desk.press("escape")
        await desk.until(lambda: isinstance(desk.study.driving.location, StudyOver), "it failed again")

    _visit(own, user)


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

    _visit(ran, user)


def test_a_search_in_the_log(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "3", "slash")
        assert "search" in desk.screen.input.placeholder
        await desk.type("room")
        await desk.press("enter")
        await desk.until(lambda: "1/1" in str(desk.screen.query_one(LogPane).border_subtitle), "the hit is counted")
        assert desk.study.view.hits is None
        assert desk.app.focused is desk.screen.log_pane

    _visit(ran, user)


def test_something_is_copied(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("n", "y")
        await desk.see("job id", "workspace", f"mtui {ran}", "its last 1 line")
        await desk.press("j", "enter")
        await desk.see("copied:")
        assert desk.app.clipboard == str(ran / "sim" / "SEED.a.SIZE.20")

    _visit(ran, user)


def test_it_goes_to_an_instance_that_the_filter_hides(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("f", "1")
        desk.app.go_to(desk.index(SIMS[0]))
        await desk.pilot.pause()
        assert desk.here == SIMS[0]
        assert desk.study.view.hits is None
        assert desk.app.focused is desk.grid

    _visit(ran, user)


def test_escape_and_ctrl_c_never_leave(ran: Path) -> None:
    async def user(desk: Desk) -> None:
        await desk.press("escape", "escape", "ctrl+c")
        await desk.see("q leaves the screen")
        assert isinstance(desk.app.screen, StudyScreen)
        await desk.press("q")
        await desk.until(lambda: not desk.app.is_running or desk.app._exit, "it leaves")

    _visit(ran, user)
