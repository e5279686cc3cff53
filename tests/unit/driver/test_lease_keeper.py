"""The keeper of the lease: errors of the file system are waited out, a directory that is gone ends the driver."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtui.core.driver.lease_keeper import LeaseKeeper
from mtui.core.errors import DriverError
from mtui.core.store.lease import Lease
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext


class Kept:
    """A study directory, and the keeper of its lease."""

    def __init__(self, folder: Path) -> None:
        self.context = FakeContext(folder, step("a", local=True))
        self.root = self.context.directory.root
        lease = Lease.acquire(self.context.directory.owner)
        self.keeper = LeaseKeeper(lease, self.context.log, self.context.errors, self.root)


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Iterator[Kept]:
    del clock
    kept = Kept(tmp_path)
    yield kept
    kept.keeper.close()


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.EACCES])
def test_directory_of_which_nothing_can_be_known_may_come_back(
    kept: Kept, clock: Clock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch:
        for name in ("stat", "open", "fstat"):
            patch.setattr(os, name, failing(getattr(os, name), kept.root, number))
        for _ in range(5):
            kept.keeper.step()
            clock.pass_time(60)
        assert not kept.keeper.is_held
    kept.keeper.step()
    assert kept.keeper.is_held


def failing(call: Any, root: Path, number: int) -> Any:
    def fail(path: Any, *rest: Any, **more: Any) -> Any:
        if isinstance(path, int) or os.fsdecode(path).startswith(str(root.parent)):
            raise OSError(number, os.strerror(number))
        return call(path, *rest, **more)

    return fail


def test_directory_that_was_deleted_ends_the_driver(kept: Kept) -> None:
    shutil.rmtree(kept.root)
    with pytest.raises(DriverError, match="the study's directory no longer exists"):
        kept.keeper.step()
