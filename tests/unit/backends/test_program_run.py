"""Programs of Slurm, or wrappers of a site in their place, that hang, print endlessly or leave processes behind."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from mtui.core.backends import program_run
from mtui.core.backends.program_run import run_program
from tests.waiting import wait_until

ENVIRONMENT = {"PATH": os.environ["PATH"], "ODD": "x"}


def test_exit_code_and_both_outputs_are_returned() -> None:
    done = run_program(["sh", "-c", "cat; echo $ODD; printf '\\377' >&2; exit 3"], ENVIRONMENT, 60, b"in\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "in\nx\n", "\N{REPLACEMENT CHARACTER}")


def test_long_input_and_output_do_not_block_each_other() -> None:
    text = b"x" * 1_000_000
    assert run_program(["cat"], ENVIRONMENT, 60, text).stdout == text.decode()


def test_missing_program_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError):
        run_program(["/no/program"], ENVIRONMENT, 60)


def test_endless_output_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_run, "LONGEST_OUTPUT", 2_000_000)
    done = run_program(["yes"], ENVIRONMENT, 60)
    assert (done.returncode, done.stdout, done.stderr) == (-9, "", "yes printed more than 2 MB and was killed")


def test_program_is_killed_at_the_deadline_with_what_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        run_program(["sh", "-c", f"sleep 600 & echo $! > {pid}; wait"], ENVIRONMENT, 1)
    wait_until(lambda: not Path(f"/proc/{int(pid.read_text())}/fd").exists() or _is_zombie(pid), 10, "sleep ends")


def _is_zombie(pid: Path) -> bool:
    return ") Z " in Path(f"/proc/{int(pid.read_text())}/stat").read_text()


def test_process_that_keeps_the_output_open_holds_nothing_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    begun = time.monotonic()
    done = run_program(["sh", "-c", f"sleep 600 & echo $! > {pid}; echo 12"], ENVIRONMENT, 300)
    subprocess.run(["kill", pid.read_text().strip()], check=True)
    assert (done.returncode, done.stdout) == (0, "12\n")
    assert time.monotonic() - begun < 200
