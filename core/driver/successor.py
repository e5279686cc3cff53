"""Starts the driver that takes over after a detach, and waits until it is ready.

The successor follows the journal like a view. When this driver releases its lease with the reason HANDED_OVER, the
successor takes it. If it does not, the supervisor of the driver that handed over drives again.
"""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..file_reading import open_to_append, read_tail, size_of
from ..isolated import isolated_command
from ..store.study_directory import StudyDirectory
from ..store.study_file import StudyFile

READY_FD = "MTUI_READY_FD"  # names the pipe on which the successor reports that it is ready
_DEADLINE = 20.0  # seconds for Python to start and the journal to be read


def successor_command(directory: StudyDirectory, study: StudyFile) -> tuple[str, ...]:
    """Return the command line of a headless driver that takes the study over."""
    inside = ("--in-allocation",) if study.settings.inside else ()
    return isolated_command("mtui.tui", "--no-ui", *inside, str(directory.root))


def start_successor(command: Sequence[str], log: Path) -> str:
    """Start the successor in a separate session, with its output in `log`.

    Return why it is not ready to take over, with the end of its output; empty if it is. If it is not, it is ended.
    """
    if not command:
        return "this driver only carries out commands"
    begin = size_of(log)
    process: subprocess.Popen[bytes] | None = None
    read_end, write_end = os.pipe()
    try:
        with open_to_append(log) as out:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=(write_end,),
                env={**os.environ, READY_FD: str(write_end)},
                start_new_session=True,
            )
        os.close(write_end)
        write_end = -1
        readable, _, _ = select.select([read_end], [], [], _DEADLINE)
        if readable and os.read(read_end, 1) == b"+":
            return ""
    except OSError as error:
        return f"{error.filename or command[0]}: {error.strerror}"
    finally:
        os.close(read_end)
        if write_end >= 0:
            os.close(write_end)
    process.kill()
    code = process.wait()
    output = read_tail(log, begin)
    why = f"it exited with code {code}" if readable else f"it was not ready within {_DEADLINE:.0f} s"
    return f"{why}: {output}" if output else why


def report_ready() -> bool:
    """Report to the driver that started this process as its successor that it is ready; False if there is none."""
    number = os.environ.pop(READY_FD, "")
    if number:
        with suppress(OSError):  # that driver has ended meanwhile
            os.write(int(number), b"+")
        os.close(int(number))
    return bool(number)
