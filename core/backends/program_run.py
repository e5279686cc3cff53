"""Runs a program with a deadline and a limit on its output, whatever becomes of processes that it starts."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

LONGEST_OUTPUT = 64_000_000  # bytes; squeue prints about 150 for a job
_LINGER = 1.0  # seconds that the output is read after the program has ended, if another process holds it
_POLL = 0.2  # seconds between checks whether the program has ended while its output is open


def run_program(
    command: Sequence[str], environment: Mapping[str, str], deadline: float, stdin: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """Run a program and return its exit code and output; `deadline` is in seconds.

    A program that prints too much is killed: its exit code is negative and its error output says so. Raises OSError if
    it cannot be started, and subprocess.TimeoutExpired; then its processes are killed.
    """
    until = time.monotonic() + deadline
    given = _file_of(stdin) if stdin else None
    try:
        # A separate session: Ctrl-C does not interrupt a submission, and all its processes can be killed.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if given is None else given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    finally:
        if given is not None:
            os.close(given)
    assert process.stdout and process.stderr
    with process.stdout as out, process.stderr as err:
        try:
            texts = _read(process, (out.fileno(), err.fileno()), until)
            code = process.wait(max(until - time.monotonic(), 0.0)) if texts else 0
        except subprocess.TimeoutExpired:
            raise subprocess.TimeoutExpired(command, deadline) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if texts is None:
        message = f"{command[0]} printed more than {LONGEST_OUTPUT // 1_000_000} MB and was killed"
        return subprocess.CompletedProcess(command, -signal.SIGKILL, "", message)
    stdout, stderr = (text.decode("utf-8", "replace") for text in texts)
    return subprocess.CompletedProcess(command, code, stdout, stderr)


def _file_of(content: bytes) -> int:
    """Return a descriptor of an anonymous file in memory: writing to a pipe would block."""
    file = os.memfd_create("stdin")
    with open(file, "wb", closefd=False) as writer:
        writer.write(content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _read(process: subprocess.Popen[bytes], pipes: tuple[int, int], until: float) -> tuple[bytes, bytes] | None:
    """Read both outputs to their ends; None if they are too long. Raises subprocess.TimeoutExpired."""
    texts = {pipe: bytearray() for pipe in pipes}
    ended = 0.0  # when the program was found to have ended
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            now = time.monotonic()
            if now >= until:
                raise subprocess.TimeoutExpired((), 0)
            ready = selector.select(min(_POLL, until - now))
            for key, _ in ready:
                text = os.read(key.fd, 65536)
                texts[key.fd] += text
                if not text:
                    selector.unregister(key.fd)
            if sum(map(len, texts.values())) > LONGEST_OUTPUT:
                return None
            if not ready and process.poll() is not None:
                ended = ended or now
                if now - ended >= _LINGER:
                    break
    return bytes(texts[pipes[0]]), bytes(texts[pipes[1]])
