"""A shell in a pseudo-terminal, whose output is kept with its times."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pyte

from tests.recording.frames import Frame, frame_of
from tests.terminal.screen import Screen
from tests.waiting import wait_until

SECONDS = 180.0  # the deadline of each wait
_STEP = 0.1  # seconds between two checks whether the reader is to end


@dataclass(frozen=True, slots=True)
class Scene:
    """What happened between two times of the session, and how many seconds of the picture it takes."""

    begin: float
    end: float
    seconds: float


class Session:
    """`bash` with the prompt `$ `, in the folder and environment that are given."""

    def __init__(self, folder: Path, env: Mapping[str, str], size: tuple[int, int]) -> None:
        columns, rows = size
        self.size = size
        self.scenes: list[Scene] = []
        self._screen = Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._chunks: list[tuple[float, bytes]] = []
        self._closing = threading.Event()
        self._child: Any = pexpect.spawn(  # a library without types
            "bash",
            ["--norc", "--noprofile"],
            cwd=str(folder),
            dimensions=(rows, columns),
            env={**env, "PS1": "$ ", "BASH_SILENCE_DEPRECATION_WARNING": "1"},
            timeout=None,
        )
        self._reader = threading.Thread(target=self._read, name="session", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        fd = self._child.child_fd
        while not self._closing.is_set():
            if not select.select([fd], [], [], _STEP)[0]:
                continue
            try:
                data = os.read(fd, 1 << 16)
            except OSError:  # the shell has exited
                return
            with self._lock:
                self._chunks.append((time.monotonic(), data))
                self._stream.feed(data)

    @property
    def text(self) -> str:
        with self._lock:
            return "\n".join(self._screen.display)

    @contextmanager
    def scene(self, seconds: float) -> Iterator[None]:
        """What is done within the block takes so many seconds of the picture."""
        begin = time.monotonic()
        yield
        self.scenes.append(Scene(begin, time.monotonic(), seconds))

    def hold(self, seconds: float) -> None:
        """The screen as it is, for so many seconds of the picture."""
        now = time.monotonic()
        self.scenes.append(Scene(now, now, seconds))

    def type(self, line: str) -> None:
        """Type at the prompt, each character after the one before is on the screen."""
        for end in range(1, len(line) + 1):
            self._child.send(line[end - 1])
            self.wait(lambda end=end: f"$ {line[:end]}" in self.text, f"{line[:end]!r} at the prompt")

    def press(self, key: str) -> None:
        self._child.send(key)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; TimeoutError has the screen."""
        try:
            wait_until(condition, SECONDS, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.text}") from None

    def is_at_prompt(self) -> bool:
        """Whether the last command has ended."""
        return self.text.rstrip().endswith("$")

    def wait_for(self, words: str) -> None:
        self.wait(lambda: words in self.text, f"{words!r} on the screen")

    def close(self) -> None:
        """End the shell and whatever runs in it."""
        self._closing.set()
        self._reader.join()
        self._child.kill(signal.SIGKILL)
        self._child.close(force=True)

    def frames(self, per_second: int) -> list[tuple[float, Frame]]:
        """The screen at equal distances of the picture's time, with that time; what does not change only once."""
        times = [at for at, _ in self._chunks]
        screen = Screen(*self.size)
        stream = pyte.ByteStream(screen)
        found: list[tuple[float, Frame]] = []
        fed, past = 0, 0.0
        for scene in self.scenes:
            count = max(1, round(scene.seconds * per_second))
            for number in range(count):
                until = bisect_right(times, scene.begin + (scene.end - scene.begin) * (number + 1) / count)
                for _, data in self._chunks[fed:until]:
                    stream.feed(data)
                fed = max(fed, until)
                frame = frame_of(screen)
                if not found or frame != found[-1][1]:
                    found.append((past + scene.seconds * number / count, frame))
            past += scene.seconds
        return found

    @property
    def seconds(self) -> float:
        """How long the picture is."""
        return sum(scene.seconds for scene in self.scenes)
