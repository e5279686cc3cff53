"""A program that has the terminal meanwhile, as a job of a shell has it.

It runs in a separate process group, and the terminal is taken back when it ends or is suspended: a shell that is
killed or replaced does not give it back, and whoever then changes the terminal is stopped by SIGTTOU.
"""

from __future__ import annotations

import os
import signal
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_TERMINAL = 0  # the app reads it there
_SCREEN = 2  # and draws here; stdout may lead elsewhere, as in `mtui DIR | tee log`


class ForegroundJob:
    """A program that was started in the terminal. `cwd` and `env` are those of `subprocess.Popen`."""

    def __init__(self, command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Start it. Raises OSError."""
        self.name = Path(command[0]).name
        self._ours = _attributes()
        self._its: list[Any] | None = None  # the attributes of the terminal when it was suspended
        self._is_group = _has_terminal()
        try:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdout=_SCREEN,
                preexec_fn=_begin_group if self._is_group else _default_interrupt,
            )
        except (OSError, subprocess.SubprocessError):
            self._take_back()
            raise

    def wait(self) -> bool:
        """Wait until it ends or is suspended, and take the terminal back; return whether it has ended.

        SIGINT is ignored meanwhile: Ctrl-C is meant for the program.
        """
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = self._wait()
        finally:
            signal.signal(signal.SIGINT, before)
            self._its = _attributes()
            self._take_back()
        if os.WIFSTOPPED(status):
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return True

    def resume(self) -> None:
        """Give the terminal to a suspended program again."""
        with _unstopped(), suppress(OSError):
            if self._is_group:
                os.tcsetpgrp(_TERMINAL, self._process.pid)
        _set_attributes(self._its)
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """End a suspended program, as a shell does when it exits."""
        self._signal(signal.SIGHUP)
        self._signal(signal.SIGCONT)

    def _wait(self) -> int:
        try:
            return os.waitpid(self._process.pid, os.WUNTRACED if self._is_group else 0)[1]
        except ChildProcessError:
            return 0

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if self._is_group:
                os.killpg(self._process.pid, number)
            else:
                os.kill(self._process.pid, number)

    def _take_back(self) -> None:
        if self._is_group:
            with _unstopped(), suppress(OSError):
                os.tcsetpgrp(_TERMINAL, os.getpgrp())
        _set_attributes(self._ours)


def _has_terminal() -> bool:
    """Return whether stdin is the terminal of this session, with this process in the foreground."""
    with suppress(OSError):
        return os.tcgetpgrp(_TERMINAL) == os.getpgrp()
    return False


def _begin_group() -> None:
    """In the new process: make it the foreground job before its program begins, which may read at once."""
    _default_interrupt()
    os.setpgid(0, 0)
    with _unstopped():
        os.tcsetpgrp(_TERMINAL, os.getpid())


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _unstopped() -> Iterator[None]:
    """Not be stopped as a background process that changes the terminal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _attributes() -> list[Any] | None:
    with suppress(termios.error):
        return termios.tcgetattr(_TERMINAL)
    return None


def _set_attributes(attributes: list[Any] | None) -> None:
    if attributes is not None:
        with _unstopped(), suppress(termios.error):
            termios.tcsetattr(_TERMINAL, termios.TCSANOW, attributes)
