"""Leaving the app: by a key, by a signal, by losing the terminal. The study continues in each case."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mtui.core.store.lease_owner import process_start
from tests import mtui
from tests.terminal.desk import Desk
from tests.terminal.screen import SECONDS, Terminal
from tests.waiting import wait_until

IGNORES_HANGUP = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
HEARS_NO_HANGUP = ("setsid", "--wait")  # a session without a terminal gets no SIGHUP

WAYS = pytest.mark.parametrize("prefix", [(), IGNORES_HANGUP, HEARS_NO_HANGUP], ids=["hangup", "ignored", "no hangup"])


def begun(desk: Desk, *, prefix: tuple[str, ...] = (), rows: str = "") -> tuple[Terminal, int]:
    """The app with a study that it drives and whose payload runs and waits; and the app's process."""
    terminal = desk.terminal("-o", desk.out, desk.study(desk.waits, rows), prefix=prefix)
    terminal.wait_for("driven here")
    terminal.wait_for("▸ running")
    wait_until(desk.runs, SECONDS, "the payload runs")
    driver = desk.driver()
    assert driver
    return terminal, driver.pid


def gone(pid: int) -> None:
    """Wait until the app has ended."""
    wait_until(lambda: not process_start(pid), SECONDS, "the end of the app")


def continues_without(desk: Desk, app: int) -> None:
    """Another process drives now, the payload was left alone, and the study comes to its end."""
    driver = desk.wait_for_driver(other_than=app)
    assert f"--no-ui\0{desk.out}" in Path(f"/proc/{driver}/cmdline").read_text()
    comes_to_its_end(desk)


def comes_to_its_end(desk: Desk) -> None:
    desk.go.touch()
    desk.wait_for_result("finished")
    assert desk.runs() == ["run"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_restores_the_terminal_and_hands_the_study_over(desk: Desk, number: signal.Signals) -> None:
    terminal, app = begun(desk)
    terminal.signal(number)
    assert terminal.exit_code() == 128 + number
    assert b"\x1b[?1049l" in terminal.raw, "the alternate screen was left on"
    assert b"\x1b[?1003l" in terminal.raw, "the reports of the mouse were left on"
    terminal.wait_for("To return, run: mtui")
    continues_without(desk, app)


@WAYS
def test_lost_terminal_ends_the_app_and_not_the_study(desk: Desk, prefix: tuple[str, ...]) -> None:
    terminal, app = begun(desk, prefix=prefix)
    terminal.close()
    gone(app)
    continues_without(desk, app)


def test_stalled_terminal_holds_nothing_up_and_shows_the_end_when_it_is_read_again(desk: Desk) -> None:
    terminal, _ = begun(desk)
    terminal.stall("z")
    comes_to_its_end(desk)
    assert terminal.alive
    terminal.resume()
    terminal.wait_for("✓ done 1")
    terminal.keys("q")
    assert terminal.exit_code() == 0


def test_stalled_terminal_that_is_lost_ends_the_app(desk: Desk) -> None:
    terminal, app = begun(desk)
    terminal.stall("z")
    comes_to_its_end(desk)
    terminal.close()
    gone(app)


@WAYS
def test_stalled_terminal_that_is_lost_leaves_the_study_in_other_hands(desk: Desk, prefix: tuple[str, ...]) -> None:
    terminal, app = begun(desk, prefix=prefix)
    terminal.stall("z")
    terminal.close()
    gone(app)
    continues_without(desk, app)


def test_leaving_a_study_that_another_process_drives_leaves_its_driver_alone(desk: Desk) -> None:
    driver = mtui.Driver("-o", desk.out, desk.study(desk.waits), log=desk.folder / "log")
    driver.wait_for("submitted")
    terminal = desk.terminal(desk.out)
    terminal.wait_for(f"driven by process {driver.process.pid}")
    terminal.wait_for("▸ running 1")
    terminal.keys("q")
    assert terminal.exit_code() == 0
    terminal.wait_for(f"The study continues; driver: process {driver.process.pid}")
    assert driver.process.poll() is None
    desk.go.touch()
    assert driver.wait() == 0
    assert desk.runs() == ["run"]


def test_commands_wait_for_a_busy_driver_and_the_wait_is_reported(desk: Desk) -> None:
    driver = mtui.Driver("-o", desk.out, desk.study(desk.waits), log=desk.folder / "log")
    driver.wait_for("submitted")
    terminal = desk.terminal(desk.out)
    terminal.wait_for("▸ running 1")
    driver.signal(signal.SIGSTOP)
    terminal.keys("c")
    terminal.wait_for("Cancel 1 instance?")
    terminal.keys("y")
    terminal.wait_for("cancel a: sent, not yet received")
    driver.signal(signal.SIGCONT)
    terminal.wait_for("cancel a: done")
    assert driver.wait() == 3
    terminal.wait_for("no driver: study cancelled")
    terminal.keys("q")
    assert terminal.exit_code() == 3


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+z"])
def test_interrupt_ends_nothing_and_shows_how_to_leave(desk: Desk, key: str) -> None:
    terminal, _ = begun(desk)
    terminal.keys(key)
    terminal.wait_written("q leaves the app")
    terminal.keys("?")
    terminal.wait_for("esc closes")
    assert terminal.alive


def test_study_that_is_over_is_left_with_its_exit_code(desk: Desk) -> None:
    assert mtui.run("--no-ui", "-o", desk.out, desk.study("echo sad >&2; exit 7")).returncode == 2
    terminal = desk.terminal(desk.out)
    terminal.wait_for("✗ failed 1")
    terminal.keys("q")
    assert terminal.exit_code() == 2
    terminal.wait_for("Study failed.")
    terminal.wait_for("sad")
    assert desk.driver() is None
