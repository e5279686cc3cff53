"""Shares allocations among instances: asks Slurm for them, gives them their instances, reads what came of these.

What to do is decided in study/packing.py; this part carries it out, with an intent in the journal before each step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from contextlib import suppress

from ..pack.lines import ABORT_TEXT, END_TEXT, cancel_text
from ..store.allocation_files import Began, Records, SaysOver, append, has_gift
from ..store.spool import Unreadable
from ..study import events as ev
from ..study.allocation import Allocation
from ..study.allocation_watch import AllocationWatch, Over
from ..study.causes import BY_COMMAND, Cause, CauseCode, text_cause
from ..study.job_reports import Report, StartReport
from ..study.packing import Packer
from ..study.slurm_answers import Seen
from ..study.status import Status
from .asking import Asking
from .drive import Drive
from .ending import Ending
from .faults import point
from .giving import Giving, attempt_name
from .unbinding import is_void, take_claim

_FENCE = 2.0  # seconds for a leader that was cut off to kill what it runs
_EVERY = 1.0  # seconds between two looks at what could be taken back, let go or added


class Allocating:
    """The part of a driver that packs. Everything here runs on the driver's thread, but for what acts."""

    def __init__(self, drive: Drive, ending: Ending) -> None:
        self._drive = drive
        self._ending = ending
        self.watch = AllocationWatch(drive.state)
        self._records: dict[str, Records] = {}
        self._early: list[Report] = []  # of attempts that the journal does not know yet
        self._giving = Giving(drive)
        self._asking = Asking(drive, self.watch)
        self._due = 0.0
        self._is_due = False  # in this turn
        self._fenced: dict[str, tuple[Over, float]] = {}  # over for Slurm: until when their leaders have time to end

    @property
    def is_used(self) -> bool:
        """Whether there is anything to share, or an allocation left."""
        return bool(self._drive.packing.steps or self._drive.state.allocations.by_name)

    def due(self) -> float | None:
        """When to look again at what nothing else calls for."""
        state = self._drive.state
        if not self.is_used or not (state.allocations.open() or any(state.ready[step] for step in self._steps)):
            return None
        times = [self._due, *(due for _, due in self._fenced.values())]
        ahead = self._giving.due()
        if ahead is not None and ahead > time.monotonic():  # else it was tried just now, or nothing is given any more
            times.append(ahead)
        return min(times)

    @property
    def _steps(self) -> frozenset[int]:
        return self._drive.packing.steps

    def turn(self) -> None:
        """Take in the records, and end what somebody wants to be ended."""
        now = time.monotonic()
        self._is_due = now >= self._due
        if self._is_due:
            self._due = now + _EVERY
        if self.is_used:
            self.read()
            self._end_fenced()
            self._cancel()

    def start(self) -> None:
        """Give, ask, take back and let go, as is best now."""
        state = self._drive.state
        if not self.is_used:
            return
        packer = Packer(state, self._drive.packing, time.time())
        self._giving.turn(packer)
        if self._is_due or any(state.ready[step] for step in self._steps):
            self._asking.turn(packer)
        if self._is_due:
            self._take_back(packer)
            self._let_go(packer.let_go())

    def stop(self) -> None:
        self._giving.stop()
        self._asking.stop()

    def finish(self) -> None:
        """The study is over: no allocation has anything to do any more."""
        self._let_go([own for own in self._drive.state.allocations.open() if not own.ending])

    # --- records

    def read(self) -> None:
        """Take in what the leaders have written."""
        drive = self._drive
        for report in [early for early in self._early if not drive.observer.is_early(early)]:
            self._early.remove(report)
            self._report(report)
        over: set[str] = set()  # attempts whose end stands behind their start: after a change of driver most of them
        for allocation in drive.state.allocations.open():
            records = self._records.get(allocation.name)
            if records is None:
                records = self._records[allocation.name] = Records(
                    self._drive.directory.allocation_file(allocation.name, "records")
                )
            for word in records.read():
                self._take(allocation, word)
                if isinstance(word, Report) and not isinstance(word, StartReport):
                    over.add(f"{word.instance}.{word.attempt}")
        self._end_within(over)

    def _take(self, allocation: Allocation, word: Began | SaysOver | Report | Unreadable) -> None:
        drive = self._drive
        self.watch.touch(allocation.name, time.monotonic())
        match word:
            case Began():
                if not allocation.began_at:
                    self._began(allocation, word)
            case SaysOver():
                self.watch.says_over(allocation.name)
                if not allocation.ending:
                    why = text_cause(word.why)
                    drive.emit(ev.AllocationEnding(at=time.time(), allocation=allocation.name, cause=why))
            case Report():
                self._report(word)
            case Unreadable():
                message = f"a record of allocation {allocation.name} cannot be read"
                drive.emit(ev.Anomaly(at=time.time(), message=message))

    def _began(self, allocation: Allocation, word: Began) -> None:
        self._drive.emit(
            ev.AllocationBegan(
                at=time.time(),
                allocation=allocation.name,
                job=word.job,
                hosts=word.hosts,
                cores=word.cores,
                # told at `at`: a driver that reads it later has less
                seconds=max(1.0, word.seconds - (time.time() - (word.at or time.time()))) if word.seconds else 0.0,
                graph=word.graph,
            )
        )
        self._due = 0.0

    def _report(self, report: Report) -> None:
        drive = self._drive
        if drive.observer.is_early(report):
            self._early.append(report)
            return
        drive.emit_all(drive.observer.report(report, time.time(), time.monotonic()))
        self._ending.end_strays(drive.observer.take_strays())

    def _end_within(self, over: Container[str]) -> None:
        """Tell leaders to end what must not run, but for what is over by now."""
        for name, attempts in self._drive.observer.take_strays_within().items():
            if running := [attempt for attempt in attempts if attempt not in over]:
                self._write(name, cancel_text(running))

    # --- taking back

    def _take_back(self, packer: Packer) -> None:
        for back in packer.take_back():
            self._take_from(list(back.members), back.cause)

    def _take_from(self, members: list[int], cause: Cause) -> None:
        """Take what has not begun: its claim is the driver's from then on."""
        drive, state = self._drive, self._drive.state
        taken: list[tuple[int, int]] = []
        with suppress(OSError):  # no room: what was taken is seen as taken with the next try
            for index in members:
                number = state.attempts[index][-1].number
                waits = index in state.live_packed and state.status[index] in (Status.BOUND, Status.PENDING)
                if waits and take_claim(drive.directory.claims / f"{index}.{number}"):
                    taken.append((index, number))
        if taken:
            point("return.claimed")
            drive.emit(ev.Returned(at=time.time(), members=tuple(taken), cause=cause))
            point("return.journalled")

    # --- ending

    def _cancel(self) -> None:
        """End what somebody wants to be ended: what has not begun at once, the rest by its leader."""
        drive, state = self._drive, self._drive.state
        by_leader: dict[str, list[int]] = {}
        for index in [index for index in state.to_cancel if index in state.live_packed]:
            attempt, status = state.attempts[index][-1], state.status[index]
            if status in (Status.SUBMITTING, Status.UNCLEAR):
                continue  # soon it is known whether the allocation has it
            waits = status in (Status.BOUND, Status.PENDING)
            with suppress(OSError):
                if waits and take_claim(drive.directory.claims / f"{index}.{attempt.number}"):
                    ended = ev.Ended(
                        at=time.time(),
                        instance=index,
                        attempt=attempt.number,
                        status=Status.CANCELLED,
                        cause=BY_COMMAND,
                    )
                    drive.emit(ended)
                    continue
            by_leader.setdefault(attempt.allocation, []).append(index)
        for name, members in by_leader.items():
            if self._write(name, cancel_text(attempt_name(state, index) for index in members)):
                drive.emit(ev.CancelSent(at=time.time(), instances=tuple(members)))

    def _let_go(self, allocations: list[Allocation]) -> None:
        for allocation in allocations:
            if not self._write(allocation.name, END_TEXT):
                continue
            self._drive.emit(ev.AllocationEnding(at=time.time(), allocation=allocation.name))
            if allocation.job and not allocation.began_at:
                self._ending.end_strays([allocation.job])

    def _write(self, name: str, text: str) -> bool:
        try:
            append(self._drive.directory.allocation_file(name, "list"), text)
        except OSError:
            return False
        return True

    # --- Slurm

    def looked(self, seen: Callable[[str], Seen | None], find: Callable[[str], str], asked: float, at: float) -> None:
        """What a look at Slurm that was begun at `asked` says of allocations."""
        self.read()  # what leaders said before this look counts before it
        events, overs = self.watch.look(seen, find, asked, at, time.monotonic())
        self._drive.emit_all(events)
        for over in overs:
            self._judge(over, at)

    def end(self, allocation: Allocation, status: Status, cause: Cause) -> None:
        """An allocation is over, as is known otherwise than from Slurm."""
        self._judge(Over(allocation, status, cause), time.time())

    def _judge(self, over: Over, at: float) -> None:
        """Take back what an allocation had, once nothing of it runs any more.

        Where Slurm has lost a node, its leader may still be there, and work: it is told to kill everything, and gets
        the time for that.
        """
        name = over.allocation.name
        if name in self._fenced:
            return
        if over.status is Status.FINISHED or not over.allocation.began_at:
            self._end(over, at)
        elif self._write(name, ABORT_TEXT):
            self._fenced[name] = (over, time.monotonic() + _FENCE)
            if not over.allocation.ending:
                self._drive.emit(ev.AllocationEnding(at=at, allocation=name, cause=over.cause))

    def _end_fenced(self) -> None:
        for name, (over, due) in list(self._fenced.items()):
            if time.monotonic() >= due:
                del self._fenced[name]
                self._end(over, time.time())

    def _end(self, over: Over, at: float) -> None:
        self.read()
        state, name = self._drive.state, over.allocation.name
        waiting = [index for index in over.allocation.members if state.status[index] in (Status.BOUND, Status.PENDING)]
        self._take_from(sorted(waiting, reverse=True), over.cause)
        self._drive.emit_all(self.watch.end(over, at))
        self._records.pop(name, None)
        self._due = 0.0

    # --- taking over

    def take_over(self) -> None:
        """Take up what an earlier driver left under way."""
        drive, at, now = self._drive, time.time(), time.monotonic()
        for allocation in drive.state.allocations.open():
            if allocation.status is Status.SUBMITTING:
                message = "the driver ended before the answer came"
                observed = ev.AllocationObserved(
                    at=at, allocation=allocation.name, status=Status.UNCLEAR, reason=message
                )
                drive.emit(observed)
            if allocation.status is Status.UNCLEAR:
                self.watch.doubt(allocation.name, now)
        for submission, members in list(drive.state.submissions.items()):
            last = drive.state.attempts[members[0][0]][-1]
            if last.submission == submission and last.allocation:
                self._take_over_gift(submission, last.allocation, at)
        self._take_over_claims(at)
        self.read()

    def _take_over_claims(self, at: float) -> None:
        """What a driver took back and had no time to tell of: its leader will never begin it."""
        state, claims = self._drive.state, self._drive.directory.claims
        waiting = [index for index in state.live_packed if state.status[index] in (Status.BOUND, Status.PENDING)]
        numbered = [(index, state.attempts[index][-1].number) for index in sorted(waiting, reverse=True)]
        if taken := tuple((index, number) for index, number in numbered if is_void(claims / f"{index}.{number}")):
            self._drive.emit(ev.Returned(at=at, members=taken, cause=Cause(CauseCode.REVOKED)))

    def _take_over_gift(self, submission: str, name: str, at: float) -> None:
        allocation = self._drive.state.allocations.by_name[name]
        self._drive.emit(
            ev.Submitted(at=at, submission=submission, job=allocation.job)
            if has_gift(self._drive.directory.allocation_file(name, "list"), submission)
            else ev.SubmitDeferred(at=at, submission=submission, message="the driver ended before it was given")
        )
