"""The successor of a driver: its command, how it takes over, and why it is not ready."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.driver.driver import HANDED_OVER
from mtui.core.driver.location import WatchEnded
from mtui.core.driver.successor import READY_FD, start_successor, successor_command
from mtui.core.driver.supervisor import HAND_OVER_LOOK
from mtui.core.engine import events as ev
from mtui.core.isolated import isolated_command
from tests.unit.driver.supervised import RUN, World, ends
from tests.unit.engine import script

# --- as the supervisor of the successor


def test_successor_says_that_it_is_ready_and_takes_over_without_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(READY_FD, str(write_end))
    epoch = world.take_lease()
    said: list[bytes] = []

    def hand_over() -> None:
        said.append(os.read(read_end, 2))
        world.release(epoch, HANDED_OVER)

    world.drives.append(ends("finished"))
    world.run(RUN, hand_over)
    os.close(read_end)
    assert said == [b"+"]
    assert world.clock.waits == [HAND_OVER_LOOK]
    assert world.drivers[0].gone is None


def test_successor_stays_one_when_the_plan_is_extended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(READY_FD, str(write_end))
    epoch = world.take_lease()

    def extend() -> None:
        world.extend()
        world.write(epoch, ev.PlanExtended(at=script.at(), size=2))

    world.drives.append(ends("finished"))
    world.run(RUN, extend, lambda: world.release(epoch, HANDED_OVER))
    os.close(read_end)
    assert world.clock.waits == [HAND_OVER_LOOK] * 2


def test_successor_whose_driver_has_ended_watches_whoever_drives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    monkeypatch.setenv(READY_FD, str(write_end))
    world.take_lease()
    assert world.run(RUN, lambda: world.supervisor.stop("signal SIGINT")) == WatchEnded(world.owner(1))


# --- its command


def test_successor_of_a_driver_in_an_allocation_stays_in_it(world: World) -> None:
    words = isolated_command("mtui.tui", "--no-ui")
    root = str(world.directory.root)
    assert successor_command(world.directory, world.study) == (*words, root)
    inside = replace(world.study, settings=replace(world.study.settings, inside="71"))
    assert successor_command(world.directory, inside) == (*words, "--in-allocation", root)


# --- its start


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import sys; sys.exit('no such module')", "it exited with code 1: no such module"),
        ("import os; os._exit(7)", "it exited with code 7"),
        ("import os; os.kill(os.getpid(), 9)", "it exited with code -9"),
    ],
)
def test_why_a_successor_is_not_ready_is_shown_with_its_output(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "driver.log").write_text("of an earlier one\n")
    assert start_successor([sys.executable, "-c", text], tmp_path / "driver.log") == why


def test_successor_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    assert start_successor(["/no/python"], tmp_path / "driver.log") == "/no/python: No such file or directory"


def test_successor_that_is_ready_is_left_alone(tmp_path: Path) -> None:
    text = f"import os; os.write(int(os.environ['{READY_FD}']), b'+')"
    assert start_successor([sys.executable, "-c", text], tmp_path / "driver.log") == ""
