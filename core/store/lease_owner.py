"""The owners of a lease, one for each epoch: their files, and how a process of this host is recognized."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import StorageError, StudyDirectoryError, may_pass, missing_directory
from ..file_reading import read_bytes


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds, or held, an epoch."""

    epoch: int
    host: str
    boot: str  # the boot id of the host: after a reboot, process ids mean nothing
    pid: int
    start: str  # the process's start time in the kernel's ticks: pids are reused
    since: float
    slurm_job: str = ""
    slurm_job_name: str = ""  # this and the next distinguish the job from another one with its id
    slurm_cluster: str = ""
    pids: str = ""  # the PID namespace: containers of one host see different processes

    @property
    def words(self) -> str:
        """Who, where and since when."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        job = f" (Slurm job {self.slurm_job})" if self.slurm_job else ""
        return f"process {self.pid} on {self.host}{job} since {since}"


_OWNER_FIELDS = frozenset(field.name for field in fields(Owner))


def read_current_owner(folder: Path) -> Owner | None:
    """The holder of the highest epoch, whether it still drives or not. Raises StudyDirectoryError.

    A file that is empty or truncated, as a power cut may leave one, is of a driver that never drove.
    """
    try:
        for epoch in sorted(_epochs(folder), reverse=True):
            if owner := _read(folder, epoch):
                return owner
    except (OSError, TypeError, AttributeError) as error:
        raise _unreadable(folder, error) from None
    return None


def read_owner(folder: Path, epoch: int) -> Owner | None:
    """Who held an epoch; None if its file cannot be read."""
    try:
        return _read(folder, epoch)
    except (OSError, TypeError, AttributeError):
        return None


def torn_owners(folder: Path) -> list[Path]:
    """The owner files that are empty or truncated. Raises OSError."""
    paths = [owner_path(folder, epoch) for epoch in sorted(_epochs(folder))]
    return [path for path in paths if _parse(read_bytes(path)) is None]


def next_epoch(folder: Path) -> int:
    """One more than the highest, torn files included. Raises StudyDirectoryError."""
    try:
        return max(_epochs(folder), default=0) + 1
    except OSError as error:
        raise _unreadable(folder, error) from None


def owner_path(folder: Path, epoch: int, suffix: str = "") -> Path:
    """The owner file of an epoch; with a suffix, a file beside it, such as its heartbeat."""
    return folder / f"{epoch:06d}{suffix}"


def _epochs(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def _read(folder: Path, epoch: int) -> Owner | None:
    """Read one owner; None if its file is empty or truncated. Raises OSError, TypeError, AttributeError."""
    record = _parse(read_bytes(owner_path(folder, epoch)))
    # Fields that a newer mtui added say nothing about who drives.
    return None if record is None else Owner(**{key: value for key, value in record.items() if key in _OWNER_FIELDS})


def _parse(data: bytes) -> Any:
    """The JSON value in a file; None if it is not complete."""
    try:
        return json.loads(data)
    except ValueError:
        return None


def _unreadable(folder: Path, error: Exception) -> StudyDirectoryError:
    hint = "the study belongs to another user, or its .mtui/owner is damaged: restore it from a backup"
    kind = StorageError if isinstance(error, OSError) and may_pass(error) else StudyDirectoryError
    if missing := missing_directory(folder.parent.parent, error):
        return StorageError(missing)
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return kind(f"cannot read the owner of the study: {reason}: {folder}", hint)


# --- processes of this host


def this_host() -> str:
    return socket.gethostname()


def boot_id() -> str:
    """The id of this boot of this host; empty if the kernel has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """The PID namespace of this process; empty if the kernel shows none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """When a process of this host was started, in the kernel's ticks since boot; empty if it is not there."""
    fields = _process(pid)
    return "" if not fields or fields[0] in ("Z", "X") else fields[19]


def is_suspended(pid: int) -> bool:
    """Whether a process of this host is suspended, as after Ctrl-Z."""
    return _process(pid)[:1] in (["T"], ["t"])


def _process(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (proc_pid_stat(5)); empty if the process is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()
