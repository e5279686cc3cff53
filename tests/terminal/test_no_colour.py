"""NO_COLOR: the app writes no colour at all, and the cursor and the marks stay visible. An empty one is like none."""

from __future__ import annotations

import re

import pytest

from tests import mtui
from tests.terminal.desk import Desk
from tests.terminal.screen import Terminal

_SGR = re.compile(rb"\x1b\[([\d;:]*)m")
_ATTRIBUTES = {b"", b"0", b"1", b"2", b"3", b"4", b"7", b"9", b"22", b"23", b"24", b"27"}


@pytest.fixture
def failed(desk: Desk) -> Desk:
    """A study with a failure, whose log has colours."""
    coloured = "printf '\\033[31;44mred\\033[0m \\033[38;2;1;2;3mtrue\\033[0m\\n'"
    payload = desk.study(f"{coloured}; exit $(( $(I) - 1 ))", "1, 2, 3")
    assert mtui.run("--no-ui", "-o", desk.out, payload).returncode == 2
    return desk


def opened(desk: Desk, **env: str) -> Terminal:
    terminal = desk.terminal(desk.out, env=desk.env(None, **env))
    terminal.wait_for("✗ failed 2")
    return terminal


def attributes(terminal: Terminal) -> set[bytes]:
    return {part for found in _SGR.findall(terminal.raw) for part in found.split(b";")}


@pytest.mark.parametrize("env", [{}, {"TERM": "xterm"}, {"COLORTERM": "truecolor"}], ids=["256", "16", "truecolor"])
def test_no_colour_is_written(failed: Desk, env: dict[str, str]) -> None:
    terminal = opened(failed, NO_COLOR="1", **env)
    terminal.wait_for("red true")
    terminal.keys("space", "down", "?")
    terminal.wait_for("Keys")
    terminal.keys("escape", "r")
    terminal.wait_for("Retry")
    terminal.keys("escape", "/")
    terminal.type("a")
    terminal.keys("enter", "T")
    terminal.wait_for("Timeline")
    assert attributes(terminal) <= _ATTRIBUTES
    assert b"7" in attributes(terminal)
    terminal.keys("q", "q")
    assert terminal.exit_code() == 2
    assert attributes(terminal) <= _ATTRIBUTES


def test_no_color_that_is_empty_changes_nothing(failed: Desk) -> None:
    assert attributes(opened(failed, NO_COLOR="")) == attributes(opened(failed))


def test_cursor_is_visible_without_colours(failed: Desk) -> None:
    terminal = opened(failed, NO_COLOR="1")
    terminal.keys("2")
    terminal.wait_for("Details")
    terminal.keys("g")
    terminal.wait_for(lambda _: "done" in terminal.reversed_text or "FAIL" in terminal.reversed_text)
    before = terminal.reversed_text
    terminal.keys("down")
    terminal.wait_for(lambda _: terminal.reversed_text and terminal.reversed_text != before)
