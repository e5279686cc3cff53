"""The driver in small, with the part that shares allocations."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis.stateful import precondition, rule

from mtui.core.claims import REVOKED
from mtui.core.engine import events as ev
from mtui.core.engine.allocation import Allocation
from mtui.core.engine.allocation_observer import AllocationEnd, AllocationObserver
from mtui.core.engine.allocation_policy import AllocationPolicy, Assignment
from mtui.core.engine.causes import BY_COMMAND, Cause, CauseCode, text_cause
from mtui.core.engine.job_reports import JobReport
from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import OVER, Status
from tests.property.packed_world import Began, Key, PackedWorld, Place


class PackedDriver(PackedWorld):
    """The driver in small, with the part that shares allocations."""

    def drive(self, state: StudyState) -> None:
        self.watch = AllocationObserver(state)
        self.asks = {}
        self.gifts: dict[str, tuple[Assignment, dict[Key, frozenset[Key]]]] = {}  # that are being written
        self.read: dict[str, int] = {}
        self.early: list[JobReport] = []
        self.unanswered = {allocation.name for allocation in state.allocations.open() if allocation.began_at}
        super().drive(state)

    def packer(self) -> AllocationPolicy:
        return AllocationPolicy(self.state, self.packing, self.clock, self.time_left)

    def time_left(self, allocation: Allocation) -> float | None:
        """Return what the leader answered; None before."""
        place = self.places.get(allocation.name)
        return None if allocation.name in self.unanswered or place is None else place.ends - self.now

    def cancel_orphans(self, orphan_jobs: list[str]) -> None:
        jobs = {place.job: place for place in self.places.values()}
        for job in orphan_jobs:
            if job in jobs:
                allocation = self.state.allocations.by_name[jobs[job].name]
                assert allocation.is_over, "an allocation that is at work was taken for an orphan"
                self.end_place(jobs[job], Status.CANCELLED)
        super().cancel_orphans([job for job in orphan_jobs if job not in jobs])
        for name, attempts in self.observer.orphans.take_in_allocations().items():
            for attempt in attempts:
                index, _, number = attempt.partition(".")
                self.end_run(self.places[name], (int(index), int(number)), 143)

    # --- the driver

    @rule()
    def ask(self) -> None:
        wanted = self.packer().wanted(4)
        assert self.packer().wanted(4) == wanted, "asking changes something"
        for pool in wanted:
            self.submissions += 1
            name = f"{self.epoch}-{self.submissions}"
            self.emit(
                ev.AllocationIntended(
                    at=self.at(), allocation=name, pool=pool.options, gpus=pool.gpus, nodes=1, seconds=3600
                )
            )
            self.durable = len(self.lines)
            self.asks[name] = pool
        packer = self.packer()
        for pool in {share.pool for _, share in packer.ready()}:
            if packer.never_began(pool):
                self.submissions += 1
                name = f"{self.epoch}-{self.submissions}"
                members = tuple((index, self.state.next_attempt(index)) for index in packer.stuck(pool))
                self.emit(ev.SubmitIntended(at=self.at(), submission=name, backend="pack", members=members))
                self.emit(ev.SubmitRefused(at=self.at(), submission=name, message="none began"))
                self.used.update((key, "refused") for key in members)

    @precondition(lambda self: self.asks)
    @rule(
        data=st.data(),
        kind=st.sampled_from(["accepted", "accepted", "deferred", "unclear", "unclear, lost", "refused"]),
    )
    def slurm_answers_the_request(self, data: st.DataObject, kind: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.asks)))
        pool = self.asks.pop(name)
        if name in self.places and kind in ("deferred", "refused", "unclear, lost"):
            kind = "unclear"
        if kind in ("accepted", "unclear") and name not in self.places:
            self.make_place(name)
        match kind:
            case "accepted":
                self.queued(name)
            case "unclear" | "unclear, lost":
                self.emit(ev.AllocationObserved(at=self.at(), allocation=name, status=Status.UNCLEAR, reason=kind))
                self.watch.note_unclear(name, self.now)
                if name not in self.places:
                    self.late.append(name)
            case _:
                status = Status.CANCELLED if kind == "deferred" else Status.FAILED
                self.emit(ev.AllocationOver(at=self.at(), allocation=name, status=status, cause=text_cause(kind)))
                if kind == "refused" and (stuck := self.packer().stuck(pool)):
                    members = tuple((index, self.state.next_attempt(index)) for index in stuck)
                    self.submissions += 1
                    submission = f"{self.epoch}-{self.submissions}"
                    self.emit(ev.SubmitIntended(at=self.at(), submission=submission, backend="pack", members=members))
                    self.emit(ev.SubmitRefused(at=self.at(), submission=submission, message=kind))
                    self.used.update((key, "refused") for key in members)

    def queued(self, name: str) -> None:
        if self.state.allocations.by_name[name].is_over:
            return
        self.emit(ev.AllocationQueued(at=self.at(), allocation=name, job=self.places[name].job))
        self.watch.note_heard(name, self.now)

    @rule(throttle=st.integers(0, 3), ahead=st.booleans())
    def give(self, throttle: int, ahead: bool) -> None:
        packer = self.packer()
        gifts = packer.assignments(throttle, ahead=ahead)
        assert packer.assignments(throttle, ahead=ahead) == gifts, "asking changes something"
        for gift in gifts:
            members = tuple((index, self.state.next_attempt(index)) for index in gift.members)
            assert not self.used.keys() & set(members), "an attempt number is used for a second attempt"
            self.submissions += 1
            name = f"{self.epoch}-{self.submissions}"
            waits = {key: frozenset(map(self.key, self.open_parents(key[0]))) for key in members}
            self.emit(
                ev.SubmitIntended(
                    at=self.at(), submission=name, backend="pack", members=members, allocation=gift.allocation
                )
            )
            self.durable = len(self.lines)
            self.gifts[name] = (gift, waits)

    def open_parents(self, index: int) -> list[int]:
        return [parent for parent in self.parents[index] if self.state.status[parent] not in OVER]

    def key(self, index: int) -> Key:
        return index, self.state.attempts[index][-1].number

    @precondition(lambda self: self.gifts)
    @rule(data=st.data(), answer=st.sampled_from(["reported", "reported", "no room", "silent"]))
    def gift_is_written(self, data: st.DataObject, answer: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.gifts)))
        self.write_gift(name, answer)

    def write_gift(self, name: str, answer: str) -> None:
        """`silent`: it is in the list, and nobody has read that yet."""
        gift, waits = self.gifts[name]
        if answer == "no room":
            del self.gifts[name]
            self.emit(ev.SubmitDeferred(at=self.at(), submission=name, message=answer))
            return
        self.places[gift.allocation].given.update(waits)
        if answer == "reported":
            del self.gifts[name]
            self.emit(ev.Submitted(at=self.at(), submission=name, job=self.places[gift.allocation].job))

    def read_spool(self) -> None:
        super().read_spool()
        self.read_records()

    @rule()
    def read_records(self) -> None:
        for report in [early for early in self.early if not self.observer.is_early(early)]:
            self.early.remove(report)
            self.emit_all(self.observer.apply_report(report, self.at(), self.now))
        for allocation in self.state.allocations.open():
            place = self.places.get(allocation.name)
            for record in place.records[self.read.get(place.name, 0) :] if place else []:
                assert place
                self.read[place.name] = self.read.get(place.name, 0) + 1
                self.take_record(allocation, place, record)

    def take_record(self, allocation: Allocation, place: Place, record: JobReport | Began | None) -> None:
        self.watch.note_heard(place.name, self.now)
        match record:
            case Began(seconds, graph) if not allocation.began_at:
                began = ev.AllocationBegan(
                    at=self.at(), allocation=place.name, job=place.job, cores=4, seconds=seconds, graph=graph
                )
                self.emit(began)
            case Began():
                pass
            case None:
                self.watch.note_ending(place.name)
                if not allocation.ending:
                    self.emit(ev.AllocationEnding(at=self.at(), allocation=place.name))
            case JobReport():
                if self.observer.is_early(record):
                    self.early.append(record)
                else:
                    self.emit_all(self.observer.apply_report(record, self.at(), self.now))

    def looked(self, asked: float, shown: dict[str, SeenJob], accounting: Accounting = Accounting.ANSWERED) -> None:
        super().looked(asked, shown, accounting)
        self.read_records()
        events, overs = self.watch.apply_poll(
            lambda own: shown.get(own.job), self.find_place, asked, self.at(), accounting
        )
        self.emit_all(events)
        for over in overs:
            self.end_allocation(over)

    def find_place(self, name: str) -> str:
        place = self.places.get(name)
        return place.job if place and not place.forgotten else ""

    def end_allocation(self, over: AllocationEnd) -> None:
        waiting = [i for i in over.allocation.members if self.state.status[i] in (Status.BOUND, Status.PENDING)]
        self.take_from(sorted(waiting, reverse=True))
        self.emit_all(self.watch.end(over, self.at()))

    def take_from(self, members: list[int], cause: Cause | None = None) -> None:
        waiting = [index for index in members if self.state.status[index] in (Status.BOUND, Status.PENDING)]
        taken = tuple(self.key(index) for index in waiting if self.world.void(*self.key(index)))
        if taken:
            self.emit(ev.Returned(at=self.at(), members=taken, cause=cause or text_cause("a test")))

    @rule(hours=st.sampled_from([-48, -2, 2, 48]))
    def clock_of_the_driver_jumps(self, hours: int) -> None:
        """As with a driver on another host: it changes no decision."""
        before = self.decisions()
        self.clock += hours * 3600
        assert self.decisions() == before

    def decisions(self) -> object:
        packer = self.packer()
        return packer.wanted(4), packer.withdrawals(), packer.assignments(0, ahead=True)

    @precondition(lambda self: self.unanswered)
    @rule()
    def leaders_say_how_much_time_is_left(self) -> None:
        self.unanswered.clear()

    @rule(data=st.data())
    def take_back_what_can_be_revoked(self, data: st.DataObject) -> None:
        """Other claims cannot be written now."""
        for back in self.packer().withdrawals():
            self.take_from(sorted(data.draw(st.sets(st.sampled_from(back.members)))), back.cause)

    @rule()
    def take_back(self) -> None:
        for back in self.packer().withdrawals():
            self.take_from(list(back.members), back.cause)

    @precondition(lambda self: self.state.to_cancel.keys() & self.state.live_packed.keys())
    @rule()
    def cancel_within(self) -> None:
        for index in [index for index in self.state.to_cancel if index in self.state.live_packed]:
            status, key = self.state.status[index], self.key(index)
            if status in (Status.SUBMITTING, Status.UNCLEAR):
                continue
            if status in (Status.BOUND, Status.PENDING) and self.world.void(*key):
                ended = ev.Ended(
                    at=self.at(), instance=index, attempt=key[1], status=Status.CANCELLED, cause=BY_COMMAND
                )
                self.emit(ended)
                continue
            place = self.places[self.state.attempts[index][-1].allocation]
            if key in place.running:
                self.end_run(place, key, 143)
            self.emit(ev.CancelSent(at=self.at(), instances=(index,)))

    @rule()
    def release_study(self) -> None:
        for allocation in self.packer().releasable():
            self.emit(ev.AllocationEnding(at=self.at(), allocation=allocation.name))
            place = self.places.get(allocation.name)
            if place and place.state == "queued":
                self.end_place(place, Status.CANCELLED)

    def take_over(self) -> None:
        for allocation in self.state.allocations.open():
            if allocation.status is Status.SUBMITTING:
                self.emit(ev.AllocationObserved(at=self.at(), allocation=allocation.name, status=Status.UNCLEAR))
            if allocation.status is Status.UNCLEAR:
                self.watch.note_unclear(allocation.name, self.now)
                if allocation.name not in self.places and allocation.name not in self.late:
                    self.late.append(allocation.name)
        for name, members in list(self.state.submissions.items()):
            last = self.state.attempts[members[0][0]][-1]
            if last.submission == name and last.allocation:
                place = self.places[last.allocation]
                event: ev.Event = ev.SubmitDeferred(at=self.at(), submission=name, message="the driver ended")
                if set(members) <= place.given.keys():
                    event = ev.Submitted(at=self.at(), submission=name, job=place.job)
                self.emit(event)
        waiting = [i for i in self.state.live_packed if self.state.status[i] in (Status.BOUND, Status.PENDING)]
        keys = [self.key(index) for index in sorted(waiting, reverse=True)]
        if taken := tuple(key for key in keys if self.world.claims.get(key) == REVOKED):
            self.emit(ev.Returned(at=self.at(), members=taken, cause=Cause(CauseCode.REVOKED)))
        self.read_records()
        super().take_over()

    @rule(begin=st.booleans(), gifts=st.integers(0, 3))
    def get_going(self, begin: bool, gifts: int) -> None:
        """What else takes many rules in the one right order."""
        self.ask()
        for name in list(self.asks):
            del self.asks[name]
            if name not in self.places:
                self.make_place(name)
            self.queued(name)
        for place in self.places.values():
            if begin and place.state == "queued":
                self.begin_place(place)
        for _ in range(gifts):
            self.give(0, True)
            for name in list(self.gifts):
                self.write_gift(name, "reported")

    @precondition(lambda self: self.startable())
    @rule(data=st.data())
    def leader_starts_several(self, data: st.DataObject) -> None:
        for run in data.draw(st.lists(st.sampled_from(self.startable()), unique_by=lambda run: run[1])):
            self.start_run(*run)
