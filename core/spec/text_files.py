"""Reads the files of a study as text; the only module of this package that accesses the file system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .. import file_reading


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """Why a file could not be read."""

    why: str


ReadText = Callable[[str, str], str | UnreadableFile]


def read_text(path: str, what: str, *, pipes: bool = False) -> str | UnreadableFile:
    """Read a file as UTF-8. `what` describes it in the message ("a CSV file").

    A pipe or device is read only with `pipes`, since it may never end: for the file that a user names.
    """
    try:
        if pipes:
            return Path(path).read_text(encoding="utf-8")
        return file_reading.read_text(path, file_reading.WHOLE)
    except FileNotFoundError:
        return UnreadableFile("no such file")
    except IsADirectoryError:
        return UnreadableFile(f"this is a directory, not {what}")
    except UnicodeDecodeError as error:
        return UnreadableFile(f"not UTF-8 text (byte {error.start}), as {what} must be")
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null character
        return UnreadableFile(f"cannot be read: {error.strerror if isinstance(error, OSError) else error}")


def read_nothing(path: str, what: str) -> str | UnreadableFile:
    """Refuse to read any file, for a study that is parsed from a text."""
    del path
    return UnreadableFile(f"{what} cannot be read beside a text")
