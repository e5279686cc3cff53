"""Where Python searches modules: what the user's PYTHONPATH adds, and whether an error comes from that.

Imports as little as possible: a folder on PYTHONPATH may replace any module.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType


def search_python_path_last() -> None:
    """Search PYTHONPATH after Python's own modules and the installed packages, as background processes of mtui do."""
    sys.path.sort(key=_python_path().__contains__)


def file_of_python_path(error: BaseException) -> str:
    """Return a file found by PYTHONPATH that raised an error, or is not the module that was needed; empty if none."""
    entries = _python_path()
    own = f"{_absolute(__file__).rpartition(f'{os.sep}core{os.sep}')[0]}{os.sep}"
    for file in _files(error):
        # The entry that has the file is the longest: a virtual environment may be in a folder of PYTHONPATH.
        folders = [entry for entry in sys.path if file.startswith(entry.rstrip(os.sep) + os.sep)]
        if max(folders, key=len, default="") in entries and not file.startswith(own):
            return file
    return ""


def _python_path() -> set[str]:
    """Return the folders of PYTHONPATH as Python writes them into sys.path."""
    written = os.environ.get("PYTHONPATH")
    if not written or sys.flags.ignore_environment:
        return set()
    try:
        return set(map(_absolute, written.split(os.pathsep)))
    except FileNotFoundError:  # the current directory is gone
        return set()


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100


def _files(error: BaseException | None) -> list[str]:
    """Return the files that an error and its causes concern, the nearest first."""
    found: list[str] = []
    while error is not None:
        frames: list[str] = []
        frame = error.__traceback__
        while frame is not None:
            frames.append(frame.tb_frame.f_code.co_filename)
            frame = frame.tb_next
        module = error.obj if isinstance(error, AttributeError) else None
        named = (
            error.filename if isinstance(error, SyntaxError) else None,
            error.path if isinstance(error, ImportError) else None,
            module.__file__ if isinstance(module, ModuleType) else None,
        )
        found += [*(_absolute(name) for name in named if name), *reversed(frames)]
        error = error.__cause__ or error.__context__
    return found
