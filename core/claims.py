"""Claims: one file per attempt in `.mtui/claims`, which only one process can create.

The job that takes the claim runs the attempt's script; any other job of the attempt runs nothing. A driver revokes an
attempt by taking its claim itself: then no job can begin it. `job.sh` takes claims in shell, with the same results
(tests/unit/test_claims.py compares both). Leaders of allocations import this module on compute nodes, so it uses only
the standard library.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .durable_files import sync_directory, write_durably
from .file_reading import exists, read_text

_LINKED = ".revoked"  # the file that revoked claims are links to
REVOKED = "void"  # the owner in a revoked claim; never change it, it is on disk in existing studies


def attempt_name(index: int, number: int) -> str:
    """Return the name of attempt `number` (from 1) of an instance, as in claims, records and lists of allocations."""
    return f"{index}.{number}"


class Claims:
    """The claims in one folder. Methods take attempts by their `attempt_name`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._unwritten: set[str] = set()  # created by `take`, and neither written nor removed since

    def take(self, attempt: str, owner: str) -> str | None:
        """Take a claim for job `owner`. Return None on success, else the present owner (empty: not written yet).

        Raises OSError if the claim cannot be written: then it is not taken, and the same call may succeed later.
        """
        path = self.folder / attempt
        if attempt in self._unwritten and not exists(path):
            self._unwritten.discard(attempt)  # it was removed, though that was reported as failed
        try:
            file = os.open(path, os.O_WRONLY | (0 if attempt in self._unwritten else os.O_CREAT | os.O_EXCL), 0o600)
        except FileExistsError:
            return read_text(path, errors="replace").strip()
        try:
            try:
                os.write(file, f"{owner}\n".encode())
            finally:
                os.close(file)
        except OSError:
            self._unwritten.add(attempt)
            path.unlink(missing_ok=True)
            self._unwritten.discard(attempt)
            raise
        self._unwritten.discard(attempt)
        return None

    def is_taken(self, attempt: str) -> bool:
        """Return whether a job or a driver may have taken the claim: also True if that cannot be found out."""
        try:
            (self.folder / attempt).stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def owner(self, attempt: str) -> str:
        """Return the owner in the claim; empty if it is not taken, cannot be read, or has no owner yet."""
        try:
            return read_text(self.folder / attempt, errors="replace").strip()
        except OSError:
            return ""

    def revoke(self, attempt: str) -> bool:
        """Take the claim for the driver. Return False if a job has it. Raises OSError if it cannot be written or read.

        The claim is a link to a file with the owner in it, which is on the disk: neither the death of a driver nor a
        power cut leaves a claim without owner. `sync` also syncs the name.
        """
        try:
            self._link(attempt)
        except FileExistsError:
            return read_text(self.folder / attempt, errors="replace").strip() == REVOKED
        return True

    def sync(self) -> None:
        """Sync revoked claims, before the journal records that these attempts cannot begin. Raises OSError."""
        sync_directory(self.folder)

    def _link(self, attempt: str) -> None:
        """Create the claim as a link; to a new file if there is none yet, or it has as many links as it can have."""
        linked = self.folder / _LINKED
        try:
            os.link(linked, self.folder / attempt)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EMLINK):
                raise
            write_durably(linked, f"{REVOKED}\n".encode("ascii"))
            linked.chmod(0o400)  # a job that takes a claim must not write into all of them
            os.link(linked, self.folder / attempt)

    def is_revoked(self, attempt: str) -> bool:
        """Return whether a driver revoked the claim, so that the attempt can never begin."""
        return self.owner(attempt) == REVOKED
