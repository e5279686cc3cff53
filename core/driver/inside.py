"""Uses the allocation that the driver itself runs in: salloc, an interactive job, a batch script.

The leader is then a process of this driver, and outlives it: the next driver in the same allocation takes it up.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ..plan.packing import ANY
from ..study import events as ev
from ..study.allocation import Allocation
from ..study.causes import Cause, CauseCode
from ..study.status import Status
from .allocating import Allocating
from .drive import Drive

_IDLE = 7 * 86_400  # seconds: it is not ours to end for want of work
_EVERY = 1.0  # seconds between two looks whether the leader lives


class Inside:
    """The part of a driver that lives in an allocation. Does nothing for one that does not."""

    def __init__(self, drive: Drive, allocating: Allocating) -> None:
        self._drive = drive
        self._allocating = allocating
        self._job = drive.study.settings.inside
        self._process: subprocess.Popen[bytes] | None = None
        self._name = ""

    def begin(self) -> None:
        """Take up the leader of this allocation, or start one."""
        if not self._job:
            return
        own = [own for own in self._drive.state.allocations.open() if own.job == self._job and own.pool == ANY]
        for allocation in own:
            self._name = allocation.name
            if self._lives():
                return
            self._end(allocation, Status.FAILED)
        self._start()

    def due(self) -> float | None:
        return time.monotonic() + _EVERY if self._name else None

    def turn(self) -> None:
        """Notice the end of the leader: Slurm says nothing of it, for the allocation goes on."""
        if not self._name or self._lives():
            return
        self._allocating.read()
        allocation = self._drive.state.allocations.by_name[self._name]
        if not allocation.is_over:
            self._end(allocation, Status.FINISHED if allocation.ending else Status.FAILED)
        self._name = ""
        if not allocation.ending:  # somebody killed it
            self._start()

    def _end(self, allocation: Allocation, status: Status) -> None:
        self._allocating.end(allocation, status, Cause(CauseCode.ALLOCATION_LEADER_ENDED, job=allocation.job))

    def _start(self) -> None:
        drive, environment = self._drive, os.environ
        self._name = name = drive.new_submission()
        nodes = int(environment.get("SLURM_JOB_NUM_NODES", "1"))
        at, pool = time.time(), ANY
        drive.emit(
            ev.AllocationIntended(
                at=at, allocation=name, pool=pool.options, gpus=pool.gpus, nodes=nodes, seconds=drive.packing.seconds
            )
        )
        drive.emit(ev.AllocationQueued(at=at, allocation=name, job=self._job))
        drive.sync()
        folder = drive.directory.allocations
        leader = ("-m", "mtui.core.pack.leader", str(drive.directory.home), name, str(_IDLE))
        with (folder / f"{name}.out").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, *leader, *drive.plan.batch.shell.split()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        (folder / f"{name}.pid").write_text(f"{self._process.pid}\n", encoding="utf-8")

    def _lives(self) -> bool:
        """Whether the leader runs, be it our child or that of a driver before us on this host."""
        if self._process:
            return self._process.poll() is None
        try:
            pid = (self._drive.directory.allocations / f"{self._name}.pid").read_text(encoding="utf-8").strip()
            words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        return os.fsencode(str(self._drive.directory.home)) in words and self._name.encode() in words
