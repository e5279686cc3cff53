"""Who may drive a study: the holder of the highest epoch.

Taking over creates `owner/N+1` by link(2), which only one can do, on any file system. The holder rewrites a
heartbeat counter beside it; others judge it by whether the counter moves on their own clock. Times of another
machine decide nothing: they only inform readers. A holder that has released the lease, whose process on this
host is dead, or whose Slurm job has ended is followed at once.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from ..debug_log import get_logger
from ..errors import TRY_DOCTOR, StudyBusyError, StudyDirectoryError
from ..file_reading import read_text

BEAT_EVERY = 10.0  # seconds between two heartbeats
_log = get_logger(__name__)

SILENT_AFTER = 60.0  # seconds without a heartbeat after which a driver on another host counts as gone
_OLD_BEAT = 3 * SILENT_AFTER  # one so old by the clocks of both machines has most likely ended; enough to report it
_ASK_EVERY = 1.0  # seconds between two checks of the heartbeat of another host
_JOB_ASK_EVERY = 30.0  # seconds between two questions to Slurm for the holder's job


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

    @property
    def words(self) -> str:
        """Who, where and since when."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        job = f" (Slurm job {self.slurm_job})" if self.slurm_job else ""
        return f"process {self.pid} on {self.host}{job} since {since}"


class LeaseState(Enum):
    """What is known of the holder."""

    ALIVE = "alive"
    UNKNOWN = "not known yet"  # on another host, its heartbeat was not seen moving so far
    SILENT = "gives no sign of life"  # the same, and its last heartbeat was minutes ago by the times of files
    RELEASED = "has let go"
    DEAD = "is gone"

    @property
    def drives(self) -> bool:
        """Whether readers show the study as driven. A takeover needs more: `is_over`."""
        return self in (LeaseState.ALIVE, LeaseState.UNKNOWN)

    @property
    def is_over(self) -> bool:
        return self in (LeaseState.RELEASED, LeaseState.DEAD)


JobEnded = Callable[[str], bool]


def this_host() -> str:
    return socket.gethostname()


