"""One study at a time uses an allocation from inside: its leader assigns all cores, and knows of no other leader.

The lock is a file in the user's state directory, which the nodes of a cluster share. It is held while it is open: the
driver passes the descriptor to the leader, so the lock is free as soon as the leader has ended in any way.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from ..errors import UsageError

_FORGOTTEN_AFTER = 60 * 86_400.0  # seconds; no allocation is that old
_ENDS_WITHIN = 15.0  # seconds for the leader of a study that is over
_TRY_EVERY = 0.2  # seconds
_TRIES = 3  # to lock what is locked
_UNNAMED = "another study"


def lock_allocation(job: str, root: Path) -> int | None:
    """Lock the allocation of a job for the study at `root`. Return the descriptor that holds the lock.

    None if no lock is possible here (no home directory, a file system without locks). Raises UsageError if another
    study uses the allocation.
    """
    file = _open(job)
    if file is None:
        return None
    try:
        _lock(file)
    except BlockingIOError:
        holder = _holder(file)
        os.close(file)
        raise _taken(job, holder) from None
    except OSError:
        os.close(file)
        return None
    with suppress(OSError):  # on a full disk it is a lock without a name
        os.ftruncate(file, 0)
        os.pwrite(file, os.fsencode(root), 0)
    return file


def _lock(file: int) -> None:
    """Lock a file. It is tried again, because a process that reads the holder locks it for a moment. Raises OSError."""
    for _ in range(_TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_TRY_EVERY)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def require_free_allocation(job: str, root: Path | None) -> None:
    """Raise UsageError if another study than the one at `root` uses the allocation, and does not end soon."""
    deadline = time.monotonic() + _ENDS_WITHIN
    while holder := _current_holder(job):
        if root and holder == os.fsdecode(root):
            return
        if time.monotonic() > deadline:
            raise _taken(job, holder)
        time.sleep(_TRY_EVERY)


def _current_holder(job: str) -> str:
    """Return the study that has the lock; empty if none has."""
    file = _open(job)
    if file is None:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(file)
    except OSError:
        return ""
    finally:
        os.close(file)
    return ""


def _open(job: str) -> int | None:
    try:
        state = os.environ.get("XDG_STATE_HOME", "")
        base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
        folder = base / "mtui" / "allocations"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in folder.iterdir():
            with suppress(OSError):  # another process removes it, or it is none of ours
                if old.lstat().st_mtime < time.time() - _FORGOTTEN_AFTER:
                    old.unlink()
        cluster = os.environ.get("SLURM_CLUSTER_NAME", "").replace("/", "_")
        return os.open(folder / f"{cluster}-{job}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except (OSError, RuntimeError):
        return None


def _holder(file: int) -> str:
    """Return the study in a lock's file; "another study" if it could not be written or read."""
    with suppress(OSError):
        return os.fsdecode(os.pread(file, 4096, 0)) or _UNNAMED
    return _UNNAMED


def _taken(job: str, holder: str) -> UsageError:
    used = f"is used by {holder}" if holder == _UNNAMED else f"is used by the study {holder}"
    return UsageError(
        f"allocation {job} {used}",
        "wait for that study, cancel it (mtui cancel DIR), or use another allocation",
    )
