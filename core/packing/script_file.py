"""Opens the script of an attempt, and refuses one that another user may have written, as job.sh does."""

from __future__ import annotations

import os
import stat

from ..file_reading import UnusableFile, open_file

REFUSED = 77  # exit code of an attempt whose script is refused, from sysexits.h; also in job.sh
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class ScriptRefused(Exception):
    """Why a script is not run."""


def open_script(workspace: str, name: str) -> tuple[int, bool]:
    """Open a script of the current directory, which is `workspace`. Raises ScriptRefused and OSError.

    Return its descriptor, and whether it can be run by its name: not if another user could replace it until then.
    """
    path = f"{workspace}/{name}"
    try:
        with open_file(name) as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid():
                raise ScriptRefused(f"{path} is not run: it belongs to another user")
            if found.st_mode & _OTHERS_WRITE:
                raise ScriptRefused(f"{path} is not run: others may write to it (chmod go-w)")
            if not found.st_size:
                raise ScriptRefused(f"{path} is not run: it is empty, as after a power cut")
            descriptor = os.dup(file.fileno())
    except (UnusableFile, IsADirectoryError):
        raise ScriptRefused(f"{path} is not run: it is not a regular file") from None
    return descriptor, not os.path.islink(name) and _is_safe(os.stat("."))  # noqa: PTH114, PTH116


def _is_safe(folder: os.stat_result) -> bool:
    """Return whether no other user can replace files of this user in a folder."""
    if folder.st_uid not in (0, os.geteuid()):
        return False
    return not folder.st_mode & _OTHERS_WRITE or bool(folder.st_mode & stat.S_ISVTX)
