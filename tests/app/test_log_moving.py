"""Moving in the log pane, and long lines in it."""

from __future__ import annotations

from rich.cells import cell_len

from mtui.tui.views.file_tail import MOST_LINES
from tests.app.log_desk import Desk, numbered, on_screen

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
async def test_a_smaller_or_larger_screen_continues_following(desk: Desk) -> None:
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
