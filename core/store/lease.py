"""Who may drive a study: the holder of the highest epoch.

Taking over creates `owner/N+1` by link(2), which only one can do, on any file system. The holder rewrites a
heartbeat counter beside it; others judge it by whether the counter moves on their own clock, never by times
of another machine. A holder that has let go, or whose process on this host is dead, is followed at once.
"""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import StudyBusyError, StudyDirectoryError

BEAT_EVERY = 10.0  # seconds between two heartbeats
SILENT_AFTER = 60.0  # seconds without a heartbeat after which a driver on another host counts as gone


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds, or held, an epoch."""

    epoch: int
    host: str
    boot: str  # the boot id of the host: after a reboot, process ids mean nothing
    pid: int
    start: str  # the process's start time in the kernel's ticks: pids are used again
    since: float
    slurm_job: str = ""


def this_host() -> str:
    return socket.gethostname()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """When a process of this host was started, in the kernel's ticks since boot; empty if it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in ("Z", "X") else fields[19]


def _path(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch:06d}"


def _epochs(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def current_owner(folder: Path) -> Owner | None:
    """The holder of the highest epoch, whether it still drives or not."""
    try:
        epochs = _epochs(folder)
        if not epochs:
            return None
        return Owner(**json.loads(_path(folder, epochs[-1]).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise StudyDirectoryError(f"cannot read who drives the study in {folder}: {error}") from None


def has_let_go(folder: Path, owner: Owner) -> bool:
    return _path(folder, owner.epoch).with_suffix(".released").exists()


def is_dead_here(owner: Owner) -> bool:
    """Whether the owner was a process of this host and is gone."""
    if owner.host != this_host():
        return False
    return owner.boot != _boot_id() or process_start(owner.pid) != owner.start


def _beat(folder: Path, epoch: int) -> str:
    try:
        return _path(folder, epoch).with_suffix(".beat").read_text(encoding="utf-8")
    except OSError:
        return ""


def holds(folder: Path, owner: Owner) -> bool:
    """Whether the owner has to be taken for alive without waiting for its heartbeat."""
    return not has_let_go(folder, owner) and not is_dead_here(owner)


class Lease:
    """The right to drive, held by this process until `release` or until another takes a higher epoch."""

    def __init__(self, folder: Path, owner: Owner) -> None:
        self._folder = folder
        self.owner = owner
        self._count = 0
        self._next_beat = 0.0

    @classmethod
    def take(cls, folder: Path, *, silent_after: float = SILENT_AFTER) -> Lease:
        """Take the lease; raises StudyBusyError while somebody else drives.

        For a holder on another host this waits up to `silent_after` seconds to see its heartbeat move.
        """
        while True:
            before = current_owner(folder)
            if before and holds(folder, before):
                if before.host == this_host() or cls._moves(folder, before, silent_after):
                    raise busy(before)
                if holds(folder, before) and current_owner(folder) != before:
                    continue
            lease = cls._create(folder, before.epoch + 1 if before else 1)
            if lease:
                return lease

    @staticmethod
    def _moves(folder: Path, owner: Owner, seconds: float) -> bool:
        first, until = _beat(folder, owner.epoch), time.monotonic() + seconds
        while time.monotonic() < until:
            if _beat(folder, owner.epoch) != first:
                return True
            if has_let_go(folder, owner):
                return False
            time.sleep(min(1.0, seconds / 10))
        return False

    @classmethod
    def _create(cls, folder: Path, epoch: int) -> Lease | None:
        """Create the next epoch; None if another was quicker."""
        pid = os.getpid()
        owner = Owner(epoch, this_host(), _boot_id(), pid, process_start(pid), time.time(),
                      os.environ.get("SLURM_JOB_ID", ""))  # fmt: skip
        unique = folder / f".{owner.host}.{pid}.{time.monotonic_ns()}"
        try:
            unique.write_text(json.dumps(asdict(owner)), encoding="utf-8")
            try:
                os.link(unique, _path(folder, epoch))
            except FileExistsError:
                if unique.stat().st_nlink != 2:  # NFS may report a link that it made as failed
                    return None
            finally:
                unique.unlink()
        except OSError as error:
            raise StudyDirectoryError(f"cannot take the lease in {folder}: {error.strerror}") from None
        lease = cls(folder, owner)
        lease.beat(time.monotonic())
        return lease

    def beat(self, now: float) -> None:
        """Rewrite the heartbeat if it is due. `now` is monotonic. Raises OSError."""
        if now >= self._next_beat:
            self._next_beat = now + BEAT_EVERY
            self._count += 1
            path = _path(self._folder, self.owner.epoch).with_suffix(".beat")
            temporary = path.with_suffix(".beat.tmp")
            temporary.write_text(f"{self._count}\n", encoding="utf-8")
            temporary.replace(path)

    def is_lost(self) -> bool:
        """Whether another driver holds a higher epoch. Raises OSError if the directory is gone."""
        return _path(self._folder, self.owner.epoch + 1).exists() or not _path(self._folder, self.owner.epoch).exists()

    def release(self) -> None:
        """Let go, so that the next driver need not wait."""
        with suppress(OSError):  # else the next driver finds our process dead, or our heartbeat silent
            _path(self._folder, self.owner.epoch).with_suffix(".released").touch()


def busy(owner: Owner) -> StudyBusyError:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
    job = f", Slurm job {owner.slurm_job}" if owner.slurm_job else ""
    return StudyBusyError(
        f"a driver holds this study: process {owner.pid} on {owner.host}{job}, since {since}",
        "watch it with 'mtui status DIR'; a study has one driver at a time",
    )
