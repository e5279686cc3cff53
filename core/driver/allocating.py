"""Shares allocations among instances: asks Slurm for them, gives them their instances, reads what came of these.

What to do is decided in study/packing.py; this part carries it out, with an intent in the journal before each step.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from ..backends.base import Accepted, Answer, Deferred, Refused, Unclear
from ..pack.lines import END_TEXT, Item, cancel_text, gift_text
from ..pack.script import allocation_script
from ..plan.changes import UNCHANGED
from ..plan.packing import Pool, Share
from ..store.allocation_files import Began, Records, SaysOver, append, has_gift
from ..store.layout import prepare
from ..store.spool import Unreadable
from ..study import events as ev
from ..study.allocation import Allocation
from ..study.allocation_watch import AllocationWatch, Over
from ..study.observer import Report, Seen
from ..study.packing import Gift, Packer
from ..study.status import Status
from .drive import Drive
from .effects import Effect
from .ending import Ending
from .faults import point
from .unbinding import is_void, take_claim

_GUESS_CORES = 64  # of a node, before any has been seen
_EVERY = 1.0  # seconds between two looks at what could be taken back, let go or added
_AHEAD_EVERY = 0.2  # seconds between two tries to give ahead what could not be given
_DEFER_WAIT = 30.0  # seconds until Slurm is asked again for an allocation that it put off


class Allocating:
    """The part of a driver that packs. Everything here runs on the driver's thread, but for what acts."""

    def __init__(self, drive: Drive, ending: Ending) -> None:
        self._drive = drive
        self._ending = ending
        self.watch = AllocationWatch(drive.state)
        self._records: dict[str, Records] = {}
        self._early: list[Report] = []  # of attempts that the journal does not know yet
        self._givers = ThreadPoolExecutor(1, "mtui-pack")  # one: the lines of a list stay in order
        self._askers = ThreadPoolExecutor(1, "mtui-allocation")
        self._due = 0.0
        self._ahead_due = 0.0
        self._asking_closed_until = 0.0

    @property
    def is_used(self) -> bool:
        """Whether there is anything to share, or an allocation left."""
        return bool(self._drive.packing.steps or self._drive.state.allocations.by_name)

    def due(self) -> float | None:
        """When to look again at what nothing else calls for."""
        state = self._drive.state
        if not self.is_used or not (state.allocations.open() or any(state.ready[step] for step in self._steps)):
            return None
        ahead = [self._ahead_due] if any(state.ahead[step] for step in self._steps) else []
        return max(time.monotonic() + 0.01, min([self._due, *ahead]))

    @property
    def _steps(self) -> frozenset[int]:
        return self._drive.packing.steps

    def turn(self, *, start: bool) -> None:
        """Take in the records; with `start` also give and ask."""
        if not self.is_used:
            return
        self.read()
        self._cancel()
        if not start:
            return
        now = time.monotonic()
        packer = Packer(self._drive.state, self._drive.packing, time.time())
        self._give(packer, now)
        if any(self._drive.state.ready[step] for step in self._steps) or now >= self._due:
            self._ask(packer, now)
        if now >= self._due:
            self._due = now + _EVERY
            self._take_back(packer)
            self._let_go(packer.let_go())

    def stop(self) -> None:
        self._givers.shutdown(wait=True)
        self._askers.shutdown(wait=True)

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
        for allocation in drive.state.allocations.open():
            records = self._records.get(allocation.name)
            if records is None:
                records = self._records[allocation.name] = Records(self._path(allocation.name, "records"))
            for word in records.read():
                self._take(allocation, word)

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
                    drive.emit(ev.AllocationEnding(at=time.time(), allocation=allocation.name, cause=word.why))
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
        self._end_within(drive.observer.take_strays_within())

    def _end_within(self, strays: dict[str, list[str]]) -> None:
        for name, attempts in strays.items():
            self._write(name, cancel_text(attempts))

    # --- giving

    def _give(self, packer: Packer, now: float) -> None:
        gifts = packer.gifts(self._drive.limits.throttle, ahead=now >= self._ahead_due)
        if now >= self._ahead_due:
            self._ahead_due = now + _AHEAD_EVERY
        self._drive.effects.perform([self._gift(gift) for gift in gifts])

    def _gift(self, gift: Gift) -> Effect[Answer]:
        drive, state = self._drive, self._drive.state
        submission = drive.new_submission()
        members = tuple((index, state.next_attempt(index)) for index in gift.members)
        changes = {index: state.changes.get(index, UNCHANGED) for index in gift.members}
        barriers: dict[str, list[str]] = {}
        items = [self._item(submission, index, number, barriers) for index, number in members]
        job = state.allocations.by_name[gift.allocation].job
        intent = ev.SubmitIntended(
            at=time.time(), submission=submission, backend="pack", members=members, allocation=gift.allocation
        )

        def act() -> Answer:
            for index, number in members:
                prepare(drive.directory, drive.plan, drive.plan.instances[index], number, changes[index])
            point("give.prepared")
            try:
                append(self._path(gift.allocation, "list"), gift_text(submission, items, barriers))
            except OSError as error:
                return Deferred(f"{error.filename or 'the list of the allocation'}: {error.strerror}")
            return Accepted(job)

        return Effect("give", [intent], act, partial(self._given, submission), self._givers)

    def _item(self, submission: str, index: int, number: int, barriers: dict[str, list[str]]) -> Item:
        """One attempt as the leader needs it, with what it waits for there."""
        plan, state = self._drive.plan, self._drive.state
        instance = plan.instances[index]
        share = self._drive.packing.of(index, state.changes.get(index, UNCHANGED))
        assert isinstance(share, Share)
        waits = [self._attempt(parent) for parent in instance.parents if self._is_unfinished(parent)]
        for funnel in plan.steps[instance.step].funnels:
            barrier = f"{submission}.{funnel}"
            if barrier not in barriers:
                barriers[barrier] = [
                    self._attempt(parent) for parent in plan.steps[funnel].instances if self._is_unfinished(parent)
                ]
            waits += [f"={barrier}"] if barriers[barrier] else []
        script = plan.script_name(instance)
        return Item(f"{index}.{number}", share.ask, instance.workspace, script, instance.stem, tuple(waits))

    def _is_unfinished(self, index: int) -> bool:
        return self._drive.state.status[index] is not Status.FINISHED

    def _attempt(self, index: int) -> str:
        return f"{index}.{self._drive.state.attempts[index][-1].number}"

    def _given(self, submission: str, answer: Answer) -> None:
        drive, at = self._drive, time.time()
        match answer:
            case Accepted():
                drive.emit(ev.Submitted(at=at, submission=submission, job=answer.job))
                self._ahead_due = 0.0
            case Deferred() | Unclear() | Refused():
                drive.emit(ev.SubmitDeferred(at=at, submission=submission, message=answer.message))

    # --- asking

    def _ask(self, packer: Packer, now: float) -> None:
        drive = self._drive
        if (
            drive.study.settings.inside
            or drive.slurm is None
            or now < self._asking_closed_until
            or drive.state.slurm_silent_since
        ):
            return
        cores = drive.packing.pack.cores or _GUESS_CORES
        drive.effects.perform([self._request(pool) for pool in packer.wanted(cores)])
        for pool in {share.pool for _, share in packer.ready()}:
            if name := packer.in_vain(pool):
                where = self._path(name, "out").relative_to(drive.directory.root)
                self._refuse(packer, pool, f"several allocations ended before they could begin: see {where}")

    def _request(self, pool: Pool) -> Effect[Answer]:
        drive, packing = self._drive, self._drive.packing
        name = drive.new_submission()
        home = drive.directory.home
        out = str(self._path(name, "out").relative_to(drive.directory.root))
        options = [*packing.request(pool), f"--output={out}"]
        text = allocation_script(
            name,
            str(home),
            sys.executable,
            packing.pack.idle,
            packing.cores(pool),
            drive.plan.batch.shell.split(),
            options,
        )
        intent = ev.AllocationIntended(
            at=time.time(),
            allocation=name,
            pool=pool.options,
            gpus=pool.gpus,
            nodes=packing.pack.nodes,
            seconds=packing.seconds,
        )

        def act() -> Answer:
            assert drive.slurm is not None
            script = self._path(name, "sh")
            try:
                script.write_text(text, encoding="utf-8", errors="surrogateescape")
                return drive.slurm.ask(drive.allocation_name(name), script)
            except OSError as error:
                return Deferred(f"{error.filename or script}: {error.strerror}")
            except Exception as error:  # a bug of ours must not leave the request without an answer
                return Unclear(f"{type(error).__name__}: {error}")

        return Effect("allocate", [intent], act, partial(self._asked, name, pool), self._askers)

    def _asked(self, name: str, pool: Pool, answer: Answer) -> None:
        drive, at, now = self._drive, time.time(), time.monotonic()
        if drive.state.allocations.by_name[name].is_over:
            return  # its leader has come and gone before sbatch answered
        match answer:
            case Accepted():
                drive.emit(ev.AllocationQueued(at=at, allocation=name, job=answer.job))
                self.watch.touch(name, now)
            case Deferred():
                self._asking_closed_until = now + _DEFER_WAIT
                self._no_allocation(name, Status.CANCELLED, answer.message)
            case Unclear():
                observed = ev.AllocationObserved(at=at, allocation=name, status=Status.UNCLEAR, reason=answer.message)
                drive.emit(observed)
                self.watch.doubt(name, now)
            case Refused():
                self._no_allocation(name, Status.FAILED, answer.message)
                self._refuse(Packer(drive.state, drive.packing, at), pool, answer.message)

    def _no_allocation(self, name: str, status: Status, message: str) -> None:
        self._drive.emit(ev.AllocationOver(at=time.time(), allocation=name, status=status, cause=message))

    def _refuse(self, packer: Packer, pool: Pool, message: str) -> None:
        """What waits for allocations that there will not be has failed."""
        drive = self._drive
        if stuck := packer.stuck(pool):
            submission = drive.new_submission()
            members = tuple((index, drive.state.next_attempt(index)) for index in stuck)
            at = time.time()
            drive.emit(ev.SubmitIntended(at=at, submission=submission, backend="pack", members=members))
            drive.emit(ev.SubmitRefused(at=at, submission=submission, message=message))

    # --- taking back

    def _take_back(self, packer: Packer) -> None:
        for back in packer.take_back():
            self._take_from(list(back.members), back.cause)

    def _take_from(self, members: list[int], cause: str) -> None:
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
                        cause="by command",
                    )
                    drive.emit(ended)
                    continue
            by_leader.setdefault(attempt.allocation, []).append(index)
        for name, members in by_leader.items():
            if self._write(name, cancel_text(map(self._attempt, members))):
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
            append(self._path(name, "list"), text)
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
            self._end(over, at)

    def end(self, allocation: Allocation, status: Status, cause: str) -> None:
        """An allocation is over, as is known otherwise than from Slurm."""
        self._end(Over(allocation, status, cause), time.time())

    def _end(self, over: Over, at: float) -> None:
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
            self._drive.emit(ev.Returned(at=at, members=taken, cause="taken back"))

    def _take_over_gift(self, submission: str, name: str, at: float) -> None:
        allocation = self._drive.state.allocations.by_name[name]
        self._drive.emit(
            ev.Submitted(at=at, submission=submission, job=allocation.job)
            if has_gift(self._path(name, "list"), submission)
            else ev.SubmitDeferred(at=at, submission=submission, message="the driver ended before it was given")
        )

    def _path(self, name: str, ending: str) -> Path:
        return self._drive.directory.allocations / f"{name}.{ending}"
