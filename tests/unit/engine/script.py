"""Short ways to write what happens to a study, and to compare all that a state knows."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import count
from typing import Any

from mtui.core.engine import events as ev
from mtui.core.engine.attempt import Attempt
from mtui.core.engine.causes import text_cause
from mtui.core.engine.durable_state import DurableState
from mtui.core.engine.graph import Tally
from mtui.core.engine.job_observer import JobObserver
from mtui.core.engine.job_reports import DuplicateReport, ExitReport, JobReport, LostReport, StartReport
from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan

_clock = count(1)
# The classes of reports, by the word that a record has for them.
REPORTS: dict[str, type[JobReport]] = {
    "start": StartReport,
    "exit": ExitReport,
    "twin": DuplicateReport,
    "lost": LostReport,
}


def at() -> float:
    """A time later than every one before."""
    return float(next(_clock))


def ahead(state: StudyState) -> list[list[int]]:
    """What could be submitted ahead, of each step."""
    return [list(queue) for queue in state.ahead]


def intend(
    name: str, *members: tuple[int, int], backend: str = "slurm", tasks: tuple[int, ...] = (), after: str = ""
) -> ev.SubmitIntended:
    return ev.SubmitIntended(at=at(), submission=name, backend=backend, members=members, tasks=tasks, after=after)


def submitted(name: str, job: str = "", node: str = "") -> ev.Submitted:
    return ev.Submitted(at=at(), submission=name, job=job or f"job of {name}", node=node)


def deferred(name: str) -> ev.SubmitDeferred:
    return ev.SubmitDeferred(at=at(), submission=name, message="too many")


def unclear(name: str) -> ev.SubmitUnclear:
    return ev.SubmitUnclear(at=at(), submission=name, message="timed out")


def missed(name: str) -> ev.SubmitMissed:
    return ev.SubmitMissed(at=at(), submission=name)


def refused(name: str) -> ev.SubmitRefused:
    return ev.SubmitRefused(at=at(), submission=name, message="invalid")


def started(index: int, attempt: int = 1, job: str = "7", node: str = "n1") -> ev.Started:
    return ev.Started(at=at(), instance=index, attempt=attempt, job=job, node=node)


def exited(index: int, attempt: int = 1, code: int = 3, error: str = "") -> ev.Exited:
    return ev.Exited(at=at(), instance=index, attempt=attempt, code=code, node="n1", error=error)


def observed(index: int, status: Status, attempt: int = 1, reason: str = "") -> ev.Observed:
    return ev.Observed(at=at(), instance=index, attempt=attempt, status=status, reason=reason)


def ended(index: int, status: Status = Status.FINISHED, attempt: int = 1) -> ev.Ended:
    code = 0 if status is Status.FINISHED else 1
    cause = text_cause("why") if code else None
    return ev.Ended(at=at(), instance=index, attempt=attempt, status=status, exit_code=code, cause=cause, node="n1")


def cancel(index: int) -> ev.CancelRequested:
    return ev.CancelRequested(at=at(), instance=index)


def hold(index: int) -> ev.Held:
    return ev.Held(at=at(), instance=index)


def release(index: int) -> ev.Released:
    return ev.Released(at=at(), instance=index)


def retry(index: int) -> ev.Retried:
    return ev.Retried(at=at(), instance=index)


def unbound(*members: tuple[int, int], cause: str = "a parent failed") -> ev.Unbound:
    return ev.Unbound(at=at(), members=members, cause=text_cause(cause))


def state_of(plan: Plan, *events: ev.Event) -> StudyState:
    state = StudyState(plan)
    apply(state, *events)
    return state


def apply(state: StudyState, *events: ev.Event) -> None:
    for event in events:
        state.apply(event)


def run(state: StudyState, index: int, end: Status = Status.FINISHED) -> None:
    """Run a ready instance to its end."""
    number = state.next_attempt(index)
    name = f"{index}.{number}"
    apply(state, intend(name, (index, number)), submitted(name), started(index, number), ended(index, end, number))


def ready(state: StudyState) -> list[list[int]]:
    """What is ready of each step, in its order."""
    return [list(queue) for queue in state.ready]


def words(state: StudyState) -> str:
    """The statuses of all instances in plan order."""
    return ", ".join(status.value for status in state.status)


def everything(state: StudyState) -> dict[str, Any]:
    """All durable and all derived fields of a state, as values that stay as they are; the order of queues counts."""
    index = state._index  # pyright: ignore[reportPrivateUsage]
    found: dict[str, Any] = {field.name: getattr(state, field.name) for field in fields(DurableState)}
    for number, tally in enumerate(index.unbindable):
        found[f"unbindable {number}"] = copy.deepcopy(_counts(tally))
    for name, value in {**found, **vars(index)}.items():
        if isinstance(value, Tally):
            value = _counts(value)
        if isinstance(value, dict) and not isinstance(value, Counter):
            value = list(value.items())
        if name not in ("_plan", "graph", "_missed_rows", "unbindable"):
            found[name] = copy.deepcopy(value)
    return found


def _counts(tally: Tally) -> tuple[list[int], list[int]]:
    return tally.above, tally._within  # pyright: ignore[reportPrivateUsage]


def attempt(state: StudyState, index: int) -> Attempt:
    last = state.last_attempt(index)
    assert last is not None
    return last


class Watched:
    """A state and its observer, tied together as a driver does it. `now` is the monotonic clock of the test."""

    def __init__(self, plan: Plan, *events: ev.Event) -> None:
        self.state = StudyState(plan)
        self.claimed = True  # whether a claim is taken of which no record tells
        self.observer = JobObserver(self.state, lambda *_: self.claimed)
        self.reported: list[ev.Event] = []
        self.now = 100.0
        self.take(events)

    def take(self, events: Iterable[ev.Event]) -> list[ev.Event]:
        """Take events in; the same events."""
        taken = list(events)
        for event in taken:
            self.state.apply(event)
            self.reported.append(event)
            match event:
                case ev.Started() | ev.Reopened():
                    self.observer.note_heard(event.instance, self.now)
                case ev.Observed():
                    self.observer.note_observed(event.instance)
                case ev.CancelSent():
                    self.observer.note_cancel_sent(event.instances, self.now)
                case ev.Ended():
                    self.observer.forget([event.instance])
                case ev.SubmitIntended():
                    self.observer.forget(index for index, _ in event.members)
                case _:
                    pass
        return taken

    def report(self, kind: str, index: int = 0, attempt: int = 1, job: str = "7", **more: Any) -> list[ev.Event]:
        known = {field.name for field in fields(REPORTS[kind])}
        more = {"node": "n1", **{name: value for name, value in more.items() if name in known}}
        report = REPORTS[kind](index, attempt, job, more.pop("node"), **more)
        return self.take(self.observer.apply_report(report, at(), self.now))

    def look(
        self,
        jobs: Mapping[str, SeenJob] | None = None,
        names: Mapping[str, str] | None = None,
        *,
        asked: float | None = None,
        accounting: Accounting = Accounting.ANSWERED,
    ) -> list[ev.Event]:
        """A poll of Slurm that showed these jobs by id, and the jobs of these submissions."""
        begun = self.now if asked is None else asked
        seen, found = (jobs or {}), (names or {})
        events = self.observer.apply_poll(
            lambda own: seen.get(own.job), lambda name: found.get(name, ""), begun, at(), self.now, accounting
        )
        return [*self.take(events), *self.end_presumed()]

    def look_for(
        self,
        seconds: float,
        jobs: Mapping[str, SeenJob] | None = None,
        *,
        accounting: Accounting = Accounting.ANSWERED,
    ) -> list[ev.Event]:
        """Three polls over that time that show the same; the events of the last."""
        for _ in range(2):
            self.look(jobs, accounting=accounting)
            self.pass_time(seconds / 2)
        return self.look(jobs, accounting=accounting)

    def tick(self) -> list[ev.Event]:
        return [*self.take(self.observer.tick(at(), self.now)), *self.end_presumed()]

    def end_presumed(self) -> list[ev.Event]:
        """End what is presumed over, as a driver does that finds the claims free."""
        return self.take(self.observer.take_presumed_ends())

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
