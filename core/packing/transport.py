"""The connection between leader and workers: JSON messages over multiprocessing's connections, without pickle."""

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

# Environment variables of a worker: the leader's port, the key, and the cookie of orphans to kill. A process's
# environment is readable by its user only.
PORT, KEY, SWEEP = "MTUI_LEADER_PORT", "MTUI_LEADER_KEY", "MTUI_LEADER_SWEEP"

# Seconds. A peer that stops in the middle of a message for longer is considered lost, so that nothing hangs.
_PATIENCE = 15.0
_GREETING = 5.0  # the same during authentication


class Door:
    """The server socket to which the workers of all nodes connect.

    Each connection authenticates with the key on a separate thread, so that an unknown client cannot block others.
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
        """The sockets that are readable when a client connects, and when one has been authenticated."""
        return self._server, self._bell

    def answer(self) -> list[Line]:
        """Accept a client, if there is one. Return the connections that have been authenticated since the last call."""
        with suppress(OSError):  # no client
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
        except OSError:  # disconnected already
            client.close()
            return
        try:
            deliver_challenge(line, self._key)
            answer_challenge(line, self._key)
        except Exception:  # an unknown client may send anything
            line.close()
            return
        _wait_at_most(line.fileno(), _PATIENCE)
        self._admitted.put(line)
        with suppress(BlockingIOError):  # the buffer is full, so it is readable already
            self._ring.send(b"x")


def call(host: str, port: int, key: bytes) -> Line:
    """Connect to the leader and authenticate."""
    line = _line(socket.create_connection((host, port), timeout=30))
    answer_challenge(line, key)
    deliver_challenge(line, key)
    _wait_at_most(line.fileno(), _PATIENCE)
    return line


def send(line: Line, message: Message) -> None:
    """Send a message. Raises OSError if the peer is disconnected, or does not read."""
    line.send_bytes(json.dumps(message, separators=(",", ":")).encode())


def receive(line: Line) -> Message | None:
    """Receive the next message; None if the peer is disconnected or sends an invalid one."""
    try:
        return json.loads(line.recv_bytes())
    except (OSError, EOFError, ValueError):
        return None


def _line(end: socket.socket) -> Line:
    end.setblocking(True)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A crashed node does not close its connections: with keepalive they fail after about 40 s of silence.
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with suppress(AttributeError, OSError):
        for option, seconds in ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 4)):
            end.setsockopt(socket.IPPROTO_TCP, option, seconds)
    line: Line = Connection(end.detach())
    _wait_at_most(line.fileno(), _GREETING)
    return line


def _wait_at_most(descriptor: int, seconds: float) -> None:
    """Set a timeout for each read and write on the socket itself, since Connection has no timeouts."""
    end = socket.socket(fileno=descriptor)
    try:
        limit = struct.pack("ll", int(seconds), 0)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    finally:
        end.detach()