def boot_id() -> str:
    """The id of this boot of this host; empty if the kernel has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
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


def _path(folder: Path, epoch: int, suffix: str = "") -> Path:
    return folder / f"{epoch:06d}{suffix}"


def read_current_owner(folder: Path) -> Owner | None:
    """The holder of the highest epoch, whether it still drives or not. Raises StudyDirectoryError."""
    try:
        epochs = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        if not epochs:
            return None
        return Owner(**json.loads(read_text(_path(folder, max(epochs)))))
    except (OSError, ValueError, TypeError) as error:
        hint = "the study is another user's, or its .mtui/owner is damaged: restore that from a backup"
        raise StudyDirectoryError(f"cannot read who drives the study in {folder}: {error}", hint) from None


def read_owner(folder: Path, epoch: int) -> Owner | None:
    """Who held an epoch; None if its file cannot be read."""
    try:
        return Owner(**json.loads(read_text(_path(folder, epoch))))
    except (OSError, ValueError, TypeError):
        return None


class Liveness:
    """Judges one holder, again and again, by what can be known from here."""

    def __init__(
        self,
        folder: Path,
        owner: Owner,
        *,
        silent_after: float = SILENT_AFTER,
        job_ended: JobEnded | None = None,
    ) -> None:
        self._folder = folder
        self._owner = owner
        self._silent_after = silent_after
        self._job_ended = job_ended
        self._beat = self._read_beat()
        self._still_since = time.monotonic()
        self._moved = False
        self._next_job_ask = 0.0

    def judge(self) -> LeaseState:
        owner, now = self._owner, time.monotonic()
        if _path(self._folder, owner.epoch, ".released").exists():
            return LeaseState.RELEASED
        if owner.host == this_host():
            alive = owner.boot == boot_id() and process_start(owner.pid) == owner.start
            return LeaseState.ALIVE if alive else LeaseState.DEAD
        beat = self._read_beat()
        if beat != self._beat:
            self._beat, self._still_since, self._moved = beat, now, True
        if now - self._still_since >= self._silent_after:
            return LeaseState.DEAD
        if owner.slurm_job and self._job_ended and now >= self._next_job_ask:
            self._next_job_ask = now + _JOB_ASK_EVERY
            if self._job_ended(owner.slurm_job):
                return LeaseState.DEAD
        if self._moved:
            return LeaseState.ALIVE
        return LeaseState.SILENT if self.last_sign_ago > _OLD_BEAT else LeaseState.UNKNOWN

    @property
    def words(self) -> str:
        """Who holds it, and whether that process is suspended."""
        owner = self._owner
        suspended = owner.host == this_host() and is_suspended(owner.pid)
        return f"{owner.words}, which is suspended: fg, or kill -CONT {owner.pid}" if suspended else owner.words

    @property
    def last_sign_ago(self) -> float:
        """Seconds since the last heartbeat by its file's time, which another machine's clock may have given."""
        try:
            last = _path(self._folder, self._owner.epoch, ".beat").stat().st_mtime
        except OSError:
            last = self._owner.since
        return time.time() - last

    @property
    def quiet_for(self) -> float:
        """Seconds since a holder on another host gave a sign of life; 0 on this host, where its process is checked."""
        if self._owner.host == this_host():
            return 0.0
        return time.monotonic() - self._still_since

    def _read_beat(self) -> str:
        try:
            return read_text(_path(self._folder, self._owner.epoch, ".beat"))
        except OSError:
            return ""


class Lease:
    """The right to drive, held by this process until `release` or until another takes a higher epoch."""

    def __init__(self, folder: Path, owner: Owner, before: Owner | None) -> None:
        self._folder = folder
        self.owner = owner
        self.before = before  # who held it last
        self._count = 0
        self._next_beat = 0.0

    @classmethod
    def acquire(
        cls,
        folder: Path,
        *,
        gone: Owner | None = None,
        silent_after: float = SILENT_AFTER,
        job_ended: JobEnded | None = None,
    ) -> Lease:
        """Take the lease; raises StudyBusyError while somebody else drives.

        For a holder on another host this waits up to `silent_after` seconds to see its heartbeat move, unless it
        is known to be `gone`.
        """
        pause = threading.Event()
        while True:
            before = read_current_owner(folder)
            if before and before != gone:
                liveness = Liveness(folder, before, silent_after=silent_after, job_ended=job_ended)
                while (standing := liveness.judge()) in (LeaseState.UNKNOWN, LeaseState.SILENT):
                    pause.wait(min(_ASK_EVERY, silent_after / 10))
                if standing is LeaseState.ALIVE:
                    raise StudyBusyError(
                        f"a driver holds this study: {before.words}",
                        "a study has one driver at a time; watch it with 'mtui DIR' or 'mtui status DIR'",
                    )
            lease = cls._create(folder, before)
            if lease:
                return lease

    @classmethod
    def _create(cls, folder: Path, before: Owner | None) -> Lease | None:
        """Create the next epoch; None if another was quicker."""
        pid = os.getpid()
        owner = Owner(
            epoch=before.epoch + 1 if before else 1,
            host=this_host(),
            boot=boot_id(),
            pid=pid,
            start=process_start(pid),
            since=time.time(),
            slurm_job=os.environ.get("SLURM_JOB_ID", ""),
        )
        unique = folder / f".{owner.host}.{pid}.{threading.get_ident()}.{time.monotonic_ns()}"
        try:
            unique.write_text(json.dumps(asdict(owner)), encoding="utf-8")
            try:
                os.link(unique, _path(folder, owner.epoch))
            except FileExistsError:
                if unique.stat().st_nlink != 2:  # NFS may report a link that it made as failed
                    return None
            finally:
                unique.unlink()
            lease = cls(folder, owner, before)
            try:
                lease.beat(time.monotonic())
            except OSError:
                lease.release()  # this process may live on without driving
                raise
        except OSError as error:
            raise StudyDirectoryError(f"cannot take the lease in {folder}: {error.strerror}", TRY_DOCTOR) from None
        return lease

    def beat(self, now: float) -> None:
        """Rewrite the heartbeat if it is due. `now` is monotonic. Raises OSError."""
        if now >= self._next_beat:
            self._next_beat = now + BEAT_EVERY
            self._count += 1
            temporary = _path(self._folder, self.owner.epoch, ".beat.tmp")
            temporary.write_text(f"{self._count}\n", encoding="utf-8")
            temporary.replace(_path(self._folder, self.owner.epoch, ".beat"))

    def is_lost(self) -> bool:
        """Whether another driver holds a higher epoch, or the directory is gone."""
        return _path(self._folder, self.owner.epoch + 1).exists() or not _path(self._folder, self.owner.epoch).exists()

    def release(self) -> None:
        """Let go, so that the next driver need not wait."""
        try:
            _path(self._folder, self.owner.epoch, ".released").touch()
        except OSError as error:  # the next driver finds our process dead, or our heartbeat silent
            _log.warning("the lease cannot be released: %s", error)
