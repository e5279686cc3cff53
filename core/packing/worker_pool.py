"""Manages the workers of an allocation for the leader: starts them with srun, and replaces lost ones."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from . import transport
from .job_environment import cookie, step_environment
from .slots import Node
from .timers import Timers

_PAUSES = (0.0, 2.0, 8.0)  # seconds before each replacement of the worker of a node; there are no more than these
_PING_EVERY = 15.0  # seconds
_MOST_UNANSWERED = 4  # pings in a row; counted, so that a leader that was suspended itself draws no wrong conclusion
_REPLACED_WITHIN = 60.0  # seconds
_ENDED_WITHIN = 5.0  # seconds

# The workers need whole nodes, so there is no --exact and no -c here. --overlap: their steps reserve nothing, so that
# the steps of instances can use all resources.
_SRUN = (
    *("srun", "--overlap", "--ntasks-per-node=1", "--mpi=none", "--cpu-bind=none", "--kill-on-bad-exit=0"),
    *("--wait=0", "--input=none", "--export=ALL", "--unbuffered", "--chdir=/"),
)
_WORKER = (sys.executable, "-m", "mtui.core.packing.worker")


class WorkerJoined(NamedTuple):
    """A worker has connected; `again` if it replaces a lost one, whose processes it has killed."""

    node: Node
    gpus: tuple[str, ...]
    again: bool


class ProcessesEnded(NamedTuple):
    """Attempts ended; each result is attempt, exit code, verdict, error."""

    results: Sequence[tuple[str, int, str, str]]


class Signalled(NamedTuple):
    """A worker got TERM from Slurm, and so did its attempts."""


class WorkerLost(NamedTuple):
    """The worker of this node disconnected; it can be replaced."""

    node: str


class WorkerGone(NamedTuple):
    """The worker of this node could not be replaced."""

    node: str


News: TypeAlias = WorkerJoined | ProcessesEnded | Signalled | WorkerLost | WorkerGone


class WorkerPool:
    """The workers of an allocation, and their connections to the leader."""

    def __init__(self, selector: selectors.BaseSelector, timers: Timers, batch: Mapping[str, str]) -> None:
        self._selector, self._timers, self._batch = selector, timers, batch
        self._key = os.urandom(32)
        self._host = _address(batch)
        self._door = transport.Door(self._key, self._host)
        for source in self._door.sources:
            selector.register(source, selectors.EVENT_READ)
        self._steps: list[subprocess.Popen[bytes]] = []
        self._nodes: dict[transport.Line, str] = {}  # empty until the worker has said hello
        self._lines: dict[str, transport.Line] = {}
        self._replacements: dict[str, int] = {}
        # By node, the srun of the pending replacement; None before it is started.
        self._missing: dict[str, subprocess.Popen[bytes] | None] = {}
        self._unanswered: dict[str, int] = {}  # pings since the last message, by node
        self._news: list[News] = []

    # -- starting and ending

    def start(self, count: int) -> None:
        """Start a step with a worker on each node. Raises OSError if srun cannot be started."""
        self._srun(f"--nodes={count}", f"--ntasks={count}")
        self._timers.at(time.monotonic() + _PING_EVERY, self._ping)

    def _srun(self, *options: str, sweep: str = "") -> subprocess.Popen[bytes]:
        private = {
            transport.HOST: self._host,
            transport.PORT: str(self._door.port),
            transport.KEY: self._key.hex(),
            transport.SWEEP: sweep,
        }
        command = (*_SRUN, *options, *_WORKER)
        step = subprocess.Popen(command, env=step_environment(self._batch, private), stdin=subprocess.DEVNULL)
        self._steps = [*(old for old in self._steps if old.poll() is None), step]
        return step

    @property
    def count(self) -> int:
        """The number of connected workers."""
        return len(self._lines)

    @property
    def replacing(self) -> bool:
        """Whether a replacement of a worker is pending."""
        return bool(self._missing)

    @property
    def deserted(self) -> bool:
        """Whether there is no worker and no pending replacement or news."""
        return not (self._nodes or self._missing or self._news)

    @property
    def failed(self) -> int | None:
        """The exit code of srun, if it exited before any worker connected."""
        return self._steps[-1].poll() if self.deserted else None

    def dismiss(self) -> None:
        """Close all connections, which ends the workers, and wait for their srun processes; end those that remain."""
        for line in list(self._nodes):
            self._close(line)
        for source in self._door.sources:
            self._selector.unregister(source)
        self._door.close()
        deadline = time.monotonic() + _ENDED_WITHIN
        for step in self._steps:
            try:
                step.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:  # a worker that hangs: in an allocation of the user nothing else ends it
                step.terminate()

    # -- talking

    def send(self, node: str, message: transport.Message) -> None:
        """Send a message to the worker of a node; if that fails, `hear` returns the worker as lost."""
        if line := self._lines.get(node):
            try:
                transport.send(line, message)
            except OSError:
                self._lose(line)

    def hear(self, ready: Sequence[Any]) -> list[News]:
        """Read from those of the `ready` sources that belong to the pool. Return the news."""
        for source in ready:
            if source in self._door.sources:
                for line in self._door.answer():
                    self._nodes[line] = ""
                    self._selector.register(line, selectors.EVENT_READ)
            elif source in self._nodes:
                self._listen(source)
        for node, step in list(self._missing.items()):
            if step and step.poll() is not None:
                self.replace(node)
        news, self._news = self._news, []
        return news

    def _listen(self, line: transport.Line) -> None:
        message = transport.receive(line)
        if message is None:
            self._lose(line)
        elif not self._nodes[line]:
            self._greet(line, message)
        else:
            self._unanswered[self._nodes[line]] = 0
            if "signalled" in message:
                self._news.append(Signalled())
            self._news.append(ProcessesEnded(message.get("ended", ())))

    def _greet(self, line: transport.Line, hello: transport.Message) -> None:
        name: str = hello["node"]
        again = name in self._replacements
        if name in self._lines or again != hello["sweep"] or (again and name not in self._missing):
            self._close(line)  # too late: the node has a worker, or its replacement was given up
            return
        self._nodes[line], self._lines[name], self._unanswered[name] = name, line, 0
        self._missing.pop(name, None)
        gpus = tuple(hello["gpus"])
        node = Node(name, hello["cores"], hello["threads"], len(gpus), hello["memory"])
        self._news.append(WorkerJoined(node, gpus, again))

    # -- losing and replacing

    def _ping(self) -> None:
        """Ping every worker. One that is suspended, or waits for a dead file system, does not answer: it is lost."""
        for node, line in list(self._lines.items()):
            if self._unanswered[node] >= _MOST_UNANSWERED:
                print(f"mtui: the worker on {node} has not answered {_MOST_UNANSWERED} times", file=sys.stderr)
                self._lose(line)
            else:
                self._unanswered[node] += 1
                self.send(node, {"ping": True})
        self._timers.at(time.monotonic() + _PING_EVERY, self._ping)

    def _close(self, line: transport.Line) -> str:
        name = self._nodes.pop(line)
        if self._lines.get(name) is line:
            del self._lines[name]
        self._selector.unregister(line)
        line.close()
        return name

    def _lose(self, line: transport.Line) -> None:
        if name := self._close(line):
            self._news.append(WorkerLost(name))

    def replace(self, node: str) -> None:
        """Start a new worker on a node, which first kills the old one, and the processes that it left.

        At once for the first time, later with increasing pauses: a fault of the node may end them.
        """
        count = self._replacements[node] = self._replacements.get(node, 0) + 1
        if count > len(_PAUSES):
            self._missing.pop(node, None)
            self._news.append(WorkerGone(node))
            return
        self._missing[node] = None
        if pause := _PAUSES[count - 1]:
            self._timers.at(time.monotonic() + pause, lambda: self._start_replacement(node))
        else:
            self._start_replacement(node)

    def _start_replacement(self, node: str) -> None:
        mark = cookie(self._batch, node)
        step = self._missing[node] = self._srun("--nodes=1", "--ntasks=1", f"--nodelist={node}", sweep=mark)

        def give_up() -> None:
            if self._missing.get(node) is step:
                del self._missing[node]
                step.terminate()
                self._news.append(WorkerGone(node))

        self._timers.at(time.monotonic() + _REPLACED_WITHIN, give_up)


def _address(batch: Mapping[str, str]) -> str:
    """Return the address on which to listen for workers: of the interface towards them, so that few others reach it.

    It is the one of the loopback interface if the only node is this one, and empty (all) if it cannot be known.
    """
    own, nodes = batch.get("SLURMD_NODENAME", ""), batch.get("SLURM_JOB_NODELIST", "")
    if not nodes or own == nodes:
        return "127.0.0.1" if nodes else ""
    try:
        command = ("scontrol", "show", "hostnames", nodes)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return next((transport.own_address(name) for name in done.stdout.split() if name != own), "")
