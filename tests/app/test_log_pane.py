"""The log pane shows a file that grows, and what that costs."""

from __future__ import annotations

import os
import threading

from textual.geometry import Region
from textual.screen import ModalScreen, Screen

from mtui.tui.app.widgets.log_pane import LogPane
from mtui.tui.views.file_tail import MOST_LINES, FileTail
from tests.app.log_desk import Desk, numbered, on_screen

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
    await desk.show(empty="waiting: no output yet")
    assert desk.lines[0] == "waiting: no output yet"
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
    desk.pane.show(None, "", "no instance selected")
    await desk.settle()
    assert desk.lines[0] == "no instance selected"
    await desk.write("x\n")
    await desk.show()
    assert desk.lines[0] == "x"
    desk.pane.show(None, "", "")
    await desk.settle()
    assert set(desk.lines) == {""}
    await desk.show(desk.path.with_name("other.out"))
    assert desk.lines[0] == "no output yet"


@on_screen()
async def test_a_directory_is_reported_and_not_read_further(desk: Desk) -> None:
    await desk.show(desk.path.parent)
    assert desk.lines[0] == "cannot be read: it is a directory"


@on_screen(width=90)
async def test_says_what_is_odd_about_the_file(desk: Desk) -> None:
    desk.path.write_text("old\n" * (MOST_LINES + 1) + "\0")
    await desk.show()
    assert desk.words == "follow, binary, older lines: v opens the pager"
    desk.path.write_text("new\n")
    await desk.settle()
    assert desk.words == "follow, file was replaced"
    assert desk.lines[:2] == ["new", ""]
    desk.path.unlink()
    await desk.settle()
    assert desk.words == "the file was deleted, follow, file was replaced"
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
async def test_a_hidden_file_is_not_read(desk: Desk) -> None:
    desk.path.write_text("x\n")
    await desk.show()
    desk.pane.display = False
    await desk.pilot.pause()
    await desk.until(lambda: not desk.pane.reader.is_reading, "the answer to the last look")
    desk.pane.poll_file()
    assert not desk.pane.reader.is_reading
    desk.pane.display = True
    await desk.pilot.pause()
    await desk.pilot.app.push_screen(Screen())
    await desk.until(lambda: not desk.pane.reader.is_reading, "the answer to the last look")
    desk.pane.poll_file()
    assert not desk.pane.reader.is_reading
    await desk.pilot.app.pop_screen()
    await desk.pilot.app.push_screen(ModalScreen())
    await desk.write("seen behind a dialog\n")
    assert desk.pane.plain_lines(1) == ["seen behind a dialog"]


@on_screen(width=80)
async def test_a_file_system_that_hangs_holds_up_nothing(desk: Desk) -> None:
    class Hung(FileTail):
        def poll(self) -> bool:
            released.wait()
            return super().poll()

    released = threading.Event()
    desk.path.write_text("x\n")
    await desk.show()
    desk.pane.reader.tail = Hung(desk.path)
    desk.pane.poll_file()
    assert desk.pane.reader.begun_at is not None
    desk.pane.reader.begun_at -= 10
    desk.pane.poll_file()
    assert desk.words.startswith("the file system does not answer")
    other = desk.path.with_name("other.out")
    other.write_text("other\n")
    await desk.show(other)
    assert desk.lines[0] == "other"
    released.set()
    await desk.settle()
    assert desk.lines[0] == "other"
