"""Allocations as the random world has them, and the leaders in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Literal

import hypothesis.strategies as st
from hypothesis.stateful import initialize, precondition, rule

from mtui.core.engine.job_reports import ExitReport, JobReport, LostReport, StartReport
from mtui.core.engine.slurm_answers import SeenJob
from mtui.core.engine.status import Status
from mtui.core.plan.shared_allocations import PackingPlan, Pool
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.study_spec import PackingOptions
from tests.property.studies import plans
from tests.property.test_state_machine import StudyMachine
from tests.property.world import HOST
from tests.property.world_machine import ENDS

Key = tuple[int, int]  # instance, attempt


@dataclass
class Began:
    """What a leader says of itself."""

    seconds: float
    graph: bool


@dataclass
class Place:
    """An allocation as the world has it: its job, and the leader in it."""

    name: str
    job: str
    state: Literal["queued", "running", "over"] = "queued"
    verdict: Status = Status.FINISHED
    forgotten: bool = False
    ends: float = inf  # by its walltime, on the clock that does not jump
    given: dict[Key, frozenset[Key]] = field(default_factory=dict[Key, "frozenset[Key]"])  # with what each waits for
    running: set[Key] = field(default_factory=set[Key])
    gone: set[Key] = field(default_factory=set[Key])  # begun once, or dropped
    done: set[Key] = field(default_factory=set[Key])
    records: list[JobReport | Began | None] = field(
        default_factory=list["JobReport | Began | None"]
    )  # None: it is over


class PackedWorld(StudyMachine):
    """The random world with allocations, which come, lose what they have, and go."""

    settings: PackingOptions
    places: dict[str, Place]
    late: list[str]  # requests that Slurm may still take
    asks: dict[str, Pool]  # calls under way

    @initialize(plan=plans(), everything=st.booleans(), allocations=st.integers(1, 3))
    def begin(self, plan: Plan, everything: bool, allocations: int) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        names = [step.name for step in plan.steps if step.scheduled]
        self.settings = PackingOptions(
            steps=() if everything else tuple(names[::2]) or ("none",), allocations=allocations
        )
        self.places = {}
        self.late = []
        super().begin(plan)

    def pack(self) -> PackingPlan:
        return PackingPlan(self.plan, self.settings)

    def live(self) -> list[Place]:
        return [place for place in self.places.values() if place.state == "running"]

    def make_place(self, name: str) -> Place:
        self.world.arrays += 1
        place = self.places[name] = Place(name, str(self.world.arrays + 100))
        return place

    @precondition(lambda self: bool([name for name in self.asks if name not in self.places]))
    @rule(data=st.data())
    def slurm_takes_the_request_before_it_answers(self, data: st.DataObject) -> None:
        self.make_place(data.draw(st.sampled_from(sorted(name for name in self.asks if name not in self.places))))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def slurm_takes_the_request_late(self, data: st.DataObject) -> None:
        self.make_place(self.late.pop(data.draw(st.integers(0, len(self.late) - 1))))

    @precondition(lambda self: bool([place for place in self.places.values() if place.state == "queued"]))
    @rule(data=st.data(), seconds=st.sampled_from([0.0, 40.0, 3600.0]), graph=st.sampled_from([True, True, False]))
    def allocation_begins(self, data: st.DataObject, seconds: float, graph: bool) -> None:
        queued = sorted(place.name for place in self.places.values() if place.state == "queued")
        self.begin_place(self.places[data.draw(st.sampled_from(queued))], seconds, graph)

    def begin_place(self, place: Place, seconds: float = 0.0, graph: bool = True) -> None:
        place.state = "running"
        place.ends = self.now + seconds if seconds else inf
        place.records.append(Began(seconds, graph))

    def startable(self) -> list[tuple[Place, Key]]:
        return [
            (place, key)
            for place in self.live()
            for key, waits in sorted(place.given.items())
            if key not in place.gone and waits <= place.done
        ]

    @precondition(lambda self: self.startable())
    @rule(data=st.data())
    def leader_starts(self, data: st.DataObject) -> None:
        self.start_run(*data.draw(st.sampled_from(self.startable())))

    def start_run(self, place: Place, key: Key) -> None:
        place.gone.add(key)
        owner = self.world.claims.setdefault(key, place.job)
        if owner != place.job:
            return
        self.check_parents_of(*key)
        self.world.runs[key] += 1
        place.running.add(key)
        place.records.append(StartReport(*key, place.job, HOST))

    @precondition(lambda self: any(place.running for place in self.live()))
    @rule(data=st.data())
    def worker_could_not_start_one_and_starts_it_again(self, data: st.DataObject) -> None:
        """After an I/O error: its leader has the claim already, and records a second start."""
        place, key = data.draw(st.sampled_from(self.runs()))
        place.records.append(StartReport(*key, place.job, HOST))

    @precondition(lambda self: any(place.running for place in self.live()))
    @rule(data=st.data(), code=st.sampled_from([0, 0, 3]), verdict=st.sampled_from(["", "", "timed out"]))
    def leader_reports_an_end(self, data: st.DataObject, code: int, verdict: str) -> None:
        place, key = data.draw(st.sampled_from(self.runs()))
        self.end_run(place, key, code or (143 if verdict else 0), verdict)

    def runs(self) -> list[tuple[Place, Key]]:
        return [(place, key) for place in self.live() for key in sorted(place.running)]

    def end_run(self, place: Place, key: Key, code: int, verdict: str = "") -> None:
        place.running.discard(key)
        if code == 0:
            self.world.succeeded.add(key)
            place.done.add(key)
        place.records.append(ExitReport(*key, place.job, HOST, code=code, verdict=verdict))

    @precondition(lambda self: any(place.running for place in self.live()))
    @rule(data=st.data())
    def worker_is_lost(self, data: st.DataObject) -> None:
        place, key = data.draw(st.sampled_from(self.runs()))
        place.running.discard(key)
        place.records.append(LostReport(*key, place.job, HOST, cause="its worker was killed"))

    @precondition(lambda self: bool([place for place in self.places.values() if place.state != "over"]))
    @rule(data=st.data(), verdict=st.sampled_from([*ENDS, Status.FINISHED]), word=st.booleans())
    def allocation_ends(self, data: st.DataObject, verdict: Status, word: bool) -> None:
        alive = sorted(place.name for place in self.places.values() if place.state != "over")
        self.end_place(self.places[data.draw(st.sampled_from(alive))], verdict, word=word)

    def end_place(self, place: Place, verdict: Status, *, word: bool = False) -> None:
        place.state, place.verdict = "over", verdict
        place.running.clear()
        if word:
            place.records.append(None)

    @precondition(lambda self: bool([place for place in self.places.values() if place.state == "over"]))
    @rule(data=st.data())
    def slurm_forgets_an_allocation(self, data: st.DataObject) -> None:
        over = sorted(place.name for place in self.places.values() if place.state == "over")
        self.places[data.draw(st.sampled_from(over))].forgotten = True

    @rule(seconds=st.sampled_from([1.0, 60.0]), look=st.booleans())
    def pass_more_time(self, seconds: float, look: bool) -> None:
        self.clock += seconds
        self.pass_time(seconds, look)

    def snapshot(self) -> dict[str, SeenJob]:
        shown = super().snapshot()
        for place in self.places.values():
            if not place.forgotten:
                over = place.state == "over"
                alive = Status.RUNNING if place.state == "running" else Status.PENDING
                shown[place.job] = SeenJob(place.verdict if over else alive, over)
        return shown
