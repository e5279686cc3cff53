"""The app in a pseudo-terminal whose output is timed."""

from __future__ import annotations

import os
import pty
import signal
import struct
import sys
import termios
import threading
import time
from fcntl import ioctl
from pathlib import Path

COLUMNS, LINES = 160, 45
_QUIET = 0.25  # seconds without output after which a paint is over


class Terminal:
    """The app in a pseudo-terminal that is read on a thread; every piece of output is kept with its time."""

    def __init__(self, root: Path, home: Path) -> None:
        env = {
            **{
                key: value
                for key, value in os.environ.items()
                if key not in ("COLORTERM", "NO_COLOR", "LC_ALL", "TEXTUAL_THEME")
            },
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
        }
        self.pieces: list[tuple[float, bytes]] = []
        self._changed = threading.Condition()
        self.began = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "mtui.tui", str(root)], env)
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:
                return
            now = time.monotonic()
            if b"\x1b[?2026$p" in data:
                os.write(self._fd, b"\x1b[?2026;2$y")  # synchronised output is known here
            with self._changed:
                self.pieces.append((now, data))
                self._changed.notify_all()

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def mark(self) -> int:
        """The present end of the output, to read from later."""
        return len(self.pieces)

    def output(self, mark: int = 0) -> bytes:
        return b"".join(data for _, data in self.pieces[mark:])

    def when(self, what: bytes, seconds: float, mark: int = 0) -> float:
        """The time at which these bytes were there."""
        deadline = time.monotonic() + seconds
        seen = b""
        at = mark
        with self._changed:
            while True:
                while at < len(self.pieces):
                    moment, data = self.pieces[at]
                    at += 1
                    seen = seen[-len(what) :] + data
                    if what in seen:
                        return moment
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"after {seconds:g} s there was no {what!r}")
                self._changed.wait(left)

    def settle(self, quiet: float = _QUIET, longest: float = 30.0) -> None:
        """Wait until nothing was written for a while."""
        deadline = time.monotonic() + longest
        with self._changed:
            while time.monotonic() < deadline:
                before = len(self.pieces)
                if not self._changed.wait(quiet) and len(self.pieces) == before:
                    return

    def cpu(self) -> float:
        """CPU seconds of all threads so far."""
        return sum(
            int(path.read_text().split()[0]) / 1e9 for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        )

    def memory(self, what: str = "VmRSS") -> float:
        """In MB."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith(what)).split()[1]) / 1024

    def leave(self) -> None:
        self.press(b"q")
        deadline = time.monotonic() + 60
        pause = threading.Event()
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            pause.wait(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise TimeoutError("the app did not leave")
