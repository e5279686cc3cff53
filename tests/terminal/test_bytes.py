"""What is written to the terminal, in bytes: nothing where nothing changes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests import mtui
from tests.terminal.desk import Desk
from tests.terminal.screen import Terminal
from tests.waiting import wait_until

# An idle app wakes up some ten times a second and looks at its lines each second. Time alone does not tell, for a busy
# machine may not let it run at all, nor do its wake-ups alone, for its threads wake it up many times at the start.
QUIET = 10, 2.0  # wake-ups and seconds without a byte: the first paint is over
IDLE = 30, 3.0  # in which it has looked at everything that it looks at, some of it three times


def wakes(terminal: Terminal) -> int:
    """How often the app has gone to sleep voluntarily."""
    lines = Path(f"/proc/{terminal.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("voluntary")).split()[1])


@pytest.mark.parametrize(("size", "key"), [((160, 45), "2"), ((80, 24), "3")], ids=["160x45", "log at 80x24"])
def test_idle_app_writes_nothing(desk: Desk, size: tuple[int, int], key: str) -> None:
    assert mtui.run("--no-ui", "-o", desk.out, desk.study("echo $(I)", rows="1, 2, 3")).returncode == 0
    terminal = desk.terminal(desk.out, size=size)
    terminal.wait_for("✓ done 3")
    terminal.wait_for("study finished")
    terminal.keys(key)
    terminal.wait_for("Details" if key == "2" else "F Follow")
    seen, since = terminal.bytes_written, (wakes(terminal), time.monotonic())

    def passed(least: tuple[int, float]) -> bool:
        return wakes(terminal) - since[0] > least[0] and time.monotonic() - since[1] > least[1]

    def is_quiet() -> bool:
        nonlocal seen, since
        now = wakes(terminal), time.monotonic()  # before the bytes: what it wrote since does not count as quiet
        if terminal.bytes_written != seen:
            seen, since = terminal.bytes_written, now
        return passed(QUIET)

    wait_until(is_quiet, 60, "the end of the first paint")
    before, since = terminal.raw, (wakes(terminal), time.monotonic())
    wait_until(lambda: passed(IDLE), 60, "the app has looked at everything")
    assert terminal.raw[len(before) :] == b""
