"""Expected failures: one exception tree; each exception has a message, a hint and an exit code.

Any other exception is a bug in mtui. The command line prints these as one message (tui/cli/main.py).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

EXIT_FINISHED = 0
EXIT_ERROR = 1
EXIT_FAILURES = 2  # the study ended with failed instances
EXIT_USAGE = 2  # the request itself was wrong: same number as argparse uses
EXIT_CANCELLED = 3
EXIT_CODES = {"finished": EXIT_FINISHED, "failed": EXIT_FAILURES, "cancelled": EXIT_CANCELLED}  # by a study's result


class MtuiError(Exception):
    """An expected failure: `message` says what is wrong, `hint` how to fix it."""

    exit_code = EXIT_USAGE
    speaker = "mtui: "  # prefix of the message; empty if the message begins with a position in a file

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot be done, as a return value where that is an ordinary result and not an exception."""

    message: str
    hint: str = ""


# The hint for any file that cannot be read or written.
TRY_DOCTOR = "'mtui doctor DIR' checks a directory; use -o for another one for a new study"


class UsageError(MtuiError):
    """The request cannot be carried out as given (a missing file, a directory in use, a wrong option)."""


class PgenError(MtuiError):
    """A parameter generator file failed; the message contains its error and the lines of the file."""


class StudyDirectoryError(MtuiError):
    """A study directory is missing, incomplete, from a newer version, or cannot be written."""


class NewerVersion(StudyDirectoryError):
    """A newer mtui wrote the study, which this one therefore cannot show or drive."""


class StorageError(StudyDirectoryError):
    """A file of a study directory cannot be read or written now. The same may work later."""


class DirectoryTaken(StudyDirectoryError):
    """The directory of a new study exists already."""


class DriverError(MtuiError):
    """The driver cannot continue (disk full, directory deleted); the study itself is unchanged."""

    exit_code = EXIT_ERROR


class StudyBusyError(MtuiError):
    """Another driver holds the study; the message says who, where and since when."""


class DependencyError(MtuiError):
    """A path or git dependency of the study is not available."""


class BackendMissing(MtuiError):
    """The study needs a program (of Slurm) that is not installed on this machine."""

    exit_code = EXIT_USAGE


class WrongCluster(MtuiError):
    """The study has jobs on another cluster than the one of this machine; the message names both."""


# What shows that something is wrong with one path itself: a file where a directory should be, a missing permission.
_OF_THE_PATH = (
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.EINVAL, errno.E2BIG, errno.ENOEXEC),
)


def may_pass(error: OSError) -> bool:
    """Return whether the same operation may succeed later: a full disk, a file server that does not answer."""
    return error.errno not in _OF_THE_PATH


def lacks_thread(error: BaseException | None) -> bool:
    """Return whether an error is, or follows from, that no thread can be started: Python has no type for it."""
    while error is not None:
        if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
            return True
        error = error.__context__
    return False


def error_text(error: OSError, path: object = "") -> str:
    """Return an error with the path that it concerns: `PATH: No space left on device`."""
    where = error_path(error) or str(path)
    what = error.strerror or str(error)
    return f"{where}: {what}" if where else what


def missing_directory(root: Path, error: Exception) -> str:
    """Return that a study's directory is gone, if that is why a file in it could not be used; else an empty text."""
    if isinstance(error, FileNotFoundError) and not root.exists():
        return f"the study's directory no longer exists: {root}"
    return ""


def error_path(error: OSError) -> str:
    """Return the path that an error concerns; empty if it names none."""
    name: object = error.filename
    if isinstance(name, bytes):
        return os.fsdecode(name)
    return name if isinstance(name, str) else ""
