"""The log of calls of Slurm's programs and their answers: one line per call, for users."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from ..debug_log import get_logger
from ..file_reading import open_to_append
from .submit_answer import error_lines, job_id

_log = get_logger(__name__)

_LONGEST_COMMAND = 1500  # characters; a scancel may name hundreds of jobs
_LONGEST_ANSWER = 400
_LONGEST_LOG = 20_000_000  # bytes; a longer one is renamed to slurm.log.1, replacing an older one
_HEAD = (
    "# The file after '<' is the instance's script. sbatch was given its #SBATCH lines and a call of job.sh, "
    "which runs it.\n"
)


class CommandLog:
    """Appends lines to a file, from any thread. Lines that cannot be written are dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, command: Sequence[str], answer: str, script: str = "") -> None:
        """Append a call and its answer; `script` is the path of the script that was passed on stdin."""
        words = f"{shlex.join(command)} < {shlex.quote(script)}" if script else shlex.join(command)
        clock = time.strftime("%Y-%m-%d %H:%M:%S")
        line = f"{clock} {_plain(words, _LONGEST_COMMAND)} -> {_plain(answer, _LONGEST_ANSWER)}\n"
        try:
            with open_to_append(self._path, 0o600) as file:
                size = os.fstat(file.fileno()).st_size
                os.write(file.fileno(), ((_HEAD if size == 0 else "") + line).encode())
            if size > _LONGEST_LOG:
                self._path.replace(f"{self._path}.1")
        except OSError as error:
            _log.warning("cannot write a call to %s: %s", self._path.name, error)


def answer_of(program: str, code: int, stdout: str, stderr: str) -> str:
    """Summarize the result of a call: the id of the submitted job, or the exit code and what the program printed."""
    if program == "sbatch" and code == 0:
        accepted = job_id(stdout)
        return ";".join(filter(None, (accepted.job, accepted.cluster))) if accepted else "exit code 0, no job id"
    first = next((line.strip() for line in stderr.splitlines() if line.strip()), "")
    if program == "sbatch":
        first = "; ".join(error_lines(stderr)) or first
    return f"exit code {code}: {first}" if first else f"exit code {code}"


def _plain(text: str, longest: int) -> str:
    """Shorten a text and replace control characters, so that it is one line without terminal sequences."""
    text = text if len(text) <= longest else text[:longest] + " ..."
    return "".join(char if char.isprintable() else "?" for char in text)
