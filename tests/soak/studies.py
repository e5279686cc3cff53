"""The studies of a soak test: their files and their drivers."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import mtui
from tests.slurm.cluster import Cluster

ROWS = 12
KINDS = ("plain", "bound", "packed")
_MTUI = {
    "plain": "{array: 1, submit_ahead: false}",
    "bound": "{array: 3}",
    "packed": "{pack: {cores: 4}}",
}
_BATCH = "{type: slurm, host: h, bank: m1234, queue: shared, qos: regular}"
_SLURM = 'procs: 1\n    walltime: "00:05:00"'
# Each script holds a lock while it lives: two of one instance at a time would meet there.
_SCRIPT = """
exec 9>>"{locks}/$name"
flock -n 9 || echo "overlap $name" >>"{trace}"
echo "start $name" >>"{trace}"
sleep {seconds}
echo "end $name" >>"{trace}"
"""
# How a study is driven on: seconds until the next driver after one that is gone.
_RESTART = (0.0, 4.0)
_COMMAND_TIMEOUT = 60.0
# A driver whose clock is wrong by so many seconds; Slurm's programs and the jobs have the right one. (libfaketime makes
# pauses by the monotonic clock fail, so half of a driver's calls of programs.)
_SHIFTED = """
import runpy, sys, time
shift, now, now_ns = int(sys.argv.pop(1)), time.time, time.time_ns
time.time, time.time_ns = lambda: now() + shift, lambda: now_ns() + shift * 10**9
runpy.run_module("mtui.tui", run_name="__main__", alter_sys=True)
"""
_SHIFTS = (-7200, 3600, 7200)
_FAILED = (2, 3)  # exit codes of a driver whose study is over and has something to retry


def _step(name: str, trace: Path, locks: Path, seconds: str, keys: str, depends: str = "", rows: bool = True) -> str:
    """Return one step; with `rows` it has an instance for each row."""
    script = _SCRIPT.format(trace=trace, locks=locks, seconds=seconds)
    text = f"name={name}{'_I.$(I)' if rows else ''}{script}".replace("\n", "\n        ")
    needs = f"\n    depends: [{depends}]" if depends else ""
    where = f"\n    {keys}" if keys else ""
    return f"- name: {name}\n  description: d\n  run:\n    cmd: |\n        {text.rstrip()}{where}{needs}\n"


class SoakStudy:
    """One study of a round, and every driver of it.

    The trace and the locks of its scripts are not on the disk that gets full.
    """

    def __init__(self, kind: str, number: int, rng: random.Random, folder: Path, disk: Path, cluster: Cluster) -> None:
        self.kind = kind
        self.out = disk / f"{number:03d}-{kind}"
        self.trace = folder / f"{number:03d}-{kind}.trace"
        self.log = folder / f"{number:03d}-{kind}.log"
        self.reruns: set[str] = set()  # instances that a command let run again after they had finished
        self.is_over = False  # the last driver ended because all had finished
        self.has_finished = False
        self._locks = folder / f"{number:03d}-{kind}.locks"
        self._locks.mkdir()
        self._rng, self._cluster = rng, cluster
        self._drivers: list[subprocess.Popen[bytes]] = []
        self._next_start = 0.0
        self._faults = True
        self.trace.touch()
        spec = folder / f"{number:03d}-{kind}.yaml"
        mtui.write_study(spec, self._steps(), batch=_BATCH, parameters=_rows(), name=kind)
        spec.write_text(f"{spec.read_text()}mtui: {_MTUI[kind]}\n")
        self._start_driver("-y", "-s", "3", "-o", self.out, spec, shift=False)

    def _steps(self) -> str:
        def seconds() -> str:
            return f"{self._rng.uniform(0.5, 8):.1f}"

        place = self.trace, self._locks
        return (
            _step("prep", *place, seconds(), "")
            + _step("sim", *place, seconds(), _SLURM, "prep")
            + _step("post", *place, seconds(), _SLURM, "sim")
            + _step("all", *place, seconds(), _SLURM, "post_*", rows=False)
            + _step("tidy", *place, seconds(), "", "post")
        )

    @property
    def instances(self) -> list[str]:
        """The names of all instances."""
        return [*(f"{step}_I.{row}" for step in ("prep", "sim", "post", "tidy") for row in range(ROWS)), "all"]

    # --- drivers

    def keep_driven(self, now: float) -> None:
        """Start a driver if none is left, after a while."""
        for driver in [driver for driver in self._drivers if driver.poll() is not None]:
            self._drivers.remove(driver)
            self.is_over = driver.returncode == 0
            if driver.returncode in _FAILED:
                self._retry()
            self._next_start = now + self._rng.uniform(*_RESTART)
        if not self._drivers and not self.is_over and now >= self._next_start:
            if self.driver_pid():  # the successor of a detach
                return
            self._start_driver("-y", "-s", "3", self.out, shift=self._faults and self._rng.random() < 0.3)

    @property
    def has_begun(self) -> bool:
        """Whether its directory is complete and a driver has begun."""
        return any((self.out / ".mtui" / "journal").glob("*.jsonl"))

    def start_rival(self) -> None:
        """Start one more driver, even if another one drives."""
        self._start_driver("-y", "-s", "3", self.out, shift=False)

    def _start_driver(self, *words: str | Path, shift: bool) -> None:
        start = [sys.executable, "-c", _SHIFTED, str(self._rng.choice(_SHIFTS))] if shift else mtui.COMMAND
        command = [*start, "--no-ui", *map(str, words)]
        with self.log.open("ab") as log:
            log.write(b"--- driver\n")
            log.flush()
            self._drivers.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._cluster.env,
                    start_new_session=True,
                )
            )
        self.is_over = False

    def driver_pid(self) -> int:
        """The process that holds the lease, if it is alive; else 0."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            owners = self.out / ".mtui" / "owner"
            newest = sorted(path for path in owners.iterdir() if path.name.isdigit())[-1]
            pid = int(json.loads(newest.read_text())["pid"])
            if b"mtui" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return 0

    def signal_driver(self, number: signal.Signals) -> int:
        """Send a signal to the process that drives; return its id, 0 if there is none."""
        pid = self.driver_pid()
        if pid:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        return pid

    def kill_drivers(self) -> None:
        """End all drivers, as by kill -9."""
        for driver in self._drivers:
            driver.kill()
            driver.wait()
        if pid := self.driver_pid():
            os.kill(pid, signal.SIGKILL)

    # --- commands

    def command(self, *words: str | Path) -> None:
        """Send a command as a user does, and do not wait for its answer."""
        with self.log.open("ab") as log:
            log.write(f"--- {' '.join(map(str, words))}\n".encode())
            log.flush()
            subprocess.Popen(
                [*mtui.COMMAND, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._cluster.env,
                start_new_session=True,
            )

    # --- the end

    def end_faults(self) -> None:
        """From now on nothing breaks, and the study is driven to its end."""
        self._faults = False
        self.is_over = False

    def is_finished(self) -> bool:
        """Drive on, retry what failed; whether all instances have finished."""
        if self.has_finished:
            return True
        for driver in [driver for driver in self._drivers if driver.poll() is not None]:
            self._drivers.remove(driver)
        if self._drivers or self.driver_pid():
            return False
        record = self._status()
        statuses = [each["status"] for each in record.get("instances", ())]
        self.has_finished = bool(statuses) and set(statuses) <= {"finished"}
        if not self.has_finished:
            if record.get("result"):
                self._retry()
            self._start_driver("-y", "-s", "3", self.out, shift=False)
        return self.has_finished

    def _retry(self) -> None:
        with self.log.open("ab") as log, contextlib.suppress(subprocess.TimeoutExpired):  # then the next one does it
            subprocess.run(
                [*mtui.COMMAND, "retry", self.out],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._cluster.env,
                check=False,
                timeout=_COMMAND_TIMEOUT,
            )

    def _status(self) -> dict[str, Any]:
        done = mtui.run("status", "--json", self.out, env=self._cluster.env)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def describe(self) -> str:
        """What it is in, for a report."""
        done = mtui.run("status", self.out, env=self._cluster.env)
        return f"{done.stdout[-1500:]}{done.stderr[-500:]}; log: {self.log.read_text(errors='replace')[-1500:]}"


def _rows() -> str:
    return f"  I: {{values: {list(range(ROWS))}, label: I.%%}}"
