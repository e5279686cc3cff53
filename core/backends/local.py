"""Runs steps on this machine: each in a process session of its own, with live output files.

A step outlives the driver that started it. Its job-side runner leaves the same claim and records as in Slurm,
so another driver on this host adopts it by its process id.
"""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from .backend import Accepted, Answer, Job, put_off_or_refuse

OnExit = Callable[[str, str, int], None]  # called from a thread: attempt, process id, exit code


class Local:
    """This machine. `on_exit` is told when the process of a step that was started here has ended."""

    def __init__(self, home: Path, host: str, on_exit: OnExit) -> None:
        self._home = str(home)
        self._host = host
        self._on_exit = on_exit

    def submit(self, job: Job) -> Answer:
        attempt = job.only
        try:
            with Path(attempt.script).open("rb") as script:
                shell = os.fsdecode(script.readline()).removeprefix("#!").split() or ["/bin/sh"]
            command = ["/bin/sh", f"{self._home}/job.sh", attempt.name, self._home]
            # appended to: an attempt that another driver began may be writing there, and this one its twin
            with Path(attempt.stdout).open("ab") as out, Path(attempt.stderr).open("ab") as err:
                process = subprocess.Popen(
                    [*command, attempt.workspace, attempt.script, self._host, "", *shell],
                    cwd=attempt.workspace,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            return put_off_or_refuse(error, f"cannot be started here: {error.strerror}{where}")
        # Not by the class Thread: its start() waits until the other thread runs.
        _thread.start_new_thread(self._wait, (process, attempt.name))
        return Accepted(str(process.pid), self._host)

    def cancel(self, jobs: Sequence[str]) -> str:
        self._signal(jobs, signal.SIGTERM)
        return ""

    def kill(self, pid: str) -> None:
        """End a step that did not end when it was asked to."""
        self._signal([pid], signal.SIGKILL)

    def _signal(self, pids: Sequence[str], number: signal.Signals) -> None:
        for pid in pids:
            if self._command(pid)[1:2] == [os.fsencode(f"{self._home}/job.sh")]:  # not a stranger with that number
                with suppress(ProcessLookupError):
                    os.killpg(int(pid), number)

    def _wait(self, process: subprocess.Popen[bytes], attempt: str) -> None:
        code = process.wait()
        self._on_exit(attempt, str(process.pid), code if code >= 0 else 128 - code)

    def is_running(self, attempt: str, pid: str) -> bool:
        """Whether the process `pid` of this host is the runner of that attempt of this study."""
        return self._command(pid)[1:4] == [os.fsencode(text) for text in (f"{self._home}/job.sh", attempt, self._home)]

    @staticmethod
    def _command(pid: str) -> list[bytes]:
        """The command line of a process of this host; empty if there is none."""
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return []
