"""One study at a time uses an allocation from inside, in any state of the user's home directory."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from mtui.core.errors import UsageError
from mtui.core.store.allocation_lock import lock_allocation, require_free_allocation


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "c")
    return tmp_path / "mtui" / "allocations"


def test_second_study_is_refused_with_the_name_of_the_one_that_has_the_allocation() -> None:
    lock = lock_allocation("7", Path("/one"))
    assert lock is not None
    with pytest.raises(UsageError, match="allocation 7 is used by the study /one"):
        lock_allocation("7", Path("/two"))
    require_free_allocation("7", Path("/one"))
    os.close(lock)
    require_free_allocation("7", None)


def test_start_that_asks_who_has_the_allocation_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds a shared lock for a moment."""
    flock, asked = fcntl.flock, list[int]()

    def flock_later(file: int, operation: int) -> None:
        asked.append(operation)
        if len(asked) == 1:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", flock_later)
    lock = lock_allocation("7", Path("/one"))
    assert lock is not None
    os.close(lock)


def test_allocation_is_locked_on_a_full_disk_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    lock = lock_allocation("7", Path("/one"))
    assert lock is not None
    with pytest.raises(UsageError, match="is used by another study"):
        lock_allocation("7", Path("/two"))
    os.close(lock)


def test_old_locks_are_removed_and_what_cannot_be_is_passed_over(folder: Path) -> None:
    (folder / "odd").mkdir(parents=True)
    (folder / "c-1").touch()
    for name in ("odd", "c-1"):
        os.utime(folder / name, (0, 0))
    lock = lock_allocation("7", Path("/one"))
    assert lock is not None
    assert sorted(path.name for path in folder.iterdir()) == ["c-7", "odd"]
    os.close(lock)
