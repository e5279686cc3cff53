"""The leader of an allocation: assigns the attempts that the driver dispatches to workers, and records the results.

    python -m mtui.core.packing.leader HOME NAME IDLE SHELL...      in a batch script, on the first node

HOME is the study's .mtui directory, NAME the name of the allocation, IDLE the seconds without work after which it ends,
SHELL the command that runs a script.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..claims import Claims
from ..text_encoding import use_utf8
from . import worker_pool
from .executor import Executor
from .job_environment import base_environment
from .protocol import Abort, Cancel, Dispatch, End, ListReader, TimeQuestion
from .record_files import GrowingFile, RecordWriter, write_program
from .remaining_time import time_left, time_until
from .timers import Timers
from .worker_pool import WorkerPool

_POLL = 0.2  # seconds between reads of the list
_HELLO_WITHIN = 30.0  # seconds to wait for all workers; then it begins with those that have connected
_STOP_WITHIN = 20.0  # seconds for running attempts to end when Slurm ends the job
_LAST_WRITES_WITHIN = 10.0  # seconds
_IGNORED = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU)


class Leader:
    """The event loop of a leader. `Executor` decides what is started, and handles ended attempts."""

    def __init__(self, home: Path, name: str, idle: float, shell: list[str], batch: dict[str, str]) -> None:
        self._batch, self._idle = batch, idle
        self._job = batch["SLURM_JOB_ID"]
        self._count = int(batch.get("SLURM_JOB_NUM_NODES") or batch.get("SLURM_NNODES") or "1")
        self._list = GrowingFile(home / "allocations" / f"{name}.list")
        self._reader = ListReader()
        self._records = RecordWriter(home / "allocations" / f"{name}.records")
        self._selector = selectors.DefaultSelector()
        self._timers = Timers()
        self._crew = WorkerPool(self._selector, self._timers, batch)
        base = base_environment(batch)
        tools = home / "allocations" / "bin"
        base["PATH"] = f"{tools}{os.pathsep}{base.get('PATH', os.defpath)}"
        write_program(tools / "srun", (Path(__file__).parent / "srun.sh").read_text(encoding="utf-8"))
        self._welcome = {"environment": base, "root": str(home.parent), "shell": shell}
        self._runs = Executor(self._job, Claims(home / "claims"), self._count, base, self._records, self._timers)
        self._began = False
        self._closed = False  # the driver will dispatch nothing more
        self._signalled = False
        self._next_look = 0.0

    def run(self) -> str:
        """Run until there is nothing to do, the workers are lost, or Slurm ends the job. Return the reason.

        Raises OSError if no worker starts.
        """
        self._catch_signals()
        started = time.monotonic()
        try:
            self._crew.start(self._count)
            self._runs.deadline = self._deadline()
            while not self._began:
                self._step()
                if self._signalled:
                    return "signal"
                if (code := self._crew.failed) is not None:
                    raise ChildProcessError(f"no worker started: srun exited with code {code}")
                late = time.monotonic() - started > _HELLO_WITHIN
                if self._crew.count == self._count or (late and self._crew.count):
                    self._begin()
                elif late:
                    raise ChildProcessError(f"no worker started within {_HELLO_WITHIN:g} seconds")
            return self._work()
        finally:
            self._crew.dismiss()

    def over(self, why: str) -> None:
        """Write the last record, with the reason why the allocation ended."""
        self._records.add("over", job=self._job, why=why, at=round(time.time(), 3))
        deadline = time.monotonic() + _LAST_WRITES_WITHIN
        self._write_records()
        while not self._records.through and time.monotonic() < deadline:
            time.sleep(_POLL)
            self._write_records()

    def _write_records(self) -> None:
        self._records.write(time.monotonic())
        self._records.close()

    def _work(self) -> str:
        idle_since: float | None = None
        stop_at: float | None = None
        while True:
            self._step()
            now = time.monotonic()
            if self._signalled and stop_at is None:
                stop_at = now + _STOP_WITHIN
            if stop_at is not None:
                if not self._runs.running or now > stop_at:
                    return "signal"
            elif self._crew.deserted:
                return "its workers were lost"
            elif self._runs.busy or self._crew.replacing:
                idle_since = None
            elif self._closed:
                return "ended"
            else:
                idle_since = idle_since or now
                if now - idle_since >= self._idle:
                    return "idle"

    def _step(self) -> None:
        """Wait for an event and handle it. Records are written before messages are sent to workers."""
        now = time.monotonic()
        due = min(self._next_look, self._timers.next or self._next_look)
        ready = [key.fileobj for key, _ in self._selector.select(max(0.0, due - now))]
        self._wake(ready)
        if self._signalled:
            self._runs.stop()
        for news in self._crew.hear(ready):
            self._apply_message(news)
        now = time.monotonic()
        self._timers.run(now)
        if now >= self._next_look:
            self._read_list(now)
        if self._began:
            self._runs.start_what_fits()
        self._records.write(now)
        if self._records.through:
            for node, message in self._runs.messages():
                self._crew.send(node, message)

    def _apply_message(self, news: worker_pool.News) -> None:
        match news:
            case worker_pool.WorkerJoined(node, gpus, again):
                self._crew.send(node.name, self._welcome)
                if again:
                    self._runs.lost(node.name)
                self._runs.join(node, gpus)
            case worker_pool.ProcessesEnded(results):
                for attempt, code, verdict, error in results:
                    self._runs.ended(attempt, code, verdict, error)
            case worker_pool.Signalled():
                self._signalled = True
                self._runs.stop()
            case worker_pool.WorkerLost(node):
                self._runs.close(node)
                if self._signalled:  # Slurm ends the job
                    self._runs.abandon(node)
                else:
                    self._crew.replace(node)
            case worker_pool.WorkerGone(node):
                self._runs.abandon(node)

    def _read_list(self, now: float) -> None:
        self._next_look = now + _POLL
        for order in self._reader.feed(self._list.read()):
            match order:
                case Dispatch():
                    self._runs.queue.add(order)
                case Cancel(attempt):
                    self._runs.cancel(attempt)
                case End():
                    self._closed = True
                case Abort():
                    self._runs.abort()
                    self._signalled = True
                case TimeQuestion(question):
                    self._records.add(
                        "left", job=self._job, question=question, left=self._left(), at=round(time.time(), 3)
                    )

    def _begin(self) -> None:
        self._began = True
        nodes = self._runs.slots.nodes.values()
        self._records.add(
            "began",
            job=self._job,
            hosts=sorted(node.name for node in nodes),
            cores=sum(node.cores for node in nodes),
            left=self._left(),
            mode="python",
            at=round(time.time(), 3),
        )

    def _left(self) -> float | None:
        deadline = self._runs.deadline
        return None if deadline is None else round(deadline - time.monotonic(), 1)

    def _deadline(self) -> float | None:
        """Return when Slurm will end this job, on the monotonic clock; None if unknown or without limit."""
        if end := self._batch.get("SLURM_JOB_END_TIME"):
            left = time_until(end, time.time())
        else:
            command = ("squeue", "--noheader", f"--jobs={self._job}", "--format=%L")
            done = None
            with suppress(OSError, subprocess.TimeoutExpired):
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
            left = time_left(done.stdout) if done else None
        return None if left is None else time.monotonic() + left

    # -- signals

    def _catch_signals(self) -> None:
        """Install signal handlers: Slurm sends TERM to every process of a job that it ends."""
        self._woken, wake = socket.socketpair()
        for end in (self._woken, wake):
            end.setblocking(False)
        self._wake_end = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signal)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)

    def _signal(self, *_: Any) -> None:
        self._signalled = True

    def _wake(self, ready: list[Any]) -> None:
        if self._woken in ready:
            with suppress(BlockingIOError):
                self._woken.recv(4096)


def main() -> int:
    use_utf8()
    home, name, idle, *shell = sys.argv[1:]
    leader = Leader(Path(home), name, float(idle), shell, dict(os.environ))
    try:
        why, code = leader.run(), 0
    except Exception as error:  # any error must be reported to the driver
        why, code = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}", 1
        if not isinstance(error, OSError):
            import traceback

            traceback.print_exc()
    leader.over(why)
    return code


if __name__ == "__main__":
    sys.exit(main())
