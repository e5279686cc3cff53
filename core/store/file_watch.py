"""Wakes the driver when a record appears in the spool or a command in the inbox.

On a local file system the kernel reports changes. On a network file system it silently reports nothing of what
other nodes write; there the small directories are listed once a second.
"""

from __future__ import annotations

import errno
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..debug_log import get_logger

_log = get_logger(__name__)

LOCAL_TYPES = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "f2fs", "ramfs"})
_LOOK_EVERY = 1.0  # seconds, on a network file system
_ESCAPE = re.compile(r"\\([0-7]{3})")  # how the kernel writes a blank in a path: \040
_RESERVE = 4  # threads
_THREAD_ENDS_WITHIN = 1.0  # seconds
_STEP = 10  # milliseconds over which the kernel's news are gathered


def file_system_type(path: Path, mounts: str) -> str:
    """The type of the file system that holds a path, from the text of /proc/self/mounts; empty if unknown."""
    best, found = "", ""
    text = os.path.realpath(path)
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), parts[1])
        inside = text == point or text.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, parts[2]
    return found


def is_local(path: Path) -> bool:
    """Whether the kernel of this host sees every change below a path."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return file_system_type(path, mounts) in LOCAL_TYPES


def require_threads() -> None:
    """Raise OSError if no threads can be started. The kernel's watcher starts one: without it, it aborts the process.

    Several are started and ended, because other processes of the user start some in between.
    """
    go = threading.Event()
    threads = [threading.Thread(target=go.wait, name="mtui-reserve", daemon=True) for _ in range(_RESERVE)]
    started: list[threading.Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
    finally:
        go.set()
        for thread in started:
            thread.join()
    deadline = time.monotonic() + _THREAD_ENDS_WITHIN
    while any(Path(f"/proc/self/task/{thread.native_id}").exists() for thread in started):  # the kernel counts it
        if time.monotonic() > deadline:
            break
        time.sleep(0.001)


class FileWatch:
    """A thread that calls `wake` after a change in one of the directories, until `stop`.

    Of the last one the files count that grow, of the others only those that come and go.
    """

    def __init__(self, directories: Sequence[Path], wake: Callable[[], None]) -> None:
        self._directories = directories
        self._wake = wake
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_started(self) -> bool:
        return self._thread is not None

    def start(self) -> None:
        """Start the thread. Raises OSError if none can be started; it can be tried again."""
        target = self._by_kernel if all(map(is_local, self._directories)) else self._by_looking
        thread = threading.Thread(target=target, name="mtui-spool", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from None
        self._thread = thread

    def stop(self) -> None:
        """End the thread and wait for it: one that is inside the watcher when Python ends can abort the process."""
        self._end.set()
        if self._thread:
            self._thread.join(timeout=2 * _LOOK_EVERY)

    def _by_kernel(self) -> None:
        from watchfiles import watch

        try:
            require_threads()
            changes = watch(
                *self._directories,
                watch_filter=None,
                recursive=False,
                stop_event=self._end,
                step=_STEP,
                debounce=_STEP,
                rust_timeout=1000,
                raise_interrupt=False,
            )
            for _ in changes:
                self._wake()
        except (OSError, RuntimeError) as error:  # no inotify to be had (the user's limit is reached): look instead
            _log.warning("the kernel reports no changes of files, so they are listed every second: %s", error)
            self._by_looking()

    def _by_looking(self) -> None:
        last: list[object] = []
        while not self._end.wait(_LOOK_EVERY):
            try:
                changed: list[object] = [directory.stat().st_mtime_ns for directory in self._directories]
                changed += [(entry.name, entry.stat().st_size) for entry in os.scandir(self._directories[-1])]
            except OSError:
                continue
            if changed != last:
                last = changed
                self._wake()
