"""The inbox: commands to whoever drives the study, or will drive it, as files that any node can drop.

Written in `tmp`, renamed into `new`, read in the order of their names, removed once carried out. Only files of the
same user count.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..debug_log import get_logger
from ..durable_files import sync_directory, write_durably
from ..engine.commands import CommandRequest
from ..errors import Refusal, StudyDirectoryError, may_pass, missing_directory
from ..file_reading import WHOLE, UnusableFile, read_text

_log = get_logger(__name__)

VERSION = 1

_ANOTHER_USER = "only the user who started the study can send commands"
_FULL = "free space there, then send the command again"
_HINTS = {
    errno.EACCES: _ANOTHER_USER,
    errno.EPERM: _ANOTHER_USER,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: "its file system is read-only now: ask your site's support",
}


def send_command(inbox: Path, verb: str, targets: tuple[str, ...], options: Mapping[str, str | int]) -> str:
    """Write a command, synced; return its id. Raises StudyDirectoryError if it cannot be written."""
    host = socket.gethostname().replace("/", "_")
    command = f"{time.time_ns():020d}-{host}-{os.getpid()}-{secrets.token_hex(2)}"
    record = {"v": VERSION, "command": command, "verb": verb, "targets": targets, "options": dict(options)}
    try:
        temporary = inbox / "tmp" / command
        write_durably(temporary, json.dumps(record).encode("utf-8"))
        temporary.rename(inbox / "new" / command)
        sync_directory(inbox / "new")
    except OSError as error:
        if missing := missing_directory(inbox.parent.parent, error):
            raise StudyDirectoryError(missing) from None
        hint = _HINTS.get(error.errno or 0, "mtui doctor DIR checks the file system")
        raise StudyDirectoryError(f"cannot write a command to {inbox}: {error.strerror}", hint) from None
    return command


def withdraw_command(inbox: Path, command: str) -> None:
    """Remove a command that no driver has taken."""
    (inbox / "new" / command).unlink(missing_ok=True)


def pending_commands(inbox: Path) -> list[Path]:
    """The commands that nobody has taken yet, oldest first."""
    try:
        return sorted(path for path in (inbox / "new").iterdir() if not path.name.startswith("."))
    except OSError as error:
        _log.warning("the inbox cannot be listed: %s", error)
        return []


def read_command(path: Path) -> CommandRequest | Refusal | None:
    """The command of a file, or why it does not count; None if it cannot be read just now, or is gone."""
    try:
        if path.stat().st_uid != os.getuid():
            return Refusal("it belongs to another user")
        record: dict[str, Any] = json.loads(read_text(path, WHOLE))  # it may name very many targets
        if record["v"] != VERSION:
            return Refusal("it was written by a newer mtui")
        options = tuple((str(key), _option(value)) for key, value in record["options"].items())
        return CommandRequest(str(record["command"]), str(record["verb"]), tuple(map(str, record["targets"])), options)
    except FileNotFoundError:
        return None
    except OSError as error:
        passes = may_pass(error) and not isinstance(error, UnusableFile)
        return None if passes else Refusal(f"cannot be read: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Refusal(f"cannot be read: {error}")


def _option(value: object) -> str | int:
    if isinstance(value, (str, int)):
        return value
    raise TypeError(f"an option is {value!r}")


def remove_command(path: Path) -> None:
    """Remove a command that the journal has; if that fails, its id shows later that it was carried out."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("a command cannot be removed: %s", error)
