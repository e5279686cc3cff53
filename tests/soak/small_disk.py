"""A file system of some megabytes that can be filled up. Without root the studies are on an ordinary one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

_SIZE = 64  # megabytes


class SmallDisk:
    """The file system of the studies: a tmpfs in `folder`, or only the folder for users who may not mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}m,mode=755", "tmpfs", str(folder)]
        self.is_small = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
        self._filler = folder / "filler"

    @property
    def missing(self) -> list[str]:
        return [] if self.is_small else ["disk full: a file system can be mounted by root only"]

    def fill(self) -> None:
        """Leave no byte free."""
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        """Free what `fill` took."""
        self._filler.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete everything on it."""
        for path in self.folder.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def unmount(self) -> None:
        if self.is_small:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)
