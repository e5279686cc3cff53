"""Finds and ends the processes of attempts that outlive their script, or their worker."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from pathlib import Path

from .job_environment import cookie

VARIABLE = "MTUI_PACKED"
ATTEMPT = "MTUI_ATTEMPT"  # in the environment of all processes of an attempt
_TERM, _KILL = 2.0, 10.0  # seconds to wait after each signal
_PAUSE = 0.05
_SET_CHILD_SUBREAPER = 36  # prctl(2)


class AdoptedProcesses:
    """Processes that left the process group of their attempt, as with setsid(1), and whose parent has ended.

    They become children of this process, so that finding them does not need a look at all processes of the node. Their
    environment shows which attempt they are of; one that has cleared it is of none, and is killed when the worker ends.
    """

    def __init__(self) -> None:
        self._children = Path(f"/proc/self/task/{os.getpid()}/children")
        self._is_adopting = False
        with suppress(ImportError, OSError, AttributeError):  # else all processes of the user are searched
            import ctypes  # some builds of Python have none

            done = ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
            self._is_adopting = done and self._children.exists()

    def of(self, attempt: str, cookie: str, own: Container[int]) -> set[int]:
        """Return those of an attempt; `own` are the children that this process started itself."""
        marks = {f"{ATTEMPT}={attempt}".encode(), f"{VARIABLE}={cookie}".encode()}
        if not self._is_adopting:
            return {process for process in _marked(marks) if process not in own}
        found = (child for child in self._all() if child not in own)
        return {child for child in found if _has_marks(Path(f"/proc/{child}"), marks)}

    def kill_all(self) -> None:
        """Kill all children of this process, and what these leave: when it ends, nothing else would end them."""
        deadline = time.monotonic() + _TERM
        while self._is_adopting and (children := self._all()) and time.monotonic() < deadline:
            for child in children:
                with suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            time.sleep(_PAUSE)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass

    def _all(self) -> list[int]:
        with suppress(OSError):
            return list(map(int, self._children.read_text().split()))
        return []


def kill_orphans(cookie: str) -> bool:
    """Kill every process of this user that was started with this cookie. Return whether none is left."""
    job = cookie.partition(".")[0]
    # The job's id excludes processes of jobs that it submitted.
    marks = {f"{VARIABLE}={cookie}".encode(), f"SLURM_JOB_ID={job}".encode()}
    return kill_marked(marks, (signal.SIGTERM, signal.SIGKILL))


def kill_marked(
    marks: set[bytes], signals: Iterable[signal.Signals], is_meant: Callable[[int], bool] = lambda _: True
) -> bool:
    """Send these signals to the user's processes with variables in their environment. Return whether none is left."""

    def found() -> set[int]:
        return {process for process in _marked(marks) if is_meant(process)}

    marked = found()
    for number in signals:
        deadline = time.monotonic() + (_KILL if number == signal.SIGKILL else _TERM)
        signalled: set[int] = set()
        while marked:
            for process in marked - signalled:  # each once, including those started since the last round
                with suppress(OSError):
                    os.kill(process, number)
            signalled |= marked
            if time.monotonic() > deadline:
                break
            time.sleep(_PAUSE)
            marked = found()
    return not marked


def _marked(marks: set[bytes]) -> set[int]:
    return {int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _has_marks(folder, marks)}


def _has_marks(folder: Path, marks: set[bytes]) -> bool:
    """Whether a process of this user has these variables. A zombie has none."""
    with suppress(OSError):  # it has ended, or belongs to another user
        if folder.stat().st_uid == os.getuid():
            return marks.issubset((folder / "environ").read_bytes().split(b"\0"))
    return False


def main() -> int:
    """End what killed workers left on this node; a batch script runs this on each one if its leader was killed.

    The argument is the SLURM_CONF of the batch script: that of a step may differ.
    """
    batch = {"SLURM_JOB_ID": os.environ["SLURM_JOB_ID"], "SLURM_CONF": sys.argv[1]}
    return 0 if kill_orphans(cookie(batch, os.environ["SLURMD_NODENAME"])) else 1


if __name__ == "__main__":
    sys.exit(main())
