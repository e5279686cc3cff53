"""The process that keeps a private cluster: it starts the daemons and outlives the process that started it.

It is the ancestor of all that runs in the cluster and takes its orders from a pipe. The kernel
closes that pipe when the tests end, however they end (also by SIGKILL); then it ends the cluster.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from tests.slurm.config import daemon_command
from tests.waiting import wait_until

# The order to keep the cluster when the pipe closes; SIGTERM ends it then.
STAY = "stay"


def supervise(folder: Path) -> None:
    """Start the daemons that standard input names; when it closes, end the cluster."""
    adopt_orphans()
    signal.signal(signal.SIGCHLD, reap)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        for line in sys.stdin:
            if line.strip() == STAY:
                wait_for_sigterm()
            start_daemon(folder, line.strip())
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not kill_descendants(), 10, "all processes of the cluster ended")
        shutil.rmtree(folder, ignore_errors=True)


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, as slurmstepd does by design."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def start_daemon(folder: Path, name: str) -> None:
    """Start one daemon; all it says goes to its log."""
    with (folder / "log" / name).open("ab") as log:
        subprocess.Popen(
            daemon_command(folder, name),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for_sigterm() -> NoReturn:
    """Sleep until the handler of SIGTERM raises SystemExit."""
    while True:
        signal.pause()


def reap(*_: object) -> None:
    """Bury ended children, so that an ended process is also seen to be gone."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def kill_descendants() -> list[int]:
    """Kill every process that stems from this one and return them."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(children.get(os.getpid(), []))
    for pid in found:
        found.extend(children.get(pid, []))
    for pid in found:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return found


if __name__ == "__main__":
    supervise(Path(sys.argv[1]))
