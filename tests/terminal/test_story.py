"""The whole story of a sweep on a real cluster, played with keys: on a wide screen, and where there is little room."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mtui.core.errors import EXIT_CANCELLED
from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_studies import SHARED, step
from tests.terminal.desk import Desk
from tests.terminal.screen import Terminal

ROWS = tuple(f"{number:02}" for number in range(1, 21))
NEEDED = "lattice.txt"
FAIL = ("05", "11", "17")  # until what they need is there
LONG = "08"  # never ends
LAST = "14"  # ends on SIGTERM


def sweep(desk: Desk) -> Path:
    """Forty instances: twenty simulations and what is made of each."""
    needed = desk.folder / NEEDED
    sim = f"""\
echo sim $(I) >> {desk.trace}
echo "relaxing the lattice of $(I)"
case $(I) in
  {"|".join(FAIL)}) [ -e {needed} ] || {{ echo "no lattice constant for $(I)" >&2; exit 3; }} ;;
  {LONG}) sleep 600 ;;
  {LAST}) while [ ! -e {desk.go} ]; do sleep 0.1; done ;;
esac"""
    steps = step("sim", sim) + step("post", f"echo post $(I) >> {desk.trace}", depends="sim")
    rows = ", ".join(f'"{row}"' for row in ROWS)
    return mtui.write_study(
        desk.folder / "sweep.yaml",
        steps,
        batch=SHARED,
        parameters=f"  I: {{values: [{rows}], label: I.%%}}",
        name="sweep",
    )


GLYPHS = {"running": "▸", "queued": "⋯", "done": "✓", "failed": "✗", "cancelled": "⊘", "blocked": "⊠"}


def counts(**expected: int) -> Callable[[str], bool]:
    """Whether the line of counts tells these, and no other groups."""

    def reported(text: str) -> bool:
        line = next((line for line in text.split("\n") if line.startswith(" all ")), "")
        found = {group: re.search(rf"{glyph} (?:\w+ )?(\d+)", line) for group, glyph in GLYPHS.items()}
        return {group: int(match[1]) for group, match in found.items() if match} == expected

    return reported


def rows(*expected: str) -> Callable[[str], bool]:
    """Whether the grid shows these rows, and no others."""
    return lambda text: tuple(re.findall(r"^(?:│.*││)? (\d\d)  \S \w", text, re.MULTILINE)) == expected


def show_log(terminal: Terminal, words: str, *, narrow: bool) -> None:
    """Have the log on the screen, and see these words in it."""
    if narrow:
        terminal.keys("3")
    terminal.wait_for(words)


def answer(terminal: Terminal, question: str) -> None:
    """Say yes to a dialog."""
    terminal.wait_for(lambda text: question in text and "Yes, " in text)
    terminal.keys("y")
    terminal.wait_without(question)


@pytest.mark.parametrize("size", [(160, 45), (80, 24)], ids=["160x45", "80x24"])
def test_sweep_is_started_fixed_left_and_ended(slurm: Cluster, desk: Desk, size: tuple[int, int]) -> None:
    narrow = size[0] < 100
    env = desk.env(slurm.env)
    first = desk.terminal("-s", "1", "-o", desk.out, sweep(desk), env=env, size=size)
    first.wait_for("driven here")
    first.wait_for(counts(running=2, queued=2, done=30, failed=3, blocked=3), 60)

    # What failed is found with one key, its reason and its output with it.
    first.keys("n")
    first.wait_for("sim_I.05  failed: exit code 3")
    show_log(first, "no lattice constant for 05", narrow=narrow)
    first.keys("o")
    first.wait_for("case 05 in")
    first.keys("o")
    first.wait_for("driver log")
    first.keys("2", "n")
    first.wait_for("sim_I.11  failed")
    first.keys("f")
    first.wait_for(rows(*FAIL))

    # What it lacked is put there, and all that failed runs again.
    (desk.folder / NEEDED).touch()
    first.keys("A")
    answer(first, "Retry 3 instances?")
    first.wait_for("retry 3 instances: done")
    first.keys("escape")
    first.wait_for(counts(running=2, queued=2, done=36), 60)
    first.keys("C")
    first.wait_for(lambda text: any("retry 3 instances" in line and "done" in line for line in text.split("\n")))
    first.wait_for("sbatch --parsable")
    first.keys("escape")
    first.wait_for(counts(running=2, queued=2, done=36))

    # One that would run on and on is found by a filter, and cancelled.
    first.keys("/")
    first.wait_for(lambda text: "state:failed" in map(str.strip, text.split("\n")))  # the one before, to be changed
    first.keys("ctrl+u")
    first.wait_for("SIZE>100")  # the example in an empty field
    first.type("state:running step:sim")
    first.keys("enter")
    first.wait_for(rows(LONG, LAST))
    first.keys("g")
    first.wait_for(f"sim_I.{LONG}  running")
    first.keys("c")
    answer(first, "Cancel 1 instance?")
    first.wait_for(f"cancel sim_I.{LONG}: done")
    first.keys("escape")
    first.wait_for(counts(running=1, queued=1, done=36, cancelled=1, blocked=1), 60)

    # The user leaves, and the study continues, even when its driver is killed: from another terminal.
    first.keys("q")
    assert first.exit_code() == 0
    driver = desk.wait_for_driver(other_than=first.pid)
    first.wait_for(f"The study continues; driver: process {driver}")
    first.wait_for(f"To return, run: mtui {desk.out}"[: size[0]])
    os.kill(driver, signal.SIGKILL)
    second = desk.terminal(desk.out, env=env, size=size)
    second.wait_for("driven here")
    second.wait_for(counts(running=1, queued=1, done=36, cancelled=1, blocked=1), 60)
    desk.go.touch()
    second.wait_for(counts(done=38, cancelled=1, blocked=1), 60)
    second.wait_for("study cancelled")
    second.keys("q")
    assert second.exit_code() == EXIT_CANCELLED

    again = Counter(f"sim {row}" for row in FAIL)
    once = Counter(f"{name} {row}" for name in ("sim", "post") for row in ROWS if (name, row) != ("post", LONG))
    assert Counter(desk.runs()) == again + once
