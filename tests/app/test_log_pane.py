"""The log pane: following, scrolling, wrapping and searching a file that grows."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import ClassVar

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen

from mtui.tui.model.log_search import MOST_HITS, Search
from mtui.tui.model.tail import MOST_LINES, Tail
from mtui.tui.widgets.log_pane import LogPane
from tests.app.app_helpers import press


class Logs(App[None]):
    """One pane and nothing else."""

    CSS = "LogPane { border: round white; }"
    AUTO_FOCUS = "LogPane"

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []

    def compose(self) -> ComposeResult:
        yield LogPane(id="log")

    def on_log_pane_search_requested(self, event: LogPane.SearchRequested) -> None:
        self.requests.append(event.pattern)


class Desk:
    """A pane on a screen, its file, and a user."""

    def __init__(self, pilot: Pilot[None], path: Path) -> None:
        self.pilot = pilot
        self.path = path
        self.pane = pilot.app.query_one(LogPane)

    async def show(self, path: Path | None = None, empty: str = "") -> None:
        self.pane.show(path or self.path, "stdout", empty)
        await self.settle()

    async def write(self, text: str) -> None:
        """The study writes, and the pane has seen it."""
        with self.path.open("a") as out:
            out.write(text)
        await self.settle()

    async def settle(self) -> None:
        """Look at the file until nothing is new."""
        await self.until(lambda: self.pane._asked is None, "an answer")
        self.pane.look()
        await self.until(lambda: self.pane._asked is None, "an answer")
        await self.pilot.pause()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still not so: {what}")
            await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await press(self.pilot, *keys)

    @property
    def lines(self) -> list[str]:
        return [self.pane.render_line(y).text.rstrip() for y in range(self.pane.scrollable_content_region.height)]

    @property
    def words(self) -> str:
        return str(self.pane.border_subtitle or "")

    def lit(self, name: str) -> list[str]:
        """The text that stands in the colours of a component class."""
        style = self.pane.get_component_rich_style(name, partial=True)
        strips = [self.pane.render_line(y) for y in range(len(self.lines))]
        return [part.text for strip in strips for part in strip if part.style and part.style.bgcolor == style.bgcolor]


def on_screen(
    width: int = 42, height: int = 12
) -> Callable[[Callable[[Desk], Awaitable[None]]], Callable[[Path], None]]:
    """Run a test in an app of this size; the pane has 3 columns and 2 rows less."""

    def decorate(test: Callable[[Desk], Awaitable[None]]) -> Callable[[Path], None]:
        async def run(path: Path) -> None:
            async with Logs().run_test(size=(width, height)) as pilot:
                await test(Desk(pilot, path))

        @wraps(test)
        def wrapper(tmp_path: Path) -> None:
            asyncio.run(run(tmp_path / "step.out"))

        del wrapper.__wrapped__  # pytest is to see the argument of the wrapper
        return wrapper

    return decorate


def numbered(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last + 1))


# --- what is shown


@on_screen()
async def test_follows_what_is_written(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 100))
    await desk.show()
    assert desk.lines == [f"line {number}" for number in range(91, 101)]
    assert desk.words == "follow"
    await desk.write("last\n")
    assert desk.lines[-2:] == ["line 100", "last"]


@on_screen()
async def test_says_that_there_is_nothing_yet_and_shows_what_comes(desk: Desk) -> None:
    await desk.show(empty="waiting: there is no output yet")
    assert desk.lines[0] == "waiting: there is no output yet"
    await desk.show(empty="still waiting")
    assert desk.lines[0] == "still waiting"
    await desk.write("")
    assert desk.lines[0] == "the file is empty"
    await desk.write("begun")
    assert desk.lines[:2] == ["begun", ""]


@on_screen()
async def test_the_words_of_an_empty_pane_can_be_read_in_any_theme(desk: Desk) -> None:
    await desk.show(empty="nothing")
    for theme in ("textual-light", "textual-dark"):
        desk.pilot.app.theme = theme
        await desk.pilot.pause()
        (note, *_) = desk.pane.render_line(0)
        assert note.style is not None
        assert note.style.color is not None
        assert note.style.bgcolor is not None
        ink, paper = (sum(colour.get_truecolor()) for colour in (note.style.color, note.style.bgcolor))
        assert abs(ink - paper) > 200


@on_screen()
async def test_no_file_at_all(desk: Desk) -> None:
    desk.pane.show(None, "", "no instance is chosen")
    await desk.settle()
    assert desk.lines[0] == "no instance is chosen"
    await desk.write("x\n")
    await desk.show()
    assert desk.lines[0] == "x"
    desk.pane.show(None, "", "")
    await desk.settle()
    assert set(desk.lines) == {""}
    await desk.show(desk.path.with_name("other.out"))
    assert desk.lines[0] == "there is no output yet"


@on_screen()
async def test_a_directory_is_told_and_done_no_more(desk: Desk) -> None:
    await desk.show(desk.path.parent)
    assert desk.lines[0] == "it cannot be read: it is a directory"


@on_screen(width=90)
async def test_says_what_is_odd_about_the_file(desk: Desk) -> None:
    desk.path.write_text("old\n" * (MOST_LINES + 1) + "\0")
    await desk.show()
    assert desk.words == "follow, binary, older lines: v opens the pager"
    desk.path.write_text("new\n")
    await desk.settle()
    assert desk.words == "follow, begun anew"
    assert desk.lines[:2] == ["new", ""]
    desk.path.unlink()
    await desk.settle()
    assert desk.words == "the file is gone, follow, begun anew"
    assert desk.lines[0] == "new"


@on_screen()
async def test_the_title_is_no_markup(desk: Desk) -> None:
    desk.pane.show(None, "out [/b] [red]x\x1b[0m")
    await desk.settle()
    assert desk.pane._border_title is not None
    assert desk.pane._border_title.plain == "out [/b] [red]x\N{REPLACEMENT CHARACTER}[0m"


@on_screen()
async def test_nothing_of_a_log_drives_the_terminal(desk: Desk) -> None:
    desk.path.write_bytes(b"\x1b[31mred\x1b]52;c;eA==\x07\x1b[2J [/b] \xff\n10%\r20%\n")
    await desk.show()
    assert desk.lines[:2] == ["red [/b] \N{REPLACEMENT CHARACTER}", "20%"]
    (first, *_) = desk.pane.render_line(0)
    assert first.style is not None
    assert first.style.color is not None
    assert first.style.color.number == 1


@on_screen()
async def test_another_file(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 100))
    await desk.show()
    await desk.press("g", "j")
    other = desk.path.with_name("other.out")
    other.write_text("other\n")
    await desk.show(other)
    assert desk.lines[:2] == ["other", ""]
    assert desk.words == "follow"
    await desk.show()
    assert desk.lines[-1] == "line 100"


@on_screen()
async def test_showing_the_same_file_again_changes_nothing(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 100))
    await desk.show()
    await desk.press("g", "j")
    await desk.show()
    assert desk.lines[0] == "line 2"


@on_screen()
async def test_the_last_lines_as_text(desk: Desk) -> None:
    desk.path.write_bytes(b"one\n\x1b[1mtwo\x1b[0m\nthree\x07\n")
    await desk.show()
    assert desk.pane.plain_lines(2) == ["two", "three"]
    assert desk.pane.plain_lines(100) == ["one", "two", "three"]


# --- moving


@on_screen()
async def test_scrolling_up_stops_following_and_the_end_resumes(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 100))
    await desk.show()
    for stop, resume in (("k", "G"), ("pageup", "end"), ("ctrl+u", "F"), ("home", "G"), ("F", "F")):
        await desk.press(stop)
        assert desk.words == "paused"
        seen = desk.lines
        await desk.write("more\n")
        assert desk.lines == seen
        await desk.press(resume)
        assert desk.words == "follow"
        assert desk.lines[-1] == "more"


@on_screen()
async def test_the_wheel_stops_following(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 100))
    await desk.show()
    desk.pane.scroll_up(animate=False)
    await desk.pilot.pause()
    assert desk.words == "paused"


@on_screen()
async def test_keys_move(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 100))
    await desk.show()
    tops: list[str] = []
    for key in ("g", "j", "down", "k", "ctrl+d", "pagedown", "ctrl+u", "pageup"):
        await desk.press(key)
        tops.append(desk.lines[0])
    assert tops == [f"line {number}" for number in (1, 2, 3, 2, 7, 17, 12, 2)]


@on_screen()
async def test_a_smaller_or_larger_screen_goes_on_following(desk: Desk) -> None:
    desk.path.write_text(numbered(1, 100))
    await desk.show()
    for height in (6, 30, 12):
        await desk.pilot.resize_terminal(42, height)
        await desk.until(
            lambda height=height: (len(desk.lines), desk.lines[-1], desk.words) == (height - 2, "line 100", "follow"),
            "the end at the new size",
        )


@on_screen()
async def test_a_paused_view_stays_on_its_lines_while_old_ones_go(desk: Desk) -> None:
    desk.path.write_text(numbered(1, MOST_LINES))
    await desk.show()
    await desk.press("pageup", "pageup")
    seen = desk.lines
    await desk.write(numbered(MOST_LINES + 1, MOST_LINES + 500))
    assert desk.lines == seen
    await desk.press("w")
    await desk.write(numbered(MOST_LINES + 501, MOST_LINES + 900))
    assert desk.lines == seen


@on_screen()
async def test_sideways(desk: Desk) -> None:
    desk.path.write_text("short\n" + "".join(f"{number:08}" for number in range(100)) + "\n")
    await desk.show()
    await desk.press("l", "right")
    assert desk.words == "follow, column 17"
    assert desk.lines[1].startswith("00000002")
    await desk.press("h", "h", "h")
    assert desk.lines[0] == "short"
    for _ in range(110):
        desk.pane.action_sideways(1)
    assert desk.lines[1].endswith("00000099")


@on_screen()
async def test_a_wide_character_is_cut_to_a_space(desk: Desk) -> None:
    desk.path.write_text("0123456あ9" + "x" * 100)
    await desk.show()
    await desk.press("l")
    assert desk.lines[0].startswith(" 9xxx")
    assert all(desk.pane.render_line(y).cell_length == 39 for y in range(10))


# --- wrapping


@on_screen()
async def test_wrapped_lines_lose_nothing(desk: Desk) -> None:
    lines = ["x" * 39, "y" * 40, "", "あ" * 30, "end"]
    desk.path.write_text("\n".join(lines))
    await desk.show()
    await desk.press("w")
    assert desk.words == "follow, wrap"
    assert desk.lines[:7] == ["x" * 39, "y" * 39, "y", "", "あ" * 19, "あ" * 11, "end"]
    assert all(cell_len(line) <= 39 for line in desk.lines)
    await desk.pilot.resize_terminal(23, 12)
    expected = ["x" * 20, "x" * 19, "y" * 20, "y" * 20]
    await desk.until(lambda: desk.lines[:4] == expected, "the lines at the new size")
    await desk.press("w")
    assert desk.lines[1] == "y" * 19 + ">"


@on_screen()
async def test_wrapping_keeps_the_place(desk: Desk) -> None:
    desk.path.write_text("".join(f"{number} " + "x" * 100 + "\n" for number in range(100)))
    await desk.show()
    await desk.press("g", "pagedown", "w")
    assert desk.lines[0].startswith("10 xxx")
    await desk.press("w")
    assert desk.lines[0].startswith("10 xxx")
    await desk.press("G", "w")
    assert desk.lines[-3].startswith("99 xxx")


# --- searching


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
async def test_search_goes_on_as_the_file_changes(desk: Desk) -> None:
    desk.path.write_text("hit 1\nhi")
    await desk.show()
    desk.pane.search("hit")
    await desk.write("t 2\nhit 3\n")
    assert desk.words == "paused, 1/3"
    desk.path.write_text("new\nhit\n")
    await desk.settle()
    assert desk.words == "paused, -/1, begun anew"
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
async def test_slash_asks_for_a_pattern_and_recalls_the_last(desk: Desk) -> None:
    await desk.show()
    await desk.press("slash")
    desk.pane.search("first")
    await desk.press("escape", "slash")
    assert isinstance(desk.pilot.app, Logs)
    assert desk.pilot.app.requests == ["", "first"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("error", ["Error", "error", "ERROR"]),
        ("Error", ["Error"]),
        (r"\Srror", ["Error", "error", "ERROR"]),
        (r"e\w+(?=!)", ["error"]),
        ("a(b", ["a(b"]),
        ("x*", []),
        ("[[", ["[["]),
        ("+", ["+"]),
    ],
)
def test_patterns(pattern: str, found: list[str]) -> None:
    text = "Error error! ERROR a(b [[ +"
    search = Search(pattern)
    assert search.add(7, [text])
    assert [text[hit.start : hit.end] for hit in search.hits] == found


def test_a_pattern_that_never_ends_is_searched_as_text() -> None:
    search = Search("(a+)+b")
    texts = ["(A+)+b", "a" * 2000]
    assert not search.add(0, texts)
    assert search.add(0, texts)
    assert [(hit.line, hit.start) for hit in search.hits] == [(0, 0)]


def test_of_too_many_hits_the_last_are_kept() -> None:
    search = Search(".")
    search.add(0, ["x" * 1000] * 30)
    search.add(30, ["yy"])
    assert len(search.hits) == MOST_HITS
    assert search.hits == sorted(search.hits)
    assert search.hits[-1].line == 30
    assert search.count() == f"-/{MOST_HITS}+"


# --- what it costs


@on_screen()
async def test_only_what_changed_is_painted(desk: Desk) -> None:
    desk.path.write_text("done\n10%")
    await desk.show()
    painted: list[Region] = []
    refresh = desk.pane.refresh

    def spy(*regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> LogPane:
        if repaint:
            painted.extend(regions or [desk.pane.region])
        return refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    desk.pane.refresh = spy
    await desk.settle()
    os.utime(desk.path)
    await desk.settle()
    assert painted == []
    await desk.write("\r20%")
    assert painted == [Region(0, 1, 39, 1)]
    painted.clear()
    await desk.write("\n" + numbered(1, 50))
    await desk.press("g")
    painted.clear()
    await desk.write("below\n" * 100)
    assert painted == []


@on_screen()
async def test_nobody_looks_at_a_file_that_nobody_sees(desk: Desk) -> None:
    desk.path.write_text("x\n")
    await desk.show()
    desk.pane.display = False
    await desk.pilot.pause()
    await desk.until(lambda: desk.pane._asked is None, "the answer to the last look")
    desk.pane.look()
    assert desk.pane._asked is None
    desk.pane.display = True
    await desk.pilot.pause()
    await desk.pilot.app.push_screen(Screen())
    await desk.until(lambda: desk.pane._asked is None, "the answer to the last look")
    desk.pane.look()
    assert desk.pane._asked is None
    await desk.pilot.app.pop_screen()
    await desk.pilot.app.push_screen(ModalScreen())
    await desk.write("seen behind a dialog\n")
    assert desk.pane.plain_lines(1) == ["seen behind a dialog"]


@on_screen(width=80)
async def test_a_file_system_that_hangs_holds_up_nothing(desk: Desk) -> None:
    class Hung(Tail):
        def poll(self) -> bool:
            released.wait()
            return super().poll()

    released = threading.Event()
    desk.path.write_text("x\n")
    await desk.show()
    desk.pane._tail = Hung(desk.path)
    desk.pane.look()
    assert desk.pane._asked is not None
    desk.pane._asked -= 10
    desk.pane.look()
    assert desk.words.startswith("the file system does not answer")
    other = desk.path.with_name("other.out")
    other.write_text("other\n")
    await desk.show(other)
    assert desk.lines[0] == "other"
    released.set()
    await desk.settle()
    assert desk.lines[0] == "other"
