"""The terminal lent to other programs: pager, editor, shell. Each way leads back to the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import mtui
from tests.terminal.desk import Desk
from tests.terminal.screen import SECONDS, Terminal
from tests.waiting import wait_until

# The app is started by the terminal itself, or as a job of a shell.
WHERE = pytest.mark.parametrize(
    "prefix", [(), ("bash", "--norc", "-ic", '"$@"; echo left', "bash")], ids=["leader", "in a shell"]
)

APP = "? Help"  # is in the app's footer, and in no program that it starts


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


@pytest.mark.parametrize(
    "prefix", [(), ("bash", "--norc", "-ic", '"$@"; echo left', "bash")], ids=["leader", "in a shell"]
)
@pytest.mark.parametrize("words", ["kill -9 $$", "exec true", "stty raw -echo; kill -9 $$"])
def test_shell_that_does_not_give_the_terminal_back_is_no_harm(
    finished: Desk, words: str, prefix: tuple[str, ...]
) -> None:
    """From one that is killed or replaced and does not give it back, with the attributes that the terminal had."""
    terminal = finished.terminal(
        finished.out, env=finished.env(None, SHELL="/bin/bash --norc", PS1="shell> "), prefix=prefix
    )
    terminal.wait_for("✓ done 1")
    terminal.keys("s")
    terminal.wait_for("shell> ")
    terminal.type(words + "\n")
    terminal.wait_for(APP)
    terminal.keys("?")
    terminal.wait_for("Keys")
    terminal.keys("escape", "q")
    assert terminal.exit_code() == 0


@pytest.mark.parametrize(
    "prefix", [(), ("bash", "--norc", "-ic", '"$@"; echo left', "bash")], ids=["leader", "in a shell"]
)
def test_suspended_shell_is_resumed(finished: Desk, prefix: tuple[str, ...]) -> None:
    terminal = finished.terminal(
        finished.out, env=finished.env(None, SHELL="/bin/bash --norc", PS1="shell> "), prefix=prefix
    )
    terminal.wait_for("✓ done 1")
    terminal.keys("s")
    terminal.wait_for("shell> ")
    terminal.type("kept=value; suspend\n")
    terminal.wait_written("bash is suspended. s, v or e resumes it.")
    terminal.wait_for(APP)
    terminal.keys("s")
    terminal.wait_without(APP)
    place = finished.folder / "place"
    terminal.type(f"echo $kept > {place}\n")
    wait_until(lambda: place.exists() and place.read_text() == "value\n", SECONDS, "the answer of the shell")
    terminal.type("exit\n")
    terminal.wait_for(APP)
    leaves(terminal)


def test_suspended_program_ends_with_the_app(finished: Desk) -> None:
    note = finished.folder / "note"
    editor = finished.folder / "editor"
    editor.write_text(f"#!/bin/sh\ntrap 'echo hangup > {note}; exit' HUP\necho $$ > {note}\nkill -STOP $$\n")
    editor.chmod(0o755)
    terminal = opened(finished, EDITOR=str(editor))
    terminal.keys("e")
    terminal.wait_written("editor is suspended")
    terminal.wait_for(APP)
    leaves(terminal)
    wait_until(lambda: note.read_text() == "hangup\n", SECONDS, "the end of the editor")


def test_pager_shows_colours_and_bytes_that_are_no_text(desk: Desk) -> None:
    payload = desk.study("printf '\\033[31mred\\033[0m \\001\\377 end of it\\n'")
    assert mtui.run("--no-ui", "-o", desk.out, payload).returncode == 0
    terminal = opened(desk, PAGER="less")
    terminal.keys("v")
    terminal.wait_for(lambda text: "end of it" in text and "(END)" in text)
    assert "binary" not in terminal.text
    assert b"\x1b[31mred" in terminal.raw
    terminal.keys("q")
    terminal.wait_for(APP)
    leaves(terminal)


def test_pager_keeps_the_options_of_the_user(finished: Desk) -> None:
    note = finished.folder / "note"
    pager = finished.folder / "pager"
    pager.write_text(f'#!/bin/sh\necho "$LESS" > {note}\n')
    pager.chmod(0o755)
    terminal = opened(finished, PAGER=str(pager), LESS="-i")
    terminal.keys("v")
    wait_until(lambda: note.exists() and note.read_text(), SECONDS, "the pager")
    assert note.read_text() == "-i\n"
    terminal.wait_for(APP)
    leaves(terminal)


def test_program_has_the_terminal_wherever_stdout_leads(finished: Desk) -> None:
    copy, place = finished.folder / "copy", finished.folder / "place"
    prefix = ("sh", "-c", f'"$@" | tee {copy}', "sh")
    terminal = finished.terminal(finished.out, env=finished.env(None, PS1="shell> "), prefix=prefix)
    terminal.wait_for("✓ done 1")
    terminal.keys("s")
    terminal.wait_for("shell> ")
    terminal.type(f"test -t 1 && echo terminal > {place}\n")
    wait_until(lambda: place.exists() and place.read_text(), SECONDS, "the answer of the shell")
    terminal.type("exit\n")
    terminal.wait_for(APP)
    leaves(terminal)


def test_program_that_is_not_there_is_reported(finished: Desk) -> None:
    terminal = opened(finished, PAGER="/no/such/pager")
    terminal.keys("v")
    terminal.wait_written("/no/such/pager: No such file")
    leaves(terminal)


def test_study_continues_while_the_terminal_is_lent(desk: Desk) -> None:
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
    """The program in it ends by the hangup, as a shell does; the study continues."""
    terminal = desk.terminal("-o", desk.out, desk.study(desk.waits), env=desk.env(PS1="shell> "))
    terminal.wait_for("▸ running 1")
    terminal.keys("s")
    terminal.wait_for("shell> ")
    terminal.close()
    terminal.exit_code()
    assert desk.wait_for_driver(other_than=terminal.pid)
    desk.go.touch()
    desk.wait_for_result("finished")
