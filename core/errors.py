"""What can go wrong by somebody's doing: one tree of exceptions, each with a message, a hint and an exit code.

Everything else that is raised is a bug of ours. The command line turns these into one clear message
(tui/cli/main.py); nothing else catches the base class.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

EXIT_FINISHED = 0
EXIT_ERROR = 1
EXIT_FAILURES = 2  # the study ended with failed instances
EXIT_USAGE = 2  # the request itself was wrong: same number as argparse uses
EXIT_CANCELLED = 3
EXIT_CODES = {"finished": EXIT_FINISHED, "failed": EXIT_FAILURES, "cancelled": EXIT_CANCELLED}  # by a study's result


class MtuiError(Exception):
    """An expected failure: `message` says what, `hint` says what to do about it."""

    exit_code = EXIT_USAGE
    speaker = "mtui: "  # heads the message; empty where the message begins with a place in a file

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot be done, where that is an answer like any other and no exception."""

    message: str
    hint: str = ""


# What helps where a file cannot be written or read, whatever the reason.
TRY_DOCTOR = "mtui doctor DIR says what a directory offers; -o DIR takes another one for a new study"


class UsageError(MtuiError):
    """The request cannot be carried out as given (a missing file, a directory in use, a wrong option)."""


class PgenError(MtuiError):
    """A parameter generator file failed; the message carries its own error with its own lines."""


class StudyDirectoryError(MtuiError):
    """A study directory is missing, incomplete, from a newer version, or cannot be written."""


class DirectoryTaken(StudyDirectoryError):
    """The directory of a new study exists already."""


class DriverError(MtuiError):
    """The driver cannot go on (a full disk, a vanished directory); the study itself is as it was."""

    exit_code = EXIT_ERROR


class StudyBusyError(MtuiError):
    """Another driver holds the study; the message says who, where and since when."""


class DependencyError(MtuiError):
    """A path or git dependency of the study could not be had."""


class BackendMissing(MtuiError):
    """The study needs a program (Slurm's) that this machine does not have."""

    exit_code = EXIT_USAGE


# Trouble of the file system, a full quota, too many processes or open files.
_PASSING = (errno.EAGAIN, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ENOSPC, errno.EDQUOT)


def may_pass(error: OSError) -> bool:
    """Whether the same may well succeed later."""
    return error.errno in _PASSING
