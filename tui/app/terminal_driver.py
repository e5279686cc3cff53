"""Textual's driver of the terminal, with our parser of its input, and the size of the terminal that it draws on."""

from __future__ import annotations

import os
import selectors
import time

from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from .terminal_input import TerminalInput

_LOOK_EVERY = 0.05  # seconds between two looks whether a key is complete, or the app ends
_AT_ONCE = 1 << 12  # bytes
_DEFAULT_SIZE = 80, 24


class InputEnded(Message):
    """The terminal cannot be read any more."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class TerminalDriver(LinuxDriver):
    """Reads stdin and draws on stderr, wherever stdout leads."""

    def start_application_mode(self) -> None:
        """Start to use the terminal. After SIGSTOP, which cannot be caught, its use was not ended before."""
        if self._key_thread is not None and self._key_thread.is_alive():  # a second one would live for ever
            self.suspend_application_mode()
        super().start_application_mode()

    def _get_terminal_size(self) -> tuple[int, int]:
        for descriptor in (2, 0):
            try:
                columns, lines = os.get_terminal_size(descriptor)
            except OSError:
                continue
            if columns and lines:
                return columns, lines
        return _DEFAULT_SIZE

    def _run_input_thread(self) -> None:
        """Read keys. The app ends with a message if this cannot continue."""
        try:
            self.run_input_thread()
        except OSError as error:
            self._app.post_message(InputEnded(error.strerror or str(error)))
        except Exception as error:
            self._app.call_later(_raise, error)

    def run_input_thread(self) -> None:
        parser = TerminalInput()
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_LOOK_EVERY):
                    data = os.read(self.fileno, _AT_ONCE)
                    if not data:
                        self._app.post_message(InputEnded("end of file"))
                        return
                    messages = parser.feed(data, time.monotonic())
                else:
                    messages = parser.tick(time.monotonic())
                for message in messages:
                    self.process_message(message)


def _raise(error: Exception) -> None:
    """Raise an error on the app's event loop, which ends the app and reports it."""
    raise error
