"""Who may drive a study: the holder of the highest epoch.

Taking over creates `owner/N+1` by link(2), which only one can do, on any file system. The holder rewrites a
heartbeat counter beside it; others judge it by whether the counter moves on their own clock. Times of another
machine decide nothing: they only inform readers. A holder that has released the lease, whose process on this
host is dead, or whose Slurm job has ended is followed at once. A lease belongs to a driver, not to its process: a
process that is alive holds it only while its heartbeat moves.

The holder measures on its own clock how old its last heartbeat is. It stops acting well before others may take over,
and makes sure that it still holds the lease before it continues.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from enum import Enum
from pathlib import Path

from ..debug_log import get_logger
from ..durable_files import create_durably
from ..errors import TRY_DOCTOR, StorageError, StudyBusyError
from ..file_reading import exists, read_text
from .lease_owner import (
    Owner,
    boot_id,
    is_suspended,
    next_epoch,
    owner_path,
    pid_namespace,
    process_start,
    read_current_owner,
    read_owner,
    this_host,
)

_log = get_logger(__name__)

BEAT_EVERY = 10.0  # seconds between two heartbeats
ACT_FOR = 30.0  # seconds after its last heartbeat for which a driver may act
SILENT_AFTER = 60.0  # seconds without a heartbeat after which a driver counts as gone
_OLD_BEAT = 3 * SILENT_AFTER  # one so old by the clocks of both machines has most likely ended; enough to report it
_ASK_EVERY = 1.0  # seconds between two checks of the heartbeat of another host
_JOB_ASK_EVERY = 30.0  # seconds between two questions to Slurm for the holder's job


class LeaseState(Enum):
    """What is known of the holder."""

    ALIVE = "alive"
    UNKNOWN = "not known yet"  # on another host, its heartbeat was not seen moving so far
    SILENT = "sends no heartbeat"  # the same, and its last heartbeat was minutes ago by the times of files
    RELEASED = "has released the study"
    DEAD = "has ended"

    @property
    def drives(self) -> bool:
        """Whether readers show the study as driven. A takeover needs more: `is_over`."""
        return self in (LeaseState.ALIVE, LeaseState.UNKNOWN)

    @property
    def is_over(self) -> bool:
        return self in (LeaseState.RELEASED, LeaseState.DEAD)


JobEnded = Callable[[Owner], bool]


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
        if owner_path(self._folder, owner.epoch, ".released").exists():
            return LeaseState.RELEASED
        is_here = owner.host == this_host()
        if is_here and not self._is_running():
            return LeaseState.DEAD
        beat = self._read_beat()
        if beat != self._beat:
            self._beat, self._still_since, self._moved = beat, now, True
        if now - self._still_since >= self._silent_after:
            return LeaseState.DEAD
        if is_here and not self._moved:
            return LeaseState.SILENT if self.last_sign_ago > SILENT_AFTER else LeaseState.ALIVE
        if owner.slurm_job and self._job_ended and now >= self._next_job_ask:
            self._next_job_ask = now + _JOB_ASK_EVERY
            if self._job_ended(owner):
                return LeaseState.DEAD
        if self._moved:
            return LeaseState.ALIVE
        return LeaseState.SILENT if self.last_sign_ago > _OLD_BEAT else LeaseState.UNKNOWN

    def _is_running(self) -> bool:
        """Whether the holder's process runs on this host; for this process, whether its driver still has the lease."""
        owner = self._owner
        if owner.pid == os.getpid() and (str(self._folder), owner.epoch) in _ended_here:
            return False
        return owner.boot == boot_id() and process_start(owner.pid) == owner.start

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
            last = owner_path(self._folder, self._owner.epoch, ".beat").stat().st_mtime
        except OSError:
            last = self._owner.since
        return time.time() - last

    @property
    def quiet_for(self) -> float:
        """Seconds for which the heartbeat was not seen moving."""
        return time.monotonic() - self._still_since

    def _read_beat(self) -> str:
        try:
            return read_text(owner_path(self._folder, self._owner.epoch, ".beat"))
        except OSError:
            return ""


# Leases that drivers of this process no longer use, by folder and epoch. If a release cannot be written, this
# process knows of it nevertheless; others see the heartbeat stop.
_ended_here: set[tuple[str, int]] = set()


