"""The scheduler of a leader: claims and starts queued attempts that fit, and records how they ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..claims import REVOKED, Claims
from .job_environment import attempt_environment
from .protocol import ResourceRequest, WorkItem
from .queue import Queue
from .record_files import RecordWriter
from .slots import Node, Placement, Slots, bits
from .timers import Timers

# Exit codes of attempts that were not run, from sysexits.h.
_UNCLAIMED, _REFUSED = 73, 78

_MARGIN = 5.0  # seconds between an attempt's walltime and the end of the allocation
_GRACE = 10.0  # seconds between TERM and KILL
_CAREFUL = 0.3  # seconds without a start after an attempt was killed: the allocation may be about to end
_HELD = 1.0  # seconds after which a failure is not caused by the end of the allocation
_DOUBT, _DOUBT_AGAIN = 5.0, 0.3  # seconds for which, and between which, a claim without owner is read again


@dataclass(slots=True, eq=False)
class RunningAttempt:
    """An attempt that a worker runs, and its shares of nodes."""

    item: WorkItem
    shares: tuple[Placement, ...]
    node: str  # its nodes, joined by commas, as in records
    ordered: bool = False  # the leader has sent it TERM
    verdict: str = ""  # "timed out", or empty

    @property
    def home(self) -> str:
        """The node on which its script runs."""
        return self.shares[0].node


class Executor:
    """Schedules the attempts of an allocation on its nodes."""

    def __init__(
        self,
        job: str,
        claims: Claims,
        count: int,
        base: Mapping[str, str],
        records: RecordWriter,
        timers: Timers,
    ) -> None:
        self._job, self._claims, self._base, self._records, self._timers = job, claims, base, records, timers
        self.queue = Queue()
        self.slots = Slots(count)
        self.deadline: float | None = None  # the end of the allocation (monotonic clock); None: no limit
        self.running: dict[str, RunningAttempt] = {}
        self._gpus: dict[str, tuple[str, ...]] = {}
        self._held: set[str] = set()  # failed, perhaps because the allocation ends
        self._doubted: set[str] = set()  # claimed by another, with no owner in the claim yet
        self._outbox: dict[str, dict[str, list[Any]]] = {}
        self._stopping = False
        self._careful_until = 0.0

    @property
    def busy(self) -> bool:
        """Whether attempts run, or results or claims are still undecided or not recorded."""
        writing = not self._records.through and not self._records.stuck
        return bool(self.running or self._held or self._doubted or writing)

    def messages(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield and clear the pending messages to workers, as (node, message)."""
        outbox, self._outbox = self._outbox, {}
        yield from outbox.items()

    def _post(self, node: str, what: str, order: Any) -> None:
        self._outbox.setdefault(node, {}).setdefault(what, []).append(order)

    def _record(self, kind: str, attempt: str, node: str, **more: Any) -> None:
        self._records.add(kind, attempt=attempt, job=self._job, node=node, **more, at=round(time.time(), 3))

    # -- nodes

    def join(self, node: Node, gpus: tuple[str, ...]) -> None:
        """Add a node, or reopen it for a new worker; `gpus` are the ids of its GPUs."""
        self._gpus[node.name] = gpus
        if known := self.slots.nodes.get(node.name):
            known.open = True
        else:
            self.slots.add(node)

    def close(self, node: str) -> None:
        """Stop starting attempts on a node whose worker is lost."""
        self.slots.nodes[node].open = False
        self._outbox.pop(node, None)

    def lost(self, node: str) -> None:
        """Record the attempts of a node as lost: their processes have been killed."""
        for attempt, run in list(self.running.items()):
            if run.home == node:
                del self.running[attempt]
                self.slots.release(run.shares)
                self._record("lost", attempt, run.node, error=f"its worker on {node} was killed")

    def abandon(self, node: str) -> None:
        """Forget the attempts of a node, whose state is unknown; the driver handles them when the allocation ends.

        Their shares of other nodes stay occupied.
        """
        for attempt, run in list(self.running.items()):
            if run.home == node:
                del self.running[attempt]

    # -- starting

    def start_what_fits(self) -> None:
        """Start queued attempts: bigger requests first, smaller ones in the space that is left."""
        if self._stopping or self._records.stuck or self.slots.full or time.monotonic() < self._careful_until:
            return
        for ask in self.queue.shapes:
            while ask in self.queue and self._in_time(ask):
                shares = self.slots.place(ask)
                if shares:
                    self._start(self.queue.pop(ask), shares)
                elif why := self.slots.refusal(ask):
                    self._record("exit", self.queue.pop(ask).attempt, "", code=_REFUSED, error=why)
                else:
                    break

    def _in_time(self, ask: ResourceRequest) -> bool:
        if self.deadline is None:
            return True
        left = self.deadline - time.monotonic()
        return left > (ask.seconds + _MARGIN if ask.seconds else 0)

    def _start(self, item: WorkItem, shares: tuple[Placement, ...]) -> None:
        """Claim an attempt, and send it to the worker of its first node."""
        run = RunningAttempt(item, shares, ",".join(share.node for share in shares))
        if not self._claim(item, run.node):
            self.slots.release(shares)
            return
        self.running[item.attempt] = run
        self._record("start", item.attempt, run.node)
        nodes = [self.slots.nodes[share.node] for share in shares]
        environment = attempt_environment(self._base, item, shares, nodes, self._gpus[run.home])
        order: dict[str, Any] = {
            "attempt": item.attempt,
            "workspace": item.workspace,
            "script": item.script,
            "stem": item.stem,
            "cores": bits(shares[0].cores),
            "environment": environment,
        }
        self._post(run.home, "run", order)
        if item.ask.seconds:
            self._timers.at(time.monotonic() + item.ask.seconds, lambda: self._time_out(run))

    def _claim(self, item: WorkItem, node: str) -> bool:
        try:
            owner = self._claims.take(item.attempt, self._job)
        except OSError:
            self._record("exit", item.attempt, node, code=_UNCLAIMED, error="its claim cannot be written")
            return False
        if owner is None:
            return True
        self._doubted.add(item.attempt)
        self._judge(item.attempt, node, owner, time.monotonic() + _DOUBT)
        return False

    def _judge(self, attempt: str, node: str, owner: str, deadline: float) -> None:
        """Record a duplicate once the claim's owner is known; the owner may not have been written yet."""
        if attempt not in self._doubted:  # cancelled meanwhile
            return
        now = time.monotonic()
        if not owner and now < deadline:
            self._timers.at(now + _DOUBT_AGAIN, lambda: self._read_again(attempt, node, deadline))
            return
        self._doubted.discard(attempt)
        if owner != REVOKED:
            self._record("twin", attempt, node, owner=owner)

    def _read_again(self, attempt: str, node: str, deadline: float) -> None:
        self._judge(attempt, node, self._claims.owner(attempt), deadline)

    # -- ending

    def cancel(self, attempt: str) -> None:
        """End a running attempt, or remove a queued one."""
        if run := self.running.get(attempt):
            self._end(run)
        else:
            self.queue.cancel(attempt)
            self._doubted.discard(attempt)

    def _time_out(self, run: RunningAttempt) -> None:
        if self._runs(run) and not run.ordered:
            run.verdict = "timed out"
            self._end(run)

    def _end(self, run: RunningAttempt) -> None:
        """Send TERM now, and KILL if it has not ended after `_GRACE`."""
        if not run.ordered:
            run.ordered = True
            self._post(run.home, "signal", (run.item.attempt, signal.SIGTERM))
            self._timers.at(time.monotonic() + _GRACE, lambda: self._kill(run))

    def _kill(self, run: RunningAttempt) -> None:
        if self._runs(run):
            self._post(run.home, "signal", (run.item.attempt, signal.SIGKILL))

    def _runs(self, run: RunningAttempt) -> bool:
        return self.running.get(run.item.attempt) is run

    def ended(self, attempt: str, code: int, verdict: str, error: str) -> None:
        """Release the shares of an attempt and record its end; failures after `_HELD` seconds, unless the job ends."""
        run = self.running.pop(attempt, None)
        if run is None:
            return
        self.slots.release(run.shares)
        more = {"verdict": run.verdict or verdict, "error": error}

        def record() -> None:
            self._record("exit", attempt, run.node, code=code, **{key: text for key, text in more.items() if text})

        def record_held() -> None:
            if attempt in self._held:
                self._held.discard(attempt)
                record()

        if code == 0:
            record()
            if not run.ordered:
                self.queue.succeeded(attempt)
        elif self._stopping:
            pass  # killed with the allocation
        elif run.ordered or error:
            record()
        else:
            now = time.monotonic()
            self._held.add(attempt)
            self._timers.at(now + _HELD, record_held)
            if code > 128:
                self._careful_until = now + _CAREFUL
                self._timers.at(self._careful_until, lambda: None)

    def abort(self) -> None:
        """Kill all attempts at once, since they may soon run elsewhere."""
        self.stop()
        for run in self.running.values():
            self._kill(run)

    def stop(self) -> None:
        """Start nothing more, since Slurm ends the job; recent failures are not recorded, as it caused them."""
        self._stopping = True
        self._held.clear()
        self._doubted.clear()
