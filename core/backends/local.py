"""Runs steps on this machine, each in a separate process session, with output files that are written live.

A step outlives the driver that started it. It runs under job.sh, with the same claim and records as in Slurm, so that
another driver on this host can adopt it by its process id.
"""

from __future__ import annotations

import _thread
import os
import queue
import signal
import subprocess
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from ..file_reading import RECORD, open_file, open_to_append
from ..shell_environment import has_dropped
from .backend import Accepted, Answer, Deferred, Job, JobIdentity, put_off_or_refuse

OnExit = Callable[[str, str, int], None]  # called from a thread: attempt, process id, exit code


class Local:
    """The backend for this machine. `on_exit` is called when the process of a step started here has ended."""

    def __init__(self, home: Path, host: str, on_exit: OnExit) -> None:
        self._home = str(home)
        self._host = host
        self._on_exit = on_exit

    def submit(self, job: Job) -> Answer:
        attempt = job.only
        started: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()
        try:
            # First: the end of a process that no thread waits for would never be noticed.
            # Not threading.Thread: its start() waits until the new thread runs.
            _thread.start_new_thread(self._wait, (started, attempt.name))
        except RuntimeError as error:
            return Deferred(f"cannot be started here: {error}")
        process: subprocess.Popen[bytes] | None = None
        try:
            with open_file(attempt.script) as script:
                shell = os.fsdecode(script.readline(RECORD)).removeprefix("#!").split() or ["/bin/sh"]
            command = ["/bin/sh", f"{self._home}/job.sh", attempt.name, self._home]
            environment = {**os.environ, "MTUI_DROPPED": "1"} if has_dropped(os.environ) else None
            # Append: if another driver started this attempt already, that process writes there and this is a duplicate.
            with open_to_append(attempt.stdout) as out, open_to_append(attempt.stderr) as err:
                process = subprocess.Popen(
                    [*command, attempt.workspace, attempt.script, self._host, "", *shell],
                    cwd=attempt.workspace,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            return put_off_or_refuse(error, f"cannot be started here: {error.strerror}{where}")
        else:
            return Accepted(str(process.pid), self._host)
        finally:
            started.put(process)

    def cancel(self, jobs: Collection[JobIdentity]) -> str:
        self._signal(jobs, signal.SIGTERM)
        return ""

    def kill(self, step: JobIdentity) -> None:
        """Send KILL to a step that did not end after TERM."""
        self._signal([step], signal.SIGKILL)

    def _signal(self, steps: Collection[JobIdentity], number: signal.Signals) -> None:
        for pid, attempt in steps:
            if self.is_running(attempt, pid):  # not a process that reuses the pid
                with suppress(ProcessLookupError):
                    os.killpg(int(pid), number)

    def _wait(self, started: queue.SimpleQueue[subprocess.Popen[bytes] | None], attempt: str) -> None:
        process = started.get()
        if process is None:
            return  # it could not be started
        code = process.wait()
        self._on_exit(attempt, str(process.pid), code if code >= 0 else 128 - code)

    def is_running(self, attempt: str, pid: str) -> bool:
        """Return whether process `pid` on this host runs that attempt of this study."""
        return self._command(pid)[1:4] == [os.fsencode(text) for text in (f"{self._home}/job.sh", attempt, self._home)]

    @staticmethod
    def _command(pid: str) -> list[bytes]:
        """Return the command line of a process on this host; empty if it does not exist."""
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return []
