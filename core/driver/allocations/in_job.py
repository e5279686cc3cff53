"""Uses the allocation that the driver itself runs in: salloc, an interactive job, a batch script.

The leader is a process started by this driver, and outlives it: the next driver in the same allocation uses it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from ...engine import events as ev
from ...engine.allocation import Allocation
from ...engine.causes import Cause, CauseCode
from ...engine.status import Status
from ...file_reading import read_text
from ...plan.shared_allocations import ANY
from ..context import DriverContext
from ..part import DriverPart
from .tracker import AllocationTracker

_IDLE = 7 * 86_400  # seconds: an allocation that mtui did not request is not ended for being idle
_EVERY = 1.0  # seconds between two checks that the leader runs


class OwnAllocation(DriverPart):
    """The part of a driver that uses the allocation it runs in. Does nothing outside of one."""

    def __init__(self, context: DriverContext, tracker: AllocationTracker) -> None:
        self._context = context
        self._tracker = tracker
        self._job = context.study.settings.inside
        self._process: subprocess.Popen[bytes] | None = None
        self._name = ""

    def begin(self) -> None:
        """Use the running leader of this allocation, or start one."""
        if not self._job:
            return
        own = [own for own in self._context.state.allocations.open() if own.job == self._job and own.pool == ANY]
        for allocation in own:
            self._name = allocation.name
            if self._is_running():
                return
            self._end(allocation, Status.FAILED)
        self._start()

    def due(self) -> float | None:
        return time.monotonic() + _EVERY if self._name else None

    def step(self) -> None:
        """Detect the end of the leader: Slurm does not report it, because the allocation continues."""
        if not self._name or self._is_running():
            return
        self._tracker.read_records()
        allocation = self._context.state.allocations.by_name[self._name]
        if not allocation.is_over:
            self._end(allocation, Status.FINISHED if allocation.ending else Status.FAILED)
        self._name = ""
        if not allocation.ending:  # it was killed
            self._start()

    def _end(self, allocation: Allocation, status: Status) -> None:
        self._tracker.end_allocation(allocation, status, Cause(CauseCode.ALLOCATION_LEADER_ENDED, job=allocation.job))

    def _start(self) -> None:
        context, environment = self._context, os.environ
        self._name = name = context.new_submission()
        nodes = int(environment.get("SLURM_JOB_NUM_NODES", "1"))
        at, pool = time.time(), ANY
        context.emit(
            ev.AllocationIntended(
                at=at, allocation=name, pool=pool.options, gpus=pool.gpus, nodes=nodes, seconds=context.packing.seconds
            )
        )
        context.emit(ev.AllocationQueued(at=at, allocation=name, job=self._job))
        context.log.sync()
        leader = ("-m", "mtui.core.packing.leader", str(context.directory.home), name, str(_IDLE))
        with context.directory.allocation_file(name, "out").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, *leader, *context.plan.batch.shell.split()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",  # Python searches the current directory for modules first
                start_new_session=True,
            )
        context.directory.allocation_file(name, "pid").write_text(f"{self._process.pid}\n", encoding="utf-8")

    def _is_running(self) -> bool:
        """Whether the leader runs, as a child process or started by an earlier driver on this host."""
        if self._process:
            return self._process.poll() is None
        try:
            pid = read_text(self._context.directory.allocation_file(self._name, "pid")).strip()
            words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        return os.fsencode(str(self._context.directory.home)) in words and self._name.encode() in words
