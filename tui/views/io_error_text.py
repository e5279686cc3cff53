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
    "ENOSPC": "make room on that file system",
    "EDQUOT": "make room: your quota there is used up (files count as well as bytes)",
    "EMFILE": "the driver has too many open files: raise ulimit -n",
    "ENFILE": "this machine has too many open files",
    "EAGAIN": "you have too many processes or threads here: ulimit -u",
    "ENOMEM": "this machine is short of memory",
    "EACCES": "make it writable for yourself",
    "EPERM": "make it writable for yourself",
    "EROFS": "its file system is read-only now: ask your site",
    "EISDIR": "move that directory away",
    "ENOTDIR": "move the file away that is in place of a directory",
    "EEXIST": "move away what is in its place",
    "ENOENT": "the directory is missing: was it moved, or is its file system unavailable?",
}
_OTHER = "check the file system: mtui doctor DIR"


def io_error_line(what: str, error: IoError) -> str:
    """Describe a present error in one line."""
    since = time.strftime("%H:%M:%S", time.localtime(error.since))
    where = f"{safe(error.path)}: " if error.path else ""
    hint = _HINTS.get(error.code, _OTHER)
    return f"Cannot {safe(what)} since {since}: {where}{safe(error.message)} (it is tried again; {hint})"


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
        return ["The study's file system is full: make room there, the driver then continues."]
    if space.f_files and not space.f_favail:
        return ["The study's file system has no room for more files: delete some, the driver then continues."]
    return []
