"""A file system that begins to fail at a named point of the driver, for calls of this process that write a study."""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtui.core.driver import crash_points

_BY_PATH = ("link", "mkdir", "replace", "rename", "symlink")
_BY_FILE = ("pwrite", "write", "fdatasync", "fsync")


class FailingFiles:
    """From `point` on, `count` writing calls below `root` raise `number`; -1: all, until `repair`."""

    def __init__(self, patch: pytest.MonkeyPatch, root: Path, point: str, number: int, count: int) -> None:
        self._root = str(root)
        self._number = number
        self._left = 0
        self.failed = 0  # calls
        self.is_reached = False

        def begin(pid: int, sent: int) -> None:
            assert (pid, sent) == (os.getpid(), signal.SIGKILL)
            self.is_reached, self._left = True, count

        kill = os.kill
        patch.setattr(crash_points, "_wanted", point)
        patch.setattr(crash_points, "_left", 1)
        patch.setattr(os, "kill", lambda pid, sent: begin(pid, sent) if sent == signal.SIGKILL else kill(pid, sent))
        for name in _BY_PATH:
            patch.setattr(os, name, self._failing_path(getattr(os, name)))
        for name in _BY_FILE:
            patch.setattr(os, name, self._failing_file(getattr(os, name)))
        opened, io_opened = os.open, io.open

        def os_open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR):
                self._fail(path)
            return opened(path, flags, *rest, **more)

        def io_open(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
            if not isinstance(file, int) and set(mode) & set("wax+"):
                self._fail(file)
            return io_opened(file, mode, *rest, **more)

        patch.setattr(os, "open", os_open)
        patch.setattr(io, "open", io_open)

    def repair(self) -> None:
        self._left = 0

    def _fail(self, path: Any) -> None:
        if self._left and os.fsdecode(path).startswith(self._root):
            self._left -= 1
            self.failed += 1
            raise OSError(self._number, os.strerror(self._number), os.fsdecode(path))

    def _failing_path(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*arguments: Any, **more: Any) -> Any:
            self._fail(arguments[-1])
            return call(*arguments, **more)

        return failing

    def _failing_file(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def failing(file: int, *rest: Any) -> Any:
            if self._left:
                try:
                    path = Path(f"/proc/self/fd/{file}").readlink()
                except OSError as error:
                    raise OSError(errno.EBADF, "Bad file descriptor") from error
                self._fail(path)
            return call(file, *rest)

        return failing