class Lease:
    """The right to drive, held by this process until `release` or until another takes a higher epoch."""

    def __init__(self, folder: Path, owner: Owner, before: Owner | None) -> None:
        self._folder = folder
        self.owner = owner
        self.before = before  # who held it last
        self._count = 0
        self._next_beat = 0.0
        self._beat_at = time.monotonic()  # begin of the last heartbeat that was written

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
            epoch = next_epoch(folder)  # before the owner is read: an epoch that is taken meanwhile is noticed
            before = read_current_owner(folder)
            if before and before != gone:
                liveness = Liveness(folder, before, silent_after=silent_after, job_ended=job_ended)
                while (standing := liveness.judge()) in (LeaseState.UNKNOWN, LeaseState.SILENT):
                    pause.wait(min(_ASK_EVERY, silent_after / 10))
                if standing is LeaseState.ALIVE:
                    raise StudyBusyError(
                        f"this study already has a driver: {before.words}",
                        "watch it with 'mtui DIR' or 'mtui status DIR'",
                    )
            lease = cls._create(folder, epoch, before)
            if lease:
                return lease

    @classmethod
    def _create(cls, folder: Path, epoch: int, before: Owner | None) -> Lease | None:
        """Create an epoch, on the disk before anything is done in it; None if another was quicker."""
        pid = os.getpid()
        owner = Owner(
            epoch=epoch,
            host=this_host(),
            boot=boot_id(),
            pid=pid,
            start=process_start(pid),
            since=time.time(),
            slurm_job=os.environ.get("SLURM_JOB_ID", ""),
            slurm_job_name=os.environ.get("SLURM_JOB_NAME", ""),
            pids=pid_namespace(),
            slurm_cluster=os.environ.get("SLURM_CLUSTER_NAME", ""),
        )
        lease = cls(folder, owner, before)
        try:
            if not create_durably(owner_path(folder, epoch), json.dumps(asdict(owner)).encode("utf-8")):
                return None
            lease.beat(time.monotonic())
        except OSError as error:
            if read_owner(folder, epoch) == owner:
                lease.release()  # this process may live without driving
            raise StorageError(f"cannot take the lease in {folder}: {error.strerror}", TRY_DOCTOR) from None
        return lease

    def beat(self, now: float) -> None:
        """Rewrite the heartbeat if it is due. `now` is monotonic. Raises OSError.

        It is rewritten in place: that needs neither a new block nor an inode, so it succeeds on most full disks.
        """
        if now < self._next_beat:
            return
        self._count += 1
        file = os.open(
            owner_path(self._folder, self.owner.epoch, ".beat"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666
        )
        try:
            os.pwrite(file, f"{self._count}\n".encode(), 0)
        finally:
            os.close(file)  # on NFS, this writes it, and reports errors
        self._beat_at = now
        self._next_beat = now + BEAT_EVERY

    @property
    def is_fresh(self) -> bool:
        """Whether the last heartbeat is so recent that no other driver can have taken over. For any thread."""
        return time.monotonic() - self._beat_at < ACT_FOR

    @property
    def age(self) -> float:
        """Seconds since the last heartbeat."""
        return time.monotonic() - self._beat_at

    def is_lost(self) -> bool:
        """Whether another driver holds a higher epoch, or this epoch was removed.

        Raises OSError if that cannot be found out, FileNotFoundError if the directory is not there.
        """
        if exists(owner_path(self._folder, self.owner.epoch + 1)):
            return True
        if exists(owner_path(self._folder, self.owner.epoch)):
            return False
        self._folder.stat()
        return True

    def release(self) -> None:
        """Release the lease, so that the next driver need not wait."""
        _ended_here.add((str(self._folder), self.owner.epoch))
        released = owner_path(self._folder, self.owner.epoch, ".released")
        try:
            try:
                released.touch()
            except OSError:  # no inode is left: a file that exists can be renamed
                owner_path(self._folder, self.owner.epoch, ".beat").rename(released)
        except OSError as error:  # the next driver sees that the heartbeat has stopped
            _log.warning("the lease cannot be released: %s", error)
