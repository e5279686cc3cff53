"""A real terminal: the app runs in a pseudo-terminal, and what it writes becomes a screen to look at."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pexpect
import pyte

from tests.mtui import COMMAND
from tests.waiting import wait_until

T = TypeVar("T")

SECONDS = 30.0  # the deadline of whatever is waited for; all of it takes far less
_LOOK = 0.1  # seconds between two looks of the reader whether it is to stop
_PAINTS = 60  # keys after which a full terminal has the app wait: Textual keeps 30 paints to be written
_ALTERNATE = 1049  # the mode in which programs draw that take the whole terminal

KEYS = {
    "enter": "\r",
    "escape": "\x1b[27u",  # as newer terminals send it: a bare one with a letter right behind it passes for Alt
    "tab": "\t",
    "space": " ",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
}

# What would make the app look or act otherwise than where nobody has set anything.
_NOT_INHERITED = ("COLORTERM", "NO_COLOR", "PAGER", "LESS", "EDITOR", "VISUAL", "TMUX", "TMUX_PANE", "COLUMNS", "LINES")


def environment(home: Path, base: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
    """The environment of a person with a usual terminal, whose settings are kept in `home`."""
    kept = {
        key: value
        for key, value in (os.environ if base is None else base).items()
        if key not in _NOT_INHERITED and not key.startswith(("LC_", "TEXTUAL"))
    }
    places = {"XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
    return {**kept, **places, "TERM": "xterm-256color", "LANG": "C.UTF-8", "SHELL": "/bin/sh", **more}


def _no_terminal_of_ours(path: str, flags: int) -> int:
    """Opens a terminal that does not become the one of this process."""
    return os.open(path, flags | os.O_NOCTTY | os.O_NONBLOCK)


class Screen(pyte.Screen):
    """A screen that is empty when a program takes it as a whole, and again when the program gives it back."""

    def set_mode(self, *modes: int, **kwargs: bool) -> None:
        super().set_mode(*modes, **kwargs)
        self._clear(modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: bool) -> None:
        super().reset_mode(*modes, **kwargs)
        self._clear(modes, **kwargs)

    def select_graphic_rendition(self, *attrs: int, private: bool = False) -> None:
        if not private:  # else it is about the keyboard
            super().select_graphic_rendition(*attrs)

    def _clear(self, modes: tuple[int, ...], private: bool = False) -> None:
        if private and _ALTERNATE in modes:
            self.erase_in_display(2)
            self.cursor_position()


class Terminal:
    """`mtui WORDS`, or another command, in a separate terminal. It is read all the time, unless it is stalled."""

    def __init__(
        self,
        *words: str | Path,
        env: Mapping[str, str],
        size: tuple[int, int] = (100, 30),
        prefix: tuple[str, ...] = (),
        cwd: Path | None = None,
    ) -> None:
        """`size` is columns and rows; `prefix` is put before the command and has to run it, in `cwd`."""
        columns, rows = size
        command = [*prefix, *COMMAND, *map(str, words)]
        self._screen = Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._raw = bytearray()
        self._lock = threading.Lock()
        self._reads = threading.Event()
        self._reads.set()
        self._closing = threading.Event()
        self._child: Any = pexpect.spawn(  # a library without types
            command[0],
            command[1:],
            dimensions=(rows, columns),
            env=dict(env),
            cwd=None if cwd is None else str(cwd),
            echo=False,
            timeout=None,
        )
        self._exit: int | None = None
        self.pid: int = self._child.pid
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        fd = self._child.child_fd
        while not self._closing.is_set():
            if not self._reads.wait(_LOOK) or not select.select([fd], [], [], _LOOK)[0]:
                continue
            try:
                data = os.read(fd, 1 << 16)
            except OSError:  # nobody has the other end open any more
                return
            if not data:
                return
            with self._lock:
                self._raw += data
                self._stream.feed(data)

    # --- looking

    @property
    def text(self) -> str:
        """The text on the screen."""
        with self._lock:
            return "\n".join(self._screen.display)

    @property
    def reversed_text(self) -> str:
        """What is shown reversed, as the cursor is."""
        with self._lock:
            cells = [self._screen.buffer[y][x] for y in range(self._screen.lines) for x in range(self._screen.columns)]
        return "".join(cell.data if cell.reverse else " " for cell in cells).strip()

    def line_with(self, words: str) -> str:
        """The first line that has these words; empty if there is none."""
        return next((line for line in self.text.split("\n") if words in line), "")

    @property
    def raw(self) -> bytes:
        """All that was ever written to the terminal."""
        with self._lock:
            return bytes(self._raw)

    @property
    def bytes_written(self) -> int:
        with self._lock:
            return len(self._raw)

    @property
    def picture(self) -> str:
        """The screen with a frame, for messages."""
        lines = self.text.split("\n")
        edge = "-" * (len(lines[0]) + 2)
        return "\n".join([edge, *(f"|{line}|" for line in lines), edge])

    # --- waiting

    def wait_for(self, what: str | Callable[[str], T], seconds: float = SECONDS) -> str | T:
        """Wait until these words are on the screen, or until a look at its text gives something true."""

        def look() -> str | T | None:
            over = not self.alive and not self._reader.is_alive()
            text = self.text
            found = (what if what in text else None) if isinstance(what, str) else what(text)
            if not found and over:
                raise AssertionError(f"mtui ended with {self._exit} before {reported}\n{self.picture}")
            return found

        reported = repr(what) if isinstance(what, str) else "the screen was as it should be"
        return self._wait(look, seconds, f"{reported} on the screen")

    def wait_without(self, words: str, seconds: float = SECONDS) -> None:
        """Wait until these words are gone from the screen."""
        self.wait_for(lambda text: words not in text, seconds)

    def wait_written(self, words: str, seconds: float = SECONDS) -> None:
        """Wait until these words have been written, also if they are gone by now: a notice disappears."""
        self._wait(lambda: words.encode() in self.raw, seconds, f"{words!r} to be written")

    def exit_code(self, seconds: float = SECONDS) -> int:
        """Wait for the end of the process: its exit status, or the negative number of the signal that ended it."""
        self._wait(lambda: not self.alive, seconds, "the end of the process")
        if self._reads.is_set():
            self._reader.join(seconds)
        assert self._exit is not None
        return self._exit

    def _wait(self, condition: Callable[[], T | None], seconds: float, what: str) -> T:
        try:
            found = wait_until(condition, seconds, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.picture}") from None
        assert found
        return found

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        if self._exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit = os.waitstatus_to_exitcode(status)
                self._child.terminated = True
                self._child.ptyproc.terminated = True
        return self._exit is None

    # --- acting

    def keys(self, *names: str) -> None:
        """Press keys: letters, names of KEYS, or `ctrl+x`."""
        for name in names:
            if name.startswith("ctrl+"):
                self._send(chr(ord(name[-1].upper()) - 64))
            else:
                assert len(name) == 1 or name in KEYS, f"no such key: {name}"
                self._send(KEYS.get(name, name))

    def type(self, text: str) -> None:
        """Type a text, as into a field."""
        self._send(text)

    def send_bytes(self, data: bytes) -> None:
        """Send what no key of a usual terminal sends."""
        os.write(self._child.child_fd, data)

    def _send(self, text: str) -> None:
        self.send_bytes(text.encode())

    def resize(self, columns: int, rows: int) -> None:
        with self._lock:
            self._screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def stall(self, key: str) -> None:
        """Read no more, as a link does that hangs; press a key until the app waits for room for what it paints."""
        self._reads.clear()
        since_full = 0

        def waits() -> bool:
            nonlocal since_full
            self.keys(key)
            since_full = since_full + 1 if self._is_full() else 0
            return since_full >= _PAINTS

        self._wait(waits, SECONDS, "a full terminal")

    def _is_full(self) -> bool:
        with open(f"/proc/{self.pid}/fd/0", "wb", 0, opener=_no_terminal_of_ours) as other_end:
            poll = select.poll()
            poll.register(other_end, select.POLLOUT)
            return not poll.poll(0)

    def resume(self) -> None:
        """Read again."""
        self._reads.set()

    def close(self) -> None:
        """Take the terminal away, as a link does that breaks."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._reader.join()
        self._child.ptyproc.fileobj.close()
        self._child.child_fd = self._child.ptyproc.fd = -1
        self._child.closed = self._child.ptyproc.closed = True

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, if it still runs, and put everything away."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            wait_until(lambda: not self.alive, SECONDS, "the end of the process")
        self.close()
