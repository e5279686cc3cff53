"""Kills the processes that a lost worker left on its node."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "MTUI_PACKED"
_TERM, _KILL = 2.0, 10.0  # seconds to wait after each signal
_PAUSE = 0.05


def kill_orphans(cookie: str) -> bool:
    """Kill every process of this user that was started with this cookie. Return whether none is left."""
    marked = _marked(cookie)
    for number, patience in ((signal.SIGTERM, _TERM), (signal.SIGKILL, _KILL)):
        deadline = time.monotonic() + patience
        told: set[int] = set()
        while marked:
            for process in marked - told:  # each once, including those started since the last round
                with suppress(OSError):
                    os.kill(process, number)
            told |= marked
            if time.monotonic() > deadline:
                break
            time.sleep(_PAUSE)
            marked = _marked(cookie)
    return not marked


def _marked(cookie: str) -> set[int]:
    job = cookie.partition(".")[0]
    entries = {f"{VARIABLE}={cookie}".encode(), f"SLURM_JOB_ID={job}".encode()}  # the id excludes jobs it submitted
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or belongs to another user
            if folder.stat().st_uid == os.getuid() and entries.issubset((folder / "environ").read_bytes().split(b"\0")):
                found.add(int(folder.name))
    return found
