"""The study's directory is missing or full for some seconds while the app drives: afterwards the app drives again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.desk import Desk
from tests.terminal.screen import SECONDS, Terminal
from tests.waiting import wait_until

LONG = 60.0  # seconds; the delays between two tries are part of it


def driving(desk: Desk) -> Terminal:
    """The app, with a study whose two payloads run."""
    terminal = desk.terminal("-o", desk.out, "--local-jobs", "2", desk.study(desk.waits, "1, 2, 3, 4"), size=(120, 30))
    terminal.wait_for("driven here")
    wait_until(lambda: desk.runs() == ["run"] * 2, SECONDS, "two payloads run")
    return terminal


def comes_to_its_end(desk: Desk, terminal: Terminal) -> None:
    """The app itself drives the study to its end, and each payload runs once."""
    terminal.wait_for("✓ done 4", LONG)
    desk.wait_for_result("finished")
    assert desk.runs() == ["run"] * 4
    terminal.keys("q")
    assert terminal.exit_code() == 0


def test_app_drives_again_after_its_directory_was_missing(desk: Desk) -> None:
    terminal = driving(desk)
    away = desk.out.with_name("away")
    desk.out.rename(away)
    terminal.wait_for("Cannot write the heartbeat", LONG)
    away.rename(desk.out)
    terminal.wait_without("Cannot", LONG)
    terminal.wait_for("driven here", LONG)
    driver = desk.driver()
    assert driver
    assert driver.pid == terminal.pid
    desk.go.touch()
    comes_to_its_end(desk, terminal)


def test_directory_that_was_deleted_is_named_in_every_place(desk: Desk) -> None:
    terminal = driving(desk)
    desk.go.touch()
    for _ in range(3):  # while the payloads write into it
        shutil.rmtree(desk.out, ignore_errors=True)
    wait_until(lambda: not desk.out.exists(), SECONDS, "it is gone")
    terminal.wait_for("the study's directory no longer exists: ", LONG)
    assert "Maestro" not in terminal.text
    terminal.keys("c")
    terminal.wait_for("Cancel")
    terminal.keys("y")
    terminal.wait_for(lambda text: text.count("the study's directory no longer exists: ") == 2)
    terminal.keys("q")
    assert terminal.exit_code() == 1
    assert f"The study's directory no longer exists: {desk.out}" in terminal.text.replace("\n", "")


@pytest.fixture
def small_desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk on a file system of 200 inodes; what its payloads wait for is elsewhere."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=200", "tmpfs", str(folder)], check=True)
    desk = Desk(folder)
    desk.go = tmp_path / "go"
    yield desk
    desk.clear()
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_app_drives_again_once_there_are_inodes(small_desk: Desk) -> None:
    terminal = driving(small_desk)
    filled = [small_desk.folder / f"fill{number}" for number in range(200)]
    with pytest.raises(OSError, match="No space left"):
        for path in filled:
            path.touch()
    small_desk.go.touch()
    terminal.wait_for("Cannot", LONG)
    for path in filled:
        path.unlink(missing_ok=True)
    comes_to_its_end(small_desk, terminal)
