"""Claims: one file per attempt in `.mtui/claims`, which only one process can create.

The job that takes the claim runs the attempt's script; any other job of the attempt runs nothing. A driver revokes an
attempt by taking its claim itself: then no job can begin it. `job.sh` takes claims in shell, with the same results
(tests/unit/test_claims.py compares both). Leaders of allocations import this module on compute nodes, so it uses only
the standard library.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .file_reading import read_text

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
        """Return whether a job or a driver has taken the claim."""
        return (self.folder / attempt).exists()

    def owner(self, attempt: str) -> str:
        """Return the owner in the claim; empty if it is not taken, cannot be read, or has no owner yet."""
        try:
            return read_text(self.folder / attempt, errors="replace").strip()
        except OSError:
            return ""

    def revoke(self, attempt: str) -> bool:
        """Take the claim for the driver. Return False if a job has it. Raises OSError if it cannot be written.

        The file is created with its owner in it (link(2)): a driver that dies meanwhile leaves no claim without owner.
        """
        path = self.folder / attempt
        written = self.folder / f".{attempt}"
        try:
            written.write_text(f"{REVOKED}\n", encoding="utf-8")
            path.hardlink_to(written)
        except FileExistsError:
            return self.is_revoked(attempt)
        finally:
            with suppress(OSError):
                written.unlink()
        return True

    def is_revoked(self, attempt: str) -> bool:
        """Return whether a driver revoked the claim, so that the attempt can never begin."""
        return self.owner(attempt) == REVOKED
