"""How the leader and its workers talk: messages of JSON over multiprocessing's connections, never a pickle."""

from __future__ import annotations

import json
import socket
import struct
from contextlib import suppress
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]
Line: TypeAlias = "Connection[bytes, bytes]"

# The variables by which a worker learns whom to call. Nobody but the user can read them.
PORT, KEY, SWEEP = "MTUI_LEADER_PORT", "MTUI_LEADER_KEY", "MTUI_LEADER_SWEEP"
PRIVATE = (PORT, KEY, SWEEP)

# Whoever stops in the middle of a message for so long is taken for lost, so that nobody waits for it for ever.
_PATIENCE = 15.0
_GREETING = 5.0


def listen() -> socket.socket:
    """A socket for workers of all nodes; who does not know the key is turned away."""
    server = socket.socket()
    server.bind(("", 0))
    server.listen(1024)
    server.setblocking(False)
    return server


def accept(server: socket.socket, key: bytes) -> Line | None:
    """The connection of a worker that knows the key."""
    try:
        client, _ = server.accept()
    except OSError:
        return None
    line = _line(client)
    try:
        deliver_challenge(line, key)
        answer_challenge(line, key)
    except Exception:  # whatever a stranger may have sent
        line.close()
        return None
    _wait_at_most(line.fileno(), _PATIENCE)
    return line


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
