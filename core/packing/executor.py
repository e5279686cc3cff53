"""The scheduler of a leader: claims and starts queued attempts that fit, and records how they ended."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..claims import REVOKED, Claims
from .job_environment import attempt_environment
from .protocol import NOT_BEGUN, ResourceRequest, WorkItem
from .queue import Queue
from .record_files import RecordWriter
from .slots import Node, Placement, Slots, bits
from .timers import Timers

_REFUSED = 78  # exit code of an attempt that can never run here, from sysexits.h

_MARGIN = 5.0  # seconds between an attempt's walltime and the end of the allocation
_GRACE = 10.0  # seconds between TERM and KILL
_CAREFUL = 0.3  # seconds without a start after an attempt was killed: the allocation may be about to end
_HELD = 1.0  # seconds after which a failure is not caused by the end of the allocation
_DOUBT, _DOUBT_AGAIN = 5.0, 0.3  # seconds for which, and between which, a claim without owner is read again
_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds until the next try after an I/O error: doubled each time, up to a limit


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
        self._aside: dict[str, WorkItem] = {}  # could not be claimed or started because of an I/O error: tried again
        self._pauses: dict[str, float] = {}  # the last pause of each of these, in seconds
        self._claimed: set[str] = set()  # of these, those with a claim
        self._claims_pause = 0.0  # seconds; 0: the last claim could be written
        self._outbox: dict[str, dict[str, list[Any]]] = {}
        self._stopping = False
        self._paused_until = 0.0

    @property
    def busy(self) -> bool:
        """Whether attempts run, or results or claims are still undecided or not recorded."""
        writing = not self._records.through and not self._records.stuck
        return bool(self.running or self._held or self._doubted or self._claimed or writing)

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
        if self._stopping or self._records.stuck or self.slots.full:
            return
        self.slots.keep_reserved(lambda ask: ask in self.queue and self._in_time(ask))
        for ask in self.queue.shapes:
            while ask in self.queue and self._in_time(ask) and time.monotonic() >= self._paused_until:
                shares = self.slots.place(ask)
                if shares:
                    self._start(self.queue.pop(ask), shares)
                elif why := self.slots.refusal(ask):
                    self._record("exit", self.queue.pop(ask).attempt, "", code=_REFUSED, error=why)
                else:
                    break

    def _pause_until(self, then: float) -> None:
        self._paused_until = max(self._paused_until, then)
        self._timers.at(then, lambda: None)

    def _in_time(self, ask: ResourceRequest) -> bool:
        if self.deadline is None:
            return True
        return time.monotonic() < self._latest_start(ask, self.deadline)

    @staticmethod
    def _latest_start(ask: ResourceRequest, deadline: float) -> float:
        return deadline - (ask.seconds + _MARGIN if ask.seconds else 0)

    def _start(self, item: WorkItem, shares: tuple[Placement, ...]) -> None:
        """Claim an attempt, and send it to the worker of its first node."""
        run = RunningAttempt(item, shares, ",".join(share.node for share in shares))
        if item.attempt not in self._claimed and not self._claim(item, run.node):
            self.slots.release(shares)
            return
        self._claimed.discard(item.attempt)
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
        except OSError as error:
            self._note_unwritten(error)
            self._put_aside(item)
            return False
        if self._claims_pause:
            self._claims_pause = 0.0
            _say("claims can be written again")
        if owner is None:
            self._pauses.pop(item.attempt, None)
            return True
        self._doubted.add(item.attempt)
        self._judge(item.attempt, node, owner, time.monotonic() + _DOUBT)
        return False

    def _note_unwritten(self, error: OSError) -> None:
        """Pause all claims: most likely none can be written now (a full disk, a file server that is gone)."""
        if not self._claims_pause:
            _say(f"a claim cannot be written: {error}; instances wait until it can")
        self._claims_pause = min(max(_PAUSE, 2 * self._claims_pause), _LONGEST_PAUSE)
        self._pause_until(time.monotonic() + self._claims_pause)

    def _put_aside(self, item: WorkItem) -> None:
        """Try an attempt again later, with increasing pauses: an I/O error is not its failure."""
        last = max(_PAUSE, self._pauses.get(item.attempt, 0.0), self._claims_pause)
        pause = self._pauses[item.attempt] = min(2 * last, 2 * _LONGEST_PAUSE)  # after others have been tried
        self._aside[item.attempt] = item

        def put_back() -> None:
            if self._aside.pop(item.attempt, None):  # unless it was cancelled
                self.queue.put_back(item)

        self._timers.at(time.monotonic() + pause, put_back)

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

    def _give_back(self, item: WorkItem) -> None:
        """Return an attempt that was claimed but could not be started, and does not fit into the rest any more."""
        if item.attempt in self._claimed:
            self._claimed.discard(item.attempt)
            self._aside.pop(item.attempt, None)
            self.queue.cancel(item.attempt)
            self._record("lost", item.attempt, "", error="it could not be started, and too little time is left")

    # -- ending

    def cancel(self, attempt: str) -> None:
        """End a running attempt, or remove a queued one."""
        if run := self.running.get(attempt):
            self._end(run)
        else:
            self.queue.cancel(attempt)
            self._doubted.discard(attempt)
            self._aside.pop(attempt, None)
            if attempt in self._claimed:  # it has begun for the driver
                self._claimed.discard(attempt)
                self._record("exit", attempt, "", code=128 + signal.SIGTERM)

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
        if verdict == NOT_BEGUN and not run.ordered:
            if not self._stopping:
                self._claimed.add(attempt)
                self._put_aside(run.item)
                self._pause_until(time.monotonic() + _PAUSE)  # others may fail there as well
                if self.deadline is not None:
                    self._timers.at(self._latest_start(run.item.ask, self.deadline), lambda: self._give_back(run.item))
            return
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
                self._pause_until(now + _CAREFUL)

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


def _say(words: str) -> None:
    """Print to the allocation's log, if that can be written."""
    with suppress(OSError):
        print(f"mtui: {time.strftime('%H:%M:%S')}: {words}", file=sys.stderr)
