"""Input that is no key: bytes that are not UTF-8, and what terminals send without being asked by the user."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtui.tui.app import run, terminal_driver
from mtui.tui.app.terminal_driver import InputEnded, TerminalDriver
from tests import mtui
from tests.terminal.desk import Desk
from tests.terminal.screen import SECONDS, Terminal
from tests.waiting import wait_until

ANSWERS = [
    b"\x1b[?62;22c",
    b"\x1b[>41;354;0c",
    b"\x1bP>|XTerm(390)\x1b\\",
    b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    b"\x1b]52;c;Y2FycnlNeQ==\x07",
    b"\x1b[?0u",
    b"\x1b[?997;1n",
    b"\x1b[99~",
    b"\x1bc",
]


@pytest.fixture
def terminal(desk: Desk) -> Iterator[Terminal]:
    terminal = desk.terminal("-o", desk.out, desk.study(desk.waits))
    terminal.wait_for("▸ running 1")
    yield terminal
    desk.go.touch()


def test_answers_of_the_terminal_do_nothing(terminal: Terminal, desk: Desk) -> None:
    for answer in ANSWERS:
        terminal.send_bytes(answer)
    terminal.keys("/")
    terminal.type("here")  # is handled behind them, so their effect would be visible
    terminal.wait_for("here")
    for answer in ANSWERS:
        terminal.send_bytes(answer)
    terminal.keys("enter", "escape", "?")
    terminal.wait_for("Keys")
    assert b"Cancel 1 instance?" not in terminal.raw
    assert b"Timeline" not in terminal.raw
    assert desk.driver() is not None


@pytest.mark.parametrize("data", [b"\xe9", b"\xe3", b"\xff\xfe", b"\xc3"], ids=["latin-1", "Alt+c", "UTF-16", "half"])
def test_byte_that_is_not_utf8_ends_nothing(terminal: Terminal, data: bytes) -> None:
    terminal.send_bytes(data)
    terminal.keys("/")
    terminal.type("caf")
    terminal.send_bytes(data)
    terminal.type("s")
    terminal.wait_for("caf\N{REPLACEMENT CHARACTER}")
    terminal.keys("enter", "escape", "q")
    assert terminal.exit_code() == 0
    assert "driver: process" in terminal.text


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"])
def test_signal_is_named_and_so_is_the_next_driver(terminal: Terminal, desk: Desk, name: str) -> None:
    number = signal.Signals[name]
    terminal.signal(number)
    assert terminal.exit_code() == 128 + number
    assert f"mtui: ended by {name}" in terminal.text
    assert f"driver: process {desk.wait_for_driver(other_than=terminal.pid)}" in terminal.text


@pytest.mark.parametrize("stop", [signal.SIGSTOP, signal.SIGTSTP])
def test_stopped_app_is_continued_and_left(terminal: Terminal, stop: signal.Signals) -> None:
    """It is stopped twice, so that nothing of the first time is left."""
    for _ in range(2):
        terminal.signal(stop)
        wait_until(lambda: is_stopped(terminal.pid), SECONDS, "the app is stopped")
        terminal.signal(signal.SIGCONT)
        terminal.keys("?")
        terminal.wait_for("Keys")
        terminal.keys("escape")
        terminal.wait_without("Keys")
    terminal.keys("q")
    assert terminal.exit_code() == 0
    assert "driver: process" in terminal.text


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("answer", [b"\xe9\n", b"\xff\xfe\n", b"\x04"], ids=["latin-1", "UTF-16", "end of file"])
def test_answer_that_is_not_utf8_is_no_consent(terminal: Terminal, desk: Desk, answer: bytes) -> None:
    question = desk.terminal("cancel", desk.out, env=desk.env(PYTHONUTF8="0"))
    question.wait_for("[y/N]")
    question.send_bytes(answer)
    question.exit_code()
    assert "a bug in mtui" not in question.text
    assert desk.status()["result"] == ""
    assert terminal.alive


def test_app_that_ends_without_a_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.MtuiApp, "run", lambda _: None)
    with pytest.raises(RuntimeError, match="ended unexpectedly"):
        run.run_app()


class _App:
    """The part of an app that a driver of the terminal uses."""

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.called: list[Any] = []

    def post_message(self, message: object) -> None:
        self.posted.append(message)

    def call_later(self, *call: object) -> None:
        self.called.append(call)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), RuntimeError("a bug")])
def test_input_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    driver = TerminalDriver.__new__(TerminalDriver)
    app: Any = _App()
    driver._app = app

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(terminal_driver.TerminalDriver, "run_input_thread", fail)
    driver._run_input_thread()
    if isinstance(error, OSError):
        (message,) = app.posted
        assert isinstance(message, InputEnded)
        assert message.reason == "Input/output error"
    else:
        ((function, *arguments),) = app.called
        with pytest.raises(RuntimeError, match="a bug"):
            function(*arguments)


def test_app_has_the_size_of_its_terminal_wherever_stdout_leads(desk: Desk) -> None:
    assert mtui.run("--no-ui", "-o", desk.out, desk.study("echo hello")).returncode == 0
    copy = desk.folder / "copy"
    terminal = desk.terminal(desk.out, size=(132, 40), prefix=("sh", "-c", f'"$@" | tee {copy}', "sh"))
    terminal.wait_for("✓ done 1")
    lines = terminal.text.split("\n")
    assert "? Help" in lines[39]
    assert lines[1].rstrip().endswith(str(desk.out)[-20:])
    assert len(lines[1].rstrip()) > 120
    terminal.resize(110, 30)
    terminal.wait_for(lambda text: "? Help" in text.split("\n")[29])
    terminal.keys("q")
    terminal.exit_code()
    assert "Study finished" in copy.read_text()


def test_terminal_that_is_lost_is_an_error(desk: Desk) -> None:
    terminal = desk.terminal("-o", desk.out, desk.study(desk.waits))
    terminal.wait_for("▸ running 1")
    terminal.close()
    assert terminal.exit_code() not in (0, 1)
    desk.go.touch()
    desk.wait_for_result("finished")
