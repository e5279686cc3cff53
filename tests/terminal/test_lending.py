"""The terminal lent to other programs: pager, editor, shell. Each way leads back to the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import mtui
from tests.terminal.desk import Desk
from tests.terminal.screen import SECONDS, Terminal
from tests.waiting import wait_until

APP = "? Help"  # stands in the app's footer, and in no program that it starts


@pytest.fixture
def finished(desk: Desk) -> Desk:
    """A study of one step that has said hello."""
    assert mtui.run("--no-ui", "-o", desk.out, desk.study("echo hello from the payload")).returncode == 0
    return desk


def opened(desk: Desk, **env: str) -> Terminal:
    terminal = desk.terminal(desk.out, env=desk.env(None, **env))
    terminal.wait_for("✓ done 1")
    return terminal


def leaves(terminal: Terminal) -> None:
    terminal.keys("q")
    assert terminal.exit_code() == 0


def test_pager_shows_the_output_and_comes_back(finished: Desk) -> None:
    terminal = opened(finished, PAGER="less", LESS="")
    terminal.keys("v")
    terminal.wait_for(lambda text: "hello from the payload" in text and "(END)" in text)
    assert APP not in terminal.text
    terminal.keys("q")
    terminal.wait_for(APP)
    leaves(terminal)


def test_interrupt_in_the_pager_is_the_pagers(finished: Desk) -> None:
    terminal = opened(finished, PAGER="less +F", LESS="")
    terminal.keys("v")
    terminal.wait_for("Waiting for data")
    terminal.keys("ctrl+c")
    terminal.wait_without("Waiting for data")
    terminal.keys("q")
    terminal.wait_for(APP)
    leaves(terminal)


def test_editor_gets_the_script(finished: Desk) -> None:
    marker, editor = finished.folder / "marker", finished.folder / "my editor"
    editor.write_text(f'#!/bin/sh\nprintf "%s" "$2" > {marker}\necho "$1: enter goes back"\nread line\n')
    editor.chmod(0o755)
    terminal = opened(finished, EDITOR=f"'{editor}' --option")
    terminal.keys("e")
    terminal.wait_for("--option: enter goes back")
    assert marker.read_text() == str(finished.out / "a" / "a.sh")
    assert APP not in terminal.text
    terminal.keys("enter")
    terminal.wait_for(APP)
    leaves(terminal)


def test_shell_opens_in_the_workspace(finished: Desk) -> None:
    terminal = opened(finished, SHELL="/bin/sh", PS1="shell> ")
    terminal.keys("s")
    terminal.wait_for("shell> ")
    place = finished.folder / "place"
    terminal.type(f"pwd > {place}\n")
    wait_until(lambda: place.exists() and place.read_text(), SECONDS, "the answer of the shell")
    assert Path(place.read_text().strip()) == finished.out / "a"
    terminal.type("exit\n")
    terminal.wait_for(APP)
    leaves(terminal)


def test_program_that_is_not_there_is_told(finished: Desk) -> None:
    terminal = opened(finished, PAGER="/no/such/pager")
    terminal.keys("v")
    terminal.wait_written("/no/such/pager: No such file")
    leaves(terminal)


def test_study_goes_on_while_the_terminal_is_lent(desk: Desk) -> None:
    terminal = desk.terminal("-o", desk.out, desk.study(desk.waits), env=desk.env(PS1="shell> "))
    terminal.wait_for("▸ running 1")
    terminal.keys("s")
    terminal.wait_for("shell> ")
    desk.go.touch()
    desk.wait_for_result("finished")
    terminal.type("exit\n")
    terminal.wait_for("✓ done 1")
    leaves(terminal)


def test_lost_terminal_ends_the_app_while_it_is_lent(desk: Desk) -> None:
    """The program in it ends by the hangup, as a shell does; the study goes on."""
    terminal = desk.terminal("-o", desk.out, desk.study(desk.waits), env=desk.env(PS1="shell> "))
    terminal.wait_for("▸ running 1")
    terminal.keys("s")
    terminal.wait_for("shell> ")
    terminal.close()
    terminal.exit_code()
    assert desk.wait_for_driver(other_than=terminal.pid)
    desk.go.touch()
    desk.wait_for_result("finished")
