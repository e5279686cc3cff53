"""What a driver cannot read or write at present, in words: since when, which path, and what to do."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ...core.engine.durable_state import IoError
from ...core.engine.state import StudyState
from .text import safe

# What to do, by the name of the error's number.
_HINTS = {
    "ENOSPC": "free space on that file system",
    "EDQUOT": "free space: your quota is used up (of bytes or of files)",
    "EMFILE": "the driver has too many open files: raise ulimit -n",
    "ENFILE": "this machine has too many open files",
    "EAGAIN": "you have too many processes or threads here: ulimit -u",
    "ENOMEM": "this machine has too little memory",
    "EACCES": "make it writable for you",
    "EPERM": "make it writable for you",
    "EROFS": "its file system is read-only now: ask your site's support",
    "EISDIR": "move that directory away",
    "ENOTDIR": "a file is in place of a directory: move it away",
    "EEXIST": "something else has this name: move it away",
    "ENOENT": "the directory is missing: was it moved, or is its file system unavailable?",
}
_OTHER = "check the file system: mtui doctor DIR"


def io_error_line(what: str, error: IoError) -> str:
    """Describe a present error in one line."""
    since = time.strftime("%H:%M:%S", time.localtime(error.since))
    where = f"{safe(error.path)}: " if error.path else ""
    hint = _HINTS.get(error.code, _OTHER)
    return f"Cannot {safe(what)} since {since}: {where}{safe(error.message)} (mtui tries again; {hint})"


def io_error_lines(state: StudyState) -> list[str]:
    """Describe all present errors."""
    return [io_error_line(what, error) for what, error in state.io_errors.items()]


def file_system_lines(root: Path) -> list[str]:
    """Describe what keeps a driver from writing its journal: it cannot record that error there."""
    try:
        space = os.statvfs(root)
    except OSError:
        return []
    if space.f_flag & os.ST_RDONLY:
        return ["The study's file system is read-only on this machine."]
    if not space.f_bavail:
        return ["The study's file system is full: free space there, then the driver continues."]
    if space.f_files and not space.f_favail:
        return ["The study's file system has no inodes left: delete files, then the driver continues."]
    return []
