"""Searching in the log pane."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from mtui.tui.app.widgets.log_pane import LogPane
from tests.app.log_desk import Desk, Logs, numbered, on_screen


@on_screen()
async def test_search_goes_from_hit_to_hit_and_round(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 40) + "an Error, error\n" + numbered(42, 80) + "error 3\n" + numbered(82, 120))
    await desk.show()
    await desk.press("g")
    desk.pane.search("error")
    await desk.pilot.pause()
    assert desk.words == "paused, 1/3"
    assert desk.lit("log--current") == ["Error"]
    assert desk.lit("log--hit") == ["error"]
    counts: list[str] = []
    for key in ("n", "n", "n", "N", "N"):
        await desk.press(key)
        counts.append(desk.words)
        assert len(desk.lit("log--current")) == 1
    assert counts == [f"paused, {number}/3" for number in (2, 3, 1, 3, 2)]
    assert desk.pane.pattern == "error"
    await desk.press("escape")
    assert (desk.words, desk.pane.pattern, desk.lit("log--current"), desk.lit("log--hit")) == ("paused", "", [], [])


@on_screen()
async def test_search_starts_from_what_is_shown(desk: Desk) -> None:
    desk.path.write_text("hit\n" + numbered(1, 50) + "hit\n" + numbered(51, 100) + "hit\n")
    await desk.show()
    desk.pane.search("hit")
    assert desk.words == "paused, 3/3"
    desk.pane.search("hit", backwards=True)
    assert desk.words == "paused, 3/3"
    await desk.press("g", "pagedown")
    desk.pane.search("hit", backwards=True)
    assert desk.words == "paused, 1/3"


@on_screen()
async def test_search_without_hits_leaves_everything(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 50))
    await desk.show()
    desk.pane.search("nowhere")
    assert desk.words == "follow, no hits"
    await desk.press("n", "N")
    await desk.write("nowhere\n")
    assert desk.words == "follow, -/1"
    await desk.press("n")
    assert desk.words == "paused, 1/1"
    desk.pane.search("")
    assert desk.words == "paused"


@on_screen()
async def test_search_continues_as_the_file_changes(desk: Desk) -> None:
    desk.path.write_text("hit 1\nhi")
    await desk.show()
    desk.pane.search("hit")
    await desk.write("t 2\nhit 3\n")
    assert desk.words == "paused, 1/3"
    desk.path.write_text("new\nhit\n")
    await desk.settle()
    assert desk.words == "paused, -/1, file was replaced"
    assert desk.lit("log--hit") == ["hit"]
    other = desk.path.with_name("other.out")
    other.write_text("hit\nhit\n")
    await desk.show(other)
    assert desk.words == "follow, -/2"


@on_screen()
async def test_a_hit_far_to_the_right_comes_into_view(desk: Desk) -> None:
    desk.path.write_text("x" * 500 + "あhit" + "y" * 100 + "\n" + numbered(1, 50))
    await desk.show()
    for wrap in (False, True):
        if wrap:
            await desk.press("w", "G")
        desk.pane.search("hit")
        await desk.pilot.pause()
        assert desk.lit("log--current") == ["hit"]


@on_screen()
async def test_keys_that_have_no_use_are_left_to_the_screen(desk: Desk) -> None:
    class Below(Screen[None]):
        BINDINGS: ClassVar[list[BindingType]] = [Binding("n", "count"), Binding("escape", "count")]
        counted = 0

        def compose(self) -> ComposeResult:
            yield LogPane()

        def action_count(self) -> None:
            self.counted += 1

    screen = Below()
    await desk.pilot.app.push_screen(screen)
    screen.query_one(LogPane).focus()
    desk.path.write_text("hit\n")
    screen.query_one(LogPane).show(desk.path, "")
    await desk.press("n", "escape")
    assert screen.counted == 2
    screen.query_one(LogPane).search("hit")
    await desk.press("n", "escape")
    assert screen.counted == 2


@on_screen()
async def test_slash_prompts_for_a_pattern_and_recalls_the_last(desk: Desk) -> None:
    await desk.show()
    await desk.press("slash")
    desk.pane.search("first")
    await desk.press("escape", "slash")
    assert isinstance(desk.pilot.app, Logs)
    assert desk.pilot.app.requests == ["", "first"]
