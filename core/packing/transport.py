"""How the leader and its workers talk: messages of JSON over multiprocessing's connections, never a pickle."""

from __future__ import annotations

import json
import queue
import socket
import struct
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]
Line: TypeAlias = "Connection[bytes, bytes]"

# The variables by which a worker learns whom to call. Nobody but the user can read them.
PORT, KEY, SWEEP = "MTUI_LEADER_PORT", "MTUI_LEADER_KEY", "MTUI_LEADER_SWEEP"

# Whoever stops in the middle of a message for so long is taken for lost, so that nobody waits for it for ever.
_PATIENCE = 15.0
_GREETING = 5.0


class Door:
    """Where workers of all nodes come in.

    Each shows on a thread of its own that it knows the key, so that a stranger is turned away and keeps nobody waiting.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._server = socket.socket()
        self._server.bind(("", 0))
        self._server.listen(1024)
        self._bell, self._ring = socket.socketpair()
        for end in (self._server, self._bell, self._ring):
            end.setblocking(False)
        self._admitted: queue.SimpleQueue[Line] = queue.SimpleQueue()

    @property
    def port(self) -> int:
        return self._server.getsockname()[1]

    @property
    def sources(self) -> tuple[socket.socket, socket.socket]:
        """What is readable when somebody knocks, and when somebody was admitted."""
        return self._server, self._bell

    def answer(self) -> list[Line]:
        """Look who is there; the connections of those who were admitted meanwhile."""
        with suppress(OSError):  # nobody
            client, _ = self._server.accept()
            threading.Thread(target=self._admit, args=(client,), daemon=True).start()
        with suppress(BlockingIOError):
            self._bell.recv(4096)
        found: list[Line] = []
        with suppress(queue.Empty):
            while True:
                found.append(self._admitted.get_nowait())
        return found

    def close(self) -> None:
        self._server.close()

    def _admit(self, client: socket.socket) -> None:
        try:
            line = _line(client)
        except OSError:  # gone already
            client.close()
            return
        try:
            deliver_challenge(line, self._key)
            answer_challenge(line, self._key)
        except Exception:  # whatever a stranger may have sent
            line.close()
            return
        _wait_at_most(line.fileno(), _PATIENCE)
        self._admitted.put(line)
        with suppress(BlockingIOError):  # it rings already
            self._ring.send(b"x")


def call(host: str, port: int, key: bytes) -> Line:
    """Connect to the leader."""
    line = _line(socket.create_connection((host, port), timeout=30))
    answer_challenge(line, key)
    deliver_challenge(line, key)
    _wait_at_most(line.fileno(), _PATIENCE)
    return line


def send(line: Line, message: Message) -> None:
    """Raises OSError if the other side is gone, or does not listen."""
    line.send_bytes(json.dumps(message, separators=(",", ":")).encode())


def receive(line: Line) -> Message | None:
    """The next message; None if the other side is gone."""
    try:
        return json.loads(line.recv_bytes())
    except (OSError, EOFError, ValueError):
        return None


def _line(end: socket.socket) -> Line:
    end.setblocking(True)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A node that is gone says nothing: after some 40 s of silence the connection is broken.
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with suppress(AttributeError, OSError):
        for option, seconds in ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4)):
            end.setsockopt(socket.IPPROTO_TCP, option, seconds)
    line: Line = Connection(end.detach())
    _wait_at_most(line.fileno(), _GREETING)
    return line


def _wait_at_most(descriptor: int, seconds: float) -> None:
    """For each read and write: a connection reads its socket as a file, and knows no time-outs."""
    end = socket.socket(fileno=descriptor)
    try:
        limit = struct.pack("ll", int(seconds), 0)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    finally:
        end.detach()
