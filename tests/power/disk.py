"""A file system in an image on a loop device, whose power can be cut.

At a cut the file system is shut down as xfstests does it (`EXT4_IOC_SHUTDOWN`, `XFS_IOC_GOINGDOWN`, without flushing
its log): from that instant nothing more reaches the device, and what is still in memory is lost. Then the image is
copied, so that the copy is of one instant, and mounted; the file system recovers by its journal, as after a real cut.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from tests.waiting import wait_until

KINDS = ("ext4", "xfs")
_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), the same of both file systems
_NO_LOG_FLUSH = 2
_SIZES = {"ext4": "64M", "xfs": "320M"}  # the least that mkfs accepts, and enough


class Disk:
    """One file system at one mount point, before and after each cut."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.mount = folder / "disk"
        self.mount.mkdir()
        self._kind = kind
        self._folder = folder
        self._count = 0
        self._is_mounted = False
        self._image = folder / "image"
        _run("truncate", "-s", _SIZES[kind], self._image)
        _run(f"mkfs.{kind}", "-q", self._image)
        self._mount()

    def stop(self) -> None:
        """Cut the power: nothing more reaches the device."""
        folder = os.open(self.mount, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def start(self) -> None:
        """Copy what has reached the device, and mount the copy. No process may use the file system any more."""
        self._count += 1
        copy = self._folder / f"image.{self._count}"
        _run("cp", "--sparse=always", self._image, copy)
        self._unmount()
        self._image.unlink()
        self._image = copy
        self._mount()

    def writes(self) -> int:
        """How many writes have reached the device since it was mounted."""
        device = self.mount.stat().st_dev
        numbers = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()
        return int(numbers[4])  # Documentation/block/stat.rst in Linux: the write requests that were completed

    def close(self) -> None:
        if self._is_mounted:
            self._unmount()

    def _mount(self) -> None:
        # A copy has the id of its original, which may live on in the mounts of another machine's processes.
        options = "loop,nouuid" if self._kind == "xfs" else "loop"
        _run("mount", "-o", options, self._image, self.mount)
        self._is_mounted = True

    def _unmount(self) -> None:
        """The kernel frees the mounts of dead processes a moment after their end."""
        wait_until(lambda: _succeeds("umount", self.mount), 20, f"nothing uses {self.mount}")
        self._is_mounted = False


def unavailable(kind: str) -> str:
    """Why power cuts cannot be tried on this machine; empty if they can."""
    if os.getuid() != 0:
        return "only root can mount a file system"
    programs = ("mount", "umount", "unshare", f"mkfs.{kind}")
    if missing := [program for program in programs if shutil.which(program) is None]:
        return f"{', '.join(missing)} is missing"
    with tempfile.TemporaryDirectory() as folder:
        try:
            disk = Disk(Path(folder), kind)
        except subprocess.CalledProcessError as error:
            return f"no loop device can be mounted: {error.stderr.strip()}"
        try:
            disk.stop()
        except OSError as error:
            return f"{kind} cannot be shut down: {error.strerror}"
        finally:
            disk.close()
    return ""


def _run(*words: str | Path) -> None:
    subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True, timeout=60)


def _succeeds(*words: str | Path) -> bool:
    return subprocess.run(list(map(str, words)), check=False, capture_output=True, timeout=60).returncode == 0
