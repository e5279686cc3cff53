"""The lines around the panes: words, progress, counts that are filters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from mtui.tui.app.themes import variable_defaults
from mtui.tui.app.widgets.bars import Counts, Head, Progress, WordLine
from mtui.tui.views.appearance import StatusGroup
from tests.app.app_helpers import lines_of

SOME = {StatusGroup.RUNNING: 12, StatusGroup.WAITING: 80, StatusGroup.DONE: 900, StatusGroup.FAILED: 8}


class Bars(App[None]):
    """The three lines and nothing else."""

    def __init__(self, *, plain: bool) -> None:
        super().__init__()
        self.head = Head(plain=plain)
        self.words = WordLine()
        self.counts = Counts(plain=plain)
        self.heard: list[StatusGroup | None] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(dark=True)

    def compose(self) -> ComposeResult:
        yield self.head
        yield self.words
        yield self.counts

    def on_counts_clicked(self, event: Counts.Clicked) -> None:
        self.heard.append(event.group)


def _use(user: Callable[[Bars, Pilot[None]], Awaitable[None]], width: int = 100, *, plain: bool = False) -> None:
    async def session() -> None:
        app = Bars(plain=plain)
        async with app.run_test(size=(width, 4)) as pilot:
            await user(app, pilot)
            await pilot.pause()
            assert all(cell_len(line) <= width for line in lines_of(app))

    asyncio.run(session())


def _progress(name: str = "sweep", done: int = 900, total: int = 1000) -> Progress:
    words = [("about 5m left", "state--running"), ("", ""), ("elapsed 1h00m", "line--faint")]
    return Progress(name, SOME, done, total, words)


# --- progress


def test_the_first_line_says_how_far_a_study_is() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.head.show(_progress())
        await pilot.pause()
        line = lines_of(app)[0]
        assert line.startswith(" sweep ")
        assert "900/1,000 90 %" in line
        assert "about 5m left  elapsed 1h00m" in line
        assert line.count("✗") == 1, "a few failures are seen among many"

    _use(user)


@pytest.mark.parametrize(("done", "total", "share"), [(999, 1000, "99 %"), (1000, 1000, "100 %"), (0, 3, "0 %")])
def test_all_is_said_of_what_is_all_done(done: int, total: int, share: str) -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.head.show(_progress(done=done, total=total))
        await pilot.pause()
        assert f" {share} " in lines_of(app)[0]

    _use(user)


def test_a_study_without_instances_has_no_share() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.head.show(Progress("empty", {}, 0, 0, [("finished", "state--done")]))
        await pilot.pause()
        assert lines_of(app)[0].split() == ["empty", "0/0", "finished"]

    _use(user)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_long_name_leaves_room_for_the_rest(width: int) -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.head.show(_progress("a very long name of a study " * 10 + "日本語"))
        await pilot.pause()
        if width >= 60:
            assert "900/1,000 90 %" in lines_of(app)[0]

    _use(user, width)


def test_a_name_is_harmless_and_no_markup() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.head.show(_progress("[red]x[/red]\x1b[2J"))
        await pilot.pause()
        assert "[red]x[/red]\N{REPLACEMENT CHARACTER}[2J" in lines_of(app)[0]

    _use(user)


def test_where_only_ascii_can_be_shown_nothing_else_is() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.head.show(_progress())
        app.counts.show(SOME, 1000, "", [])
        await pilot.pause()
        assert "\n".join(lines_of(app)).isascii()

    _use(user, plain=True)


# --- words


def test_the_right_side_gets_what_the_left_leaves() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.words.show_words([("left", "")], [("right", "line--faint")])
        await pilot.pause()
        assert lines_of(app)[1] == "left" + " " * 31 + "right"
        app.words.show_words([("x" * 38, "")], [("right", "line--faint")])
        await pilot.pause()
        assert lines_of(app)[1] == "x" * 38 + " ~"
        app.words.show_words([("x" * 50, "")], [("right", "")])
        await pilot.pause()
        assert lines_of(app)[1] == "x" * 39 + "~"
        app.words.show_words([])
        await pilot.pause()
        assert lines_of(app)[1] == ""

    _use(user, 40)


def test_words_of_wide_characters_fit() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.words.show_words([("日本語" * 10, "")], [("語" * 9, "")])
        await pilot.pause()

    for width in (19, 20, 21, 59, 61, 63):
        _use(user, width)


# --- counts


def test_every_group_that_is_there_is_counted() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.counts.show(SOME, 1000, "", [("2 marked", "line--strong")])
        await pilot.pause()
        assert lines_of(app)[2] == " all 1,000  ▸ running 12  ∙ waiting 80  ✓ done 900  ✗ failed 8   2 marked"

    _use(user)


def test_where_there_is_less_room_the_words_get_shorter() -> None:
    many = dict.fromkeys(StatusGroup, 10_000)

    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.counts.show(many, 70_000, "", [])
        await pilot.pause()
        assert lines_of(app)[2].count("10,000") == 7

    for width in (160, 120, 90, 84):
        _use(user, width)


def test_a_click_on_a_count_selects_that_group() -> None:
    async def user(app: Bars, pilot: Pilot[None]) -> None:
        app.counts.show(SOME, 1000, "failed", [])
        await pilot.pause()
        for word in ("failed", "running", "all"):
            await pilot.click(Counts, offset=(lines_of(app)[2].index(word), 0))
        await pilot.click(Counts, offset=(95, 0))
        await pilot.pause()
        assert app.heard == [StatusGroup.FAILED, StatusGroup.RUNNING, None]

    _use(user)
