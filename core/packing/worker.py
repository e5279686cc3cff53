"""The worker of one node: starts the attempts that the leader sends, and reports when they end.

    python -m mtui.core.packing.worker      started by the leader, with srun

When the connection to the leader is closed, it kills its running attempts and exits.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from ..text_encoding import use_utf8
from . import node, transport
from .orphans import VARIABLE, AdoptedProcesses, kill_marked, kill_orphans
from .script_parent import ScriptParent
from .script_start import ScriptStarter

_KILLED = 128 + signal.SIGKILL  # the exit code of an attempt whose parent was killed
_LINGER = 2.0  # seconds between TERM and KILL for processes that a script left running
_GIVE_UP = 10.0  # seconds after KILL: processes that are left then are zombies
_LOOK_AGAIN = 0.05  # seconds between checks of such processes
_IGNORED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU),
)
_MODULE = [b"-m", b"mtui.core.packing.worker"]  # in the command line of a worker


_End: TypeAlias = tuple[str, int, str, str]  # attempt, exit code, verdict, error


class Worker:
    """Runs attempts, each in a separate session. Its event loop waits for messages and for children to exit."""

    def __init__(self, line: transport.Line, cpus: list[set[int]] | None) -> None:
        self._line = line
        self._cores = cpus
        self._memory = node.OutOfMemory()
        self._starter: ScriptStarter | None = None  # known with the first message of the leader
        self._parents: dict[int, ScriptParent] = {}  # by process id
        self._idle: list[ScriptParent] = []
        self._running: dict[str, ScriptParent] = {}  # by attempt
        self._signals_sent: dict[str, int] = {}  # the last signal that the leader sent, by attempt
        self._ended: list[_End] = []
        # Attempts of which processes outlive the script: its process, a deadline, and the end to report.
        self._lingering: dict[str, tuple[int, float, _End]] = {}
        self._adopted = AdoptedProcesses()
        self._cookie = ""  # of all attempts on this node
        self._signalled = False  # TERM from Slurm, which ends the job
        self._pinged = False
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Run until the leader disconnects."""
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        signal.signal(signal.SIGCHLD, _wake_up)
        signal.signal(signal.SIGTERM, self._signal)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        self._selector.register(wake, selectors.EVENT_READ)
        self._selector.register(self._line, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self._selector.select(_LOOK_AGAIN if self._lingering else None):
                    if isinstance(parent := key.data, ScriptParent):
                        self._hear(parent)
                    elif key.fileobj is wake:
                        with suppress(BlockingIOError):
                            wake.recv(4096)
                    elif (message := transport.receive(self._line)) is None:
                        return
                    else:
                        self._obey(message)
                self._reap()
                self._clear()
                self._send()
        except OSError:  # the leader does not read
            return
        finally:
            for parent in self._running.values():
                _kill_group(parent.script, signal.SIGKILL)
            for script, _, _ in self._lingering.values():
                _kill_group(script, signal.SIGKILL)
            self._adopted.kill_all()

    def _signal(self, *_: object) -> None:
        """Note TERM: the attempts got it too, so the leader has to know before it interprets their exit codes."""
        self._signalled = True

    def _send(self) -> None:
        message: dict[str, Any] = {}
        if self._signalled:
            message["signalled"] = True
        if self._ended:
            message["ended"] = self._ended
        if self._pinged:
            message["alive"] = True
        if message:
            transport.send(self._line, message)
        self._signalled, self._pinged, self._ended = False, False, []

    def _obey(self, message: transport.Message) -> None:
        self._pinged = self._pinged or "ping" in message
        if "environment" in message:
            self._starter = ScriptStarter(message["root"], message["shell"], message["environment"], self._cores)
        for order in message.get("run", ()):
            self._start(order)
        for attempt, number in message.get("signal", ()):
            if parent := self._running.get(attempt):
                self._signals_sent[attempt] = number
                _kill_group(parent.script, number)

    def _start(self, order: transport.Message) -> None:
        assert self._starter
        self._cookie = order["environment"].get(VARIABLE, "")
        while self._idle:
            parent = self._idle.pop()
            with suppress(OSError):  # it was killed: the selector shows it
                parent.order(order)
                self._running[parent.attempt] = parent
                return
        try:
            parent = ScriptParent(self._starter)
            self._parents[parent.process] = parent
            self._selector.register(parent.line, selectors.EVENT_READ, parent)
            parent.order(order)
        except OSError as error:
            why = self._starter.not_started(error)
            self._ended.append((order["attempt"], why.code, why.verdict, why.reason))
        else:
            self._running[parent.attempt] = parent

    def _hear(self, parent: ScriptParent) -> None:
        """Apply what the parent of a script reports, or that it has ended."""
        message = transport.receive(parent.line)
        if message is None:
            self._selector.unregister(parent.line)
            parent.line.close()
            del self._parents[parent.process]
            if parent in self._idle:
                self._idle.remove(parent)
            if parent.attempt:
                self._conclude(parent, _KILLED)
        elif "script" in message:
            parent.script = message["script"]
            if sent := self._signals_sent.get(parent.attempt):  # while it was being started
                _kill_group(parent.script, sent)
        else:
            if "failed" in message:
                code, verdict, reason = message["failed"]
                self._signals_sent.pop(parent.attempt, None)
                del self._running[parent.attempt]
                self._ended.append((parent.attempt, code, verdict, reason))
            else:
                self._conclude(parent, message["ended"])
            parent.attempt = ""
            self._idle.append(parent)

    def _conclude(self, parent: ScriptParent, code: int) -> None:
        """Report the end of a script, once nothing is left of its attempt."""
        attempt, script = parent.attempt, parent.script
        del self._running[attempt]
        sent = self._signals_sent.pop(attempt, 0)
        short = code == _KILLED and not sent and self._memory.happened()
        end = (attempt, code, "out of memory" if short else "", "")
        # The id of a process group is not reused while it has members.
        if not self._signal_rest(script, attempt, sent or signal.SIGTERM):
            self._ended.append(end)
        else:
            self._lingering[attempt] = (script, time.monotonic() + _LINGER, end)

    def _reap(self) -> None:
        """Collect children that have ended: parents of scripts, and adopted processes."""
        while found := _next_change():
            if found.si_code == os.CLD_STOPPED and found.si_pid in self._parents:
                os.kill(found.si_pid, signal.SIGKILL)  # by its script; it could not report the end of that

    def _clear(self) -> None:
        """End attempts of which nothing runs any more: until then it may use cores, or run a Slurm step."""
        for attempt, (script, deadline, end) in list(self._lingering.items()):
            late = time.monotonic() - deadline
            rest = self._signal_rest(script, attempt, signal.SIGKILL if late > 0 else 0)
            if not rest or late > _GIVE_UP:
                if rest:
                    print(f"mtui: processes of attempt {attempt} cannot be ended: {rest}", file=sys.stderr)
                del self._lingering[attempt]
                self._ended.append(end)

    def _signal_rest(self, script: int, attempt: str, number: int) -> list[int]:
        """Send a signal (0: none) to what is left of an attempt whose script has ended; return what there was."""
        rest = [script] if _kill_group(script, number) else []
        for adopted in self._adopted.of(attempt, self._cookie, self._parents):
            rest.append(adopted)
            with suppress(OSError):
                os.kill(adopted, number)
        return rest


def _wake_up(number: int, frame: object) -> None:
    """Do nothing: without a handler, SIGCHLD would not write to the wakeup descriptor."""


def _next_change() -> os.waitid_result | None:
    """Return the end or stop of a child process; None if there is none now."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG)
    except ChildProcessError:
        return None


def _kill_group(process: int, number: int) -> bool:
    """Send a signal to a process group (0: only check). Return whether the group exists; 0 is none."""
    if not process:
        return False
    try:
        os.killpg(process, number)
    except OSError:
        return False
    return True


def _kill_predecessor(name: str) -> bool:
    """Kill the worker that this one replaces: it may be suspended, with orders that it has not read. False if it stays.

    The srun that started it has the same environment; its command line is another.
    """
    marks = {f"{transport.KEY}={os.environ[transport.KEY]}".encode(), f"SLURMD_NODENAME={name}".encode()}

    def is_worker(process: int) -> bool:
        with suppress(OSError):
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[1:]
            return process != os.getpid() and words[2 if words[:1] == [b"-X"] else 0 :][:2] == _MODULE
        return False

    return kill_marked(marks, (signal.SIGKILL,), is_worker)


def main() -> int:
    # Slurm signals every process of the job; the leader decides what to do.
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    use_utf8()
    environment = os.environ
    name = environment["SLURMD_NODENAME"]
    if (cookie := environment.get(transport.SWEEP)) and not (_kill_predecessor(name) and kill_orphans(cookie)):
        print(f"mtui: processes of {cookie} cannot be ended", file=sys.stderr)
        return 1
    key = bytes.fromhex(environment[transport.KEY])
    host = environment.get(transport.HOST) or environment["SLURM_LAUNCH_NODE_IPADDR"]
    line = transport.call(host, int(environment[transport.PORT]), key)
    cpus = int(environment["SLURM_CPUS_ON_NODE"])
    physical = node.cores(cpus)
    threads = max(map(len, physical)) if physical else 1
    hello = {
        "node": name,
        "cores": len(physical) if physical else cpus,
        "threads": threads,
        "gpus": node.gpus(environment),
        "memory": int(environment.get("SLURM_MEM_PER_NODE", "0")),
        "sweep": bool(cookie),
    }
    transport.send(line, hello)
    Worker(line, physical).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
