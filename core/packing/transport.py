"""The connection between leader and workers: JSON messages over multiprocessing's connections, without pickle."""

from __future__ import annotations

import json
import os
import queue
import socket
import struct
import threading
import time
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]
Line: TypeAlias = "Connection[bytes, bytes]"

# Environment variables of a worker: the leader's port, the key, and the cookie of orphans to kill. A process's
# environment is readable by its user only.
PORT, KEY, SWEEP = "MTUI_LEADER_PORT", "MTUI_LEADER_KEY", "MTUI_LEADER_SWEEP"
HOST = "MTUI_LEADER_HOST"  # the leader's address, if it listens on one interface

# Seconds. A peer that stops in the middle of a message for longer is considered lost, so that nothing hangs.
_PATIENCE = 15.0
_GREETING = 5.0  # the same during authentication
_CALL_WITHIN, _CALL_AGAIN = 20.0, 0.2  # for which, and between which, a worker tries to connect
_MOST_UNKNOWN = 32  # clients that authenticate at a time


class Door:
    """The server socket to which the workers of all nodes connect.

    Each connection authenticates with the key on a separate thread, so that an unknown client cannot block others. Of
    clients that are not authenticated yet, the oldest is dropped when there are too many.
    """

    def __init__(self, key: bytes, host: str = "") -> None:
        """`host` is the address of the interface to listen on; empty for all."""
        self._key = key
        self._server = socket.socket()
        self._server.bind((host, 0))
        self._server.listen(1024)
        self._bell, self._ring = socket.socketpair()
        for end in (self._server, self._bell, self._ring):
            end.setblocking(False)
        self._admitted: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._unknown: dict[int, Line] = {}  # not authenticated yet, the oldest first

    @property
    def port(self) -> int:
        return self._server.getsockname()[1]

    @property
    def sources(self) -> tuple[socket.socket, socket.socket]:
        """The sockets that are readable when a client connects, and when one has been authenticated."""
        return self._server, self._bell

    def answer(self) -> list[Line]:
        """Accept waiting clients. Return the connections that have been authenticated since the last call."""
        for _ in range(_MOST_UNKNOWN):
            try:
                client, _ = self._server.accept()
            except OSError:  # no client
                break
            self._greet(client)
        with suppress(BlockingIOError):
            self._bell.recv(4096)
        found: list[Line] = []
        with suppress(queue.Empty):
            while True:
                found.append(self._admitted.get_nowait())
        return found

    def close(self) -> None:
        self._server.close()

    def _greet(self, client: socket.socket) -> None:
        try:
            line = _line(client)
        except OSError:  # disconnected already
            client.close()
            return
        with self._lock:
            for old in list(self._unknown.values())[: max(0, len(self._unknown) - _MOST_UNKNOWN + 1)]:
                _hang_up(old)  # its thread closes it
                del self._unknown[id(old)]
            self._unknown[id(line)] = line
        try:
            threading.Thread(target=self._admit, args=(line,), daemon=True).start()
        except RuntimeError:  # no more threads for now
            self._forget(line)
            line.close()

    def _forget(self, line: Line) -> bool:
        """Return whether a client was still waiting to be authenticated."""
        with self._lock:
            return self._unknown.pop(id(line), None) is not None

    def _admit(self, line: Line) -> None:
        try:
            deliver_challenge(line, self._key)
            answer_challenge(line, self._key)
            is_known = self._forget(line)
        except Exception:  # an unknown client may send anything
            self._forget(line)
            is_known = False
        if not is_known:
            line.close()
            return
        _wait_at_most(line.fileno(), _PATIENCE)
        self._admitted.put(line)
        with suppress(BlockingIOError):  # the buffer is full, so it is readable already
            self._ring.send(b"x")


def call(host: str, port: int, key: bytes) -> Line:
    """Connect to the leader and authenticate; again if it fails, as when many others try. Raises OSError."""
    until = time.monotonic() + _CALL_WITHIN
    while True:
        try:
            line = _line(socket.create_connection((host, port), timeout=30))
            try:
                answer_challenge(line, key)
                deliver_challenge(line, key)
            except BaseException:
                line.close()
                raise
        except (OSError, EOFError, AuthenticationError) as error:
            if time.monotonic() > until:
                raise ConnectionError(f"the leader at {host}, port {port} does not answer: {error}") from None
            time.sleep(_CALL_AGAIN)
            continue
        _wait_at_most(line.fileno(), _PATIENCE)
        return line


def own_address(other: str) -> str:
    """Return this host's address on the interface towards another host; empty if that cannot be known."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.connect((other, 9))  # sends nothing
        return end.getsockname()[0]
    return ""


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


def _hang_up(line: Line) -> None:
    """Let a read or write of another thread fail."""
    with suppress(OSError), socket.socket(fileno=os.dup(line.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


def _wait_at_most(descriptor: int, seconds: float) -> None:
    """Set a timeout for each read and write on the socket itself, since Connection has no timeouts."""
    end = socket.socket(fileno=descriptor)
    try:
        limit = struct.pack("ll", int(seconds), 0)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    finally:
        end.detach()
