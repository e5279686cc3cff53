"""Uses the allocation that the driver itself runs in: salloc, an interactive job, a batch script.

The leader is a process started by this driver, and outlives it: the next driver in the same allocation uses it again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ...engine import events as ev
from ...engine.allocation import Allocation
from ...engine.allocation_policy import AllocationPolicy
from ...engine.causes import Cause, CauseCode
from ...engine.own_allocation import is_exhausted, too_long
from ...engine.status import Status
from ...file_reading import open_to_append, read_tail, read_text
from ...plan.shared_allocations import ANY
from ...spec.walltime import walltime_text
from ...store.allocation_lock import lock_allocation
from ..context import DriverContext
from ..part import DriverPart
from .members import refuse_instances
from .tracker import AllocationTracker

_IDLE = 7 * 86_400  # seconds: an allocation that mtui did not request is not ended for being idle
_EVERY = 1.0  # seconds between two checks that the leader runs
_LIVED = 60.0  # seconds; a leader that runs for longer did not die at once
_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)  # seconds before a leader that died at once is started again


class OwnAllocation(DriverPart):
    """The part of a driver that uses the allocation it runs in. Does nothing outside of one."""

    def __init__(self, context: DriverContext, tracker: AllocationTracker) -> None:
        self._context = context
        self._tracker = tracker
        self._job = context.study.settings.inside
        self._process: subprocess.Popen[bytes] | None = None
        self._name = ""
        self._unstarted: tuple[str, int | None] | None = None  # of the leader to start: allocation and lock
        self._may_start = False  # that allocation is on the disk
        self._has_ended = False  # the allocation itself
        self._checked_at = 0.0
        self._reported: set[int] = set()  # instances that were reported to need more time than is left
        self._began = 0.0  # when the leader was started (monotonic)
        self._deaths = 0  # leaders in a row that died at once
        self._start_at: float | None = None  # when to start the next one (monotonic)
        self._given_up: tuple[float, str] | None = None  # when (wall clock) and why no more leaders are started

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
        if self._start_at is not None:
            return self._start_at
        return time.monotonic() + _EVERY if self._name or self._given_up else None

    def step(self) -> None:
        """Detect the end of the leader: Slurm does not report it, because the allocation continues."""
        self._start_leader()
        if self._name and not self._is_running():
            self._leader_ended()
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self._start_at = None
            self._start()
        if self._given_up:
            self._fail_what_waits(*self._given_up)

    def close(self) -> None:
        """Free the lock of an allocation whose leader was not started."""
        if self._unstarted and self._unstarted[1] is not None:
            os.close(self._unstarted[1])
        self._unstarted = None

    def _leader_ended(self) -> None:
        """End its allocation, and start another leader unless it exited cleanly."""
        self._tracker.read_records()
        allocation = self._context.state.allocations.by_name[self._name]
        left = self._tracker.time_left(allocation)
        self._has_ended = allocation.is_over or (left is not None and left <= 0)
        # A leader that fails, for example because srun does, also reports that it ends.
        ended_well = allocation.ending and not (self._process and self._process.poll())
        if not allocation.is_over:
            self._end(allocation, Status.FINISHED if ended_well else Status.FAILED)
        output = self._output()
        self._name = ""
        if ended_well or self._has_ended:
            return
        now = time.monotonic()
        self._deaths = self._deaths + 1 if now - self._began < _LIVED else 0
        if self._deaths > len(_PAUSES):
            why = f"the leader in allocation {self._job} ended {self._deaths} times in a row"
            self._given_up = time.time(), f"{why}: {output}" if output else why
        else:
            self._start_at = now + _PAUSES[max(0, self._deaths - 1)]

    def _fail_what_waits(self, since: float, why: str) -> None:
        """Fail the instances that can run only in this allocation; start a leader again if the user retries some."""
        state = self._context.state
        if state.retried_at > since:
            self._given_up, self._deaths, self._start_at = None, 0, time.monotonic()
            return
        policy = AllocationPolicy(state, self._context.packing, time.time())
        refuse_instances(self._context, [index for index, _ in policy.ready()], why)

    def why_exhausted(self) -> str:
        """Return why nothing of the study can run in this allocation any more; empty if something can."""
        now = time.monotonic()
        if not self._job or now < self._checked_at + _EVERY:
            return ""
        self._checked_at = now
        context = self._context
        if self._has_ended:
            late = too_long(context.state, context.packing, 0.0)
            return f"allocation {self._job} has ended" if is_exhausted(context.state, late) else ""
        allocation = context.state.allocations.by_name.get(self._name)
        if allocation is None or not allocation.began_at:
            return ""
        left = self._tracker.time_left(allocation)
        if left is None:
            return ""
        late = too_long(context.state, context.packing, left)
        words = self._words(late, left) if late else ""
        if late.keys() - self._reported:
            self._reported |= late.keys()
            context.emit(ev.Anomaly(at=time.time(), message=words))
        return words if is_exhausted(context.state, late) else ""

    def _words(self, late: Mapping[int, int], left: float) -> str:
        names = [self._context.plan.instances[index].name for index in late]
        which = names[0] if len(names) == 1 else f"{len(names)} instances, such as {names[0]}"
        has, needs = walltime_text(max(0, int(left))), walltime_text(max(late.values()))
        return f"allocation {self._job} has {has} left, not enough for {which} (walltime {needs})"

    def _end(self, allocation: Allocation, status: Status) -> None:
        cause = Cause(CauseCode.ALLOCATION_LEADER_ENDED, self._output(), job=allocation.job)
        self._tracker.end_allocation(allocation, status, cause)

    def _output(self) -> str:
        """Return the end of what the leader printed."""
        return read_tail(self._context.directory.allocation_file(self._name, "out"), most=300)

    def _start(self) -> None:
        context, environment = self._context, os.environ
        lock = lock_allocation(self._job, context.directory.root)
        self._name = name = context.new_submission()
        nodes = int(environment.get("SLURM_JOB_NUM_NODES", "1"))
        at, pool = time.time(), ANY
        context.emit(
            ev.AllocationIntended(
                at=at, allocation=name, pool=pool.options, gpus=pool.gpus, nodes=nodes, seconds=context.packing.seconds
            )
        )
        context.emit(ev.AllocationQueued(at=at, allocation=name, job=self._job, cluster=context.cluster))
        self._process = None
        self._unstarted, self._may_start = (name, lock), False
        context.log.when_durable(self._allow_start)
        self._start_leader()

    def _allow_start(self) -> None:
        """The allocation is on the disk."""
        self._may_start = True

    def _start_leader(self) -> None:
        """Start the pending leader, unless it is delayed; it inherits the open file of the lock.

        Raises OSError if it cannot be started now, or later drivers could not find it: it is tried again.
        """
        if self._unstarted is None or not self._may_start:
            return
        context = self._context
        name, lock = self._unstarted
        leader = ("-m", "mtui.core.packing.leader", str(context.directory.home), name, str(_IDLE))
        self._began = time.monotonic()
        with (
            open_to_append(context.directory.allocation_file(name, "pid")) as pid,  # before there is a leader
            open_to_append(context.directory.allocation_file(name, "out")) as out,
        ):
            process = subprocess.Popen(
                [sys.executable, *leader, *context.plan.batch.shell.split()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",  # Python searches the current directory for modules first
                start_new_session=True,
                pass_fds=() if lock is None else (lock,),  # held until the leader has ended
            )
            try:
                os.truncate(pid.fileno(), 0)
                os.write(pid.fileno(), f"{process.pid}\n".encode())
            except OSError as error:
                _end_leader(process)
                error.filename = str(context.directory.allocation_file(name, "pid"))
                raise
        self._process = process
        self._unstarted = None
        if lock is not None:
            os.close(lock)

    def _is_running(self) -> bool:
        """Whether the leader runs (as a child process, or of an earlier driver on this host) or will be started.

        Raises OSError if its process id cannot be read now.
        """
        if self._unstarted:
            return True
        if self._process:
            return self._process.poll() is None
        try:
            pid = read_text(self._context.directory.allocation_file(self._name, "pid")).strip()
        except FileNotFoundError:  # none was started
            return False
        try:
            words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False
        return os.fsencode(str(self._context.directory.home)) in words and self._name.encode() in words


def _end_leader(process: subprocess.Popen[bytes]) -> None:
    """End a leader that has just begun, and what it started: it holds the allocation's lock."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
