"""What is written to the terminal, in bytes: nothing where nothing changes."""

from __future__ import annotations

import threading
import time

import pytest

from tests import mtui
from tests.terminal.desk import Desk
from tests.waiting import wait_until

QUIET = 0.8  # seconds without a byte after which the first paint is over; the app looks at its lines each second
IDLE = 3.0  # seconds in which the app has looked at everything that it looks at, some of it six times


@pytest.mark.parametrize(("size", "key"), [((160, 45), "2"), ((80, 24), "3")], ids=["160x45", "log at 80x24"])
def test_idle_app_writes_nothing(desk: Desk, size: tuple[int, int], key: str) -> None:
    assert mtui.run("--no-ui", "-o", desk.out, desk.study("echo $(I)", rows="1, 2, 3")).returncode == 0
    terminal = desk.terminal(desk.out, size=size)
    terminal.wait_for("✓ done 3")
    terminal.wait_for("the study is over: finished")
    terminal.keys(key)
    terminal.wait_for("Details" if key == "2" else "F Follow")
    seen, since = terminal.bytes_written, time.monotonic()

    def is_quiet() -> bool:
        nonlocal seen, since
        if terminal.bytes_written != seen:
            seen, since = terminal.bytes_written, time.monotonic()
        return time.monotonic() - since > QUIET

    wait_until(is_quiet, 30, "the end of the first paint")
    before = terminal.raw
    threading.Event().wait(IDLE)  # that nothing happens is no condition to wait for
    assert terminal.raw[len(before) :] == b""
