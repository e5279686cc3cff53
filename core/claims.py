"""Claims: one file per attempt in `.mtui/claims`. Whoever creates it decides whether the attempt's script runs.

A job that takes the claim may run the script; whoever comes second runs nothing. A driver takes a claim itself to
revoke the attempt: from then on no job can begin it. `job.sh` takes claims in shell, with the same results
(tests/unit/test_claims.py compares both). Leaders of allocations import this module on compute nodes, so it needs the
standard library alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

REVOKED = "void"  # the owner in a claim that a driver revoked; on disk in old studies too


def attempt_name(index: int, number: int) -> str:
    """The name of attempt `number` (from 1) of an instance, in claims, records and lists of allocations."""
    return f"{index}.{number}"


class Claims:
    """The claims in one folder. Attempts are named as by `attempt_name`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, attempt: str, owner: str) -> str | None:
        """Take a claim for job `owner`: None if it is taken now, else its present owner (empty: not written yet).

        Raises OSError if it cannot be written; then the folder is left as it was.
        """
        path = self.folder / attempt
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text(encoding="utf-8", errors="replace").strip()
        try:
            try:
                os.write(file, f"{owner}\n".encode())
            finally:
                os.close(file)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return None

    def is_taken(self, attempt: str) -> bool:
        """Whether anybody has created the claim."""
        return (self.folder / attempt).exists()

    def owner(self, attempt: str) -> str:
        """The job that holds the claim; empty if there is none, or its owner is not written yet."""
        try:
            return (self.folder / attempt).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def revoke(self, attempt: str) -> bool:
        """Take the claim for the driver; False if a job has it. Raises OSError if it cannot be written.

        The file appears with its owner in it (link(2)): a driver that dies meanwhile leaves no claim without an owner.
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
        """Whether a driver holds the claim, so that the attempt can never begin."""
        return self.owner(attempt) == REVOKED
