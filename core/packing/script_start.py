"""Starts the script of an attempt as a process: workspace, logs, environment, cores."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import may_pass
from ..file_reading import open_to_append
from .orphans import ATTEMPT
from .protocol import NOT_BEGUN
from .script_file import REFUSED, ScriptRefused, open_script
from .transport import Message

# Exit codes of attempts that could not be started, from sysexits.h.
_NO_WORKSPACE, _NOT_STARTED = 72, 71
_DEFAULTS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
_SCRIPT = 8  # the descriptor of the script for a process that opens it by that, as in job.sh


@dataclass(eq=False)
class NotStarted(Exception):
    """Why an attempt was not started: its exit code, `NOT_BEGUN` if it may start later, and the reason."""

    code: int
    verdict: str
    reason: str


class ScriptStarter:
    """Starts attempts as the leader orders them, each in a separate session."""

    def __init__(self, root: str, shell: list[str], environment: dict[str, Any], cores: list[set[int]] | None) -> None:
        """`root` is the study directory, `environment` that of all attempts, `cores` the CPUs of each core."""
        self._root = root
        self._shell = shell
        self._has_shell = bool(shutil.which(shell[0]))
        self._environment = _encoded(environment)
        self._cores = cores

    def start(self, order: Message) -> int:
        """Start an attempt and return the process of its script. Raises NotStarted. Changes the current directory."""
        workspace = os.path.join(self._root, order["workspace"])  # noqa: PTH118
        try:
            os.chdir(workspace)
        except OSError as error:
            raise NotStarted(_NO_WORKSPACE, self._verdict(error), "the workspace does not exist") from None
        try:
            script, by_name = open_script(workspace, order["script"])
        except ScriptRefused as error:
            raise NotStarted(REFUSED, "", str(error)) from None
        except OSError as error:
            reason = f"its script cannot be read: {error.strerror}"
            raise NotStarted(_NOT_STARTED, self._verdict(error), reason) from None
        try:
            return self._spawn(order, workspace, None if by_name else script)
        except OSError as error:
            raise self.not_started(error) from None
        finally:
            os.close(script)

    def not_started(self, error: OSError) -> NotStarted:
        """Return what it means that no process could be started."""
        return NotStarted(_NOT_STARTED, self._verdict(error), f"it could not be started: {error.strerror}")

    def _verdict(self, error: OSError) -> str:
        """`NOT_BEGUN` if it may start later. A missing file stays missing, unless the whole study is unavailable."""
        passes = may_pass(error) and (error.errno != errno.ENOENT or not os.path.isdir(self._root))  # noqa: PTH112
        return NOT_BEGUN if passes else ""

    def _spawn(self, order: Message, workspace: str, script: int | None) -> int:
        """`script` is its descriptor if it must not be opened by its name."""
        if not self._has_shell:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._shell[0])
        environment = self._environment | _encoded(order["environment"])
        environment[b"PWD"] = os.fsencode(workspace)
        environment[os.fsencode(ATTEMPT)] = os.fsencode(order["attempt"])
        if self._cores:
            places: list[int] = order["cores"]
            with suppress(OSError):  # then it runs without binding
                os.sched_setaffinity(0, {cpu for place in places for cpu in self._cores[place]})
        shown = order["script"] if script is None else f"/proc/self/fd/{_SCRIPT}"
        argv = [*self._shell, shown]
        stem: str = order["stem"]
        with open_to_append(f"{stem}.out") as out, open_to_append(f"{stem}.err") as err:
            return os.posix_spawnp(
                argv[0],
                argv,
                environment,
                file_actions=(
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, err.fileno(), 2),
                    *(() if script is None else ((os.POSIX_SPAWN_DUP2, script, _SCRIPT),)),  # last: others may be 8
                ),
                setsid=True,
                setsigmask=(),
                setsigdef=_DEFAULTS,
            )


def _encoded(environment: dict[str, Any]) -> dict[bytes, bytes]:
    return {os.fsencode(name): os.fsencode(text) for name, text in environment.items()}
