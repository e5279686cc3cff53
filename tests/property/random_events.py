"""Random sequences of events, most of them possible: a study without a world, in which anything follows anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from mtui.core.engine import events as ev
from mtui.core.engine.causes import Cause, CauseCode, exit_cause, text_cause
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.status import IN_SLURM, LIVE, UNSUCCESSFUL, Status
from mtui.core.plan.extend import extend_plan
from mtui.core.plan.study_plan import Plan
from tests.plans import plan, step

_STEPS = (step("a", uses="X"), step("b", "a", uses="X"), step("sum", "b_*"), step("here", local=True, after=["a_*"]))
PLANS = (
    plan(step("a"), step("b", "a"), step("c", "b"), step("here", local=True)),
    plan(*_STEPS, rows={"X": [1, 2, 3]}),
    extend_plan(plan(*_STEPS, rows={"X": [1]}), plan(*_STEPS, rows={"X": [1, 2]}).parameters),
)


def random_events(seed: int, count: int) -> tuple[Plan, list[ev.Event]]:
    """A plan, and as many events; the same for the same seed."""
    chance = Random(seed)
    plan = chance.choice(PLANS)
    state, events = StudyState(plan), list[ev.Event]()
    for number in range(1, count + 1):
        make = chance.choice(_MAKERS)
        if event := make(chance, state, number):
            events.append(event)
            with suppress(Impossible):
                state.apply(event)
    return plan, events


def _pick(chance: Random, wanted: Sequence[int], state: StudyState) -> int:
    """One of those that are wanted; now and then any."""
    return chance.choice(wanted) if wanted and chance.random() < 0.9 else chance.randrange(len(state.status))


def _member(chance: Random, state: StudyState, wanted: Sequence[int]) -> tuple[int, int]:
    """An instance with the number of its last attempt."""
    index = _pick(chance, wanted, state)
    last = state.last_attempt(index)
    return index, last.number if last else 1


def _of(state: StudyState, *statuses: Status) -> list[int]:
    return [index for index, status in enumerate(state.status) if status in statuses]


def _submission(chance: Random, state: StudyState, at: int) -> ev.Event:
    if state.submissions and chance.random() < 0.6:
        name = chance.choice(list(state.submissions))
        match chance.randrange(8):
            case 0:
                return ev.SubmitDeferred(at=at, submission=name, message="too many")
            case 1:
                return ev.SubmitUnclear(at=at, submission=name, message="no answer")
            case 2:
                return ev.SubmitMissed(at=at, submission=name)
            case 3:
                return ev.SubmitRefused(at=at, submission=name, message="invalid")
            case _:
                return ev.Submitted(at=at, submission=name, job=f"{at}", node=chance.choice(["", "n1"]))
    queues = [queue for queue in (*state.ready, *state.ahead, *state.ahead) if queue]
    chosen = list(chance.choice(queues)) if queues else [_pick(chance, (), state)]
    indices = chosen if chance.random() < 0.3 else [chance.choice(chosen)]
    scheduled = state.plan.step_of(state.plan.instances[indices[0]]).scheduled
    takers = [allocation.name for allocation in state.allocations.open() if allocation.takes]
    allocation = chance.choice(takers) if takers and scheduled and chance.random() < 0.6 else ""
    return ev.SubmitIntended(
        at=at,
        submission=f"s{at}",
        backend="local" if not scheduled else "pack" if allocation else "slurm",
        members=tuple((index, state.next_attempt(index)) for index in indices),
        after="afterok:1" if state.waits_for(indices[0]) and not allocation else "",
        allocation=allocation,
    )


def _job(chance: Random, state: StudyState, at: int) -> ev.Event:
    index, number = _member(chance, state, _of(state, *LIVE))
    match chance.randrange(5):
        case 0:
            return ev.Started(at=at, instance=index, attempt=number, job=chance.choice(["1", "2"]), node="n1")
        case 1:
            return ev.Exited(at=at, instance=index, attempt=number, code=chance.choice([1, 127]), error="it broke")
        case 2:
            status = chance.choice(sorted(IN_SLURM, key=lambda each: each.value))
            return ev.Observed(at=at, instance=index, attempt=number, status=status, reason=chance.choice(["", "why"]))
        case 3:
            status = chance.choice(sorted(UNSUCCESSFUL, key=lambda each: each.value))
            return ev.Ended(
                at=at, instance=index, attempt=number, status=status, exit_code=3, cause=exit_cause(3, "n1")
            )
        case _:
            return ev.Ended(at=at, instance=index, attempt=number, status=Status.FINISHED, exit_code=0)


def _withdrawal(chance: Random, state: StudyState, at: int) -> ev.Event:
    if chance.random() < 0.5:
        wanted = list(state.to_unbind) if chance.random() < 0.5 else _of(state, Status.BOUND)
        return ev.Unbound(at=at, members=(_member(chance, state, wanted),), cause=Cause(CauseCode.PARENT_FAILED))
    return ev.Returned(
        at=at, members=(_member(chance, state, list(state.live_packed)),), cause=text_cause("it ended before")
    )


def _allocation(chance: Random, state: StudyState, at: int) -> ev.Event:
    opened = [allocation.name for allocation in state.allocations.open()]
    if not opened or chance.random() < 0.2:
        return ev.AllocationIntended(at=at, allocation=f"a{at}", pool=("--qos=debug",), gpus=1, nodes=2, seconds=60)
    name = chance.choice(opened)
    match chance.randrange(7):
        case 6:
            return ev.AllocationTimeLeft(at=at, allocation=name, seconds=40.0)
        case 0:
            return ev.AllocationObserved(at=at, allocation=name, status=Status.PENDING, reason="Priority")
        case 1:
            return ev.AllocationBegan(at=at, allocation=name, job=f"{at}", hosts=("n1", "n2"), cores=4, seconds=50.0)
        case 2:
            return ev.AllocationEnding(at=at, allocation=name)
        case 3:
            return ev.AllocationOver(at=at, allocation=name, status=Status.FINISHED)
        case _:
            return ev.AllocationQueued(at=at, allocation=name, job=f"{at}")


def _command(chance: Random, state: StudyState, at: int) -> ev.Event:
    index = _pick(chance, (), state)
    match chance.randrange(7):
        case 0:
            return ev.Held(at=at, instance=index)
        case 1:
            return ev.Released(at=at, instance=_pick(chance, sorted(state.held), state))
        case 2 | 3:
            again = _pick(chance, _of(state, *UNSUCCESSFUL, Status.FINISHED), state)
            changes = chance.choice([(), (("nodes", "2"),), (("nodes", ""),)])
            return ev.Retried(at=at, instance=again, changes=changes, why=chance.choice(["", "TIMEOUT: retry 1"]))
        case 4:
            marked = chance.choice([Status.FINISHED, Status.SKIPPED])
            return ev.Marked(at=at, instance=index, status=marked, cause=Cause(CauseCode.MARKED_FINISHED, "it is done"))
        case 5:
            return ev.CancelRequested(at=at, instance=index)
        case _:
            return ev.CancelSent(at=at, instances=(index,))


def _study(chance: Random, state: StudyState, at: int) -> ev.Event:
    return chance.choice(
        [
            ev.DriverStarted(at=at, epoch=at, host="n1", pid=at, version="1"),
            ev.DriverStopped(at=at, reason="signal TERM"),
            ev.SlurmSilent(at=at, message="no route"),
            ev.SlurmAnswers(at=at),
            ev.IoErrorBegan(at=at, what="write status.csv", path="/s/status.csv", message="no space", code="ENOSPC"),
            ev.IoErrorEnded(at=at, what="write status.csv"),
            ev.StudyEnded(at=at, result="failed"),
            ev.PlanExtended(at=at, size=len(state.plan.instances)),
            ev.HookRun(at=at, hook=chance.choice(["on_failure", "on_end"])),
            ev.CommandTaken(at=at, command=f"c{at}", verb="hold", targets=("a", "b_*")),
            ev.CommandDone(at=at, command=f"c{at - 1}", outcome="done", message="1 held"),
            ev.SettingsChanged(at=at, throttle=chance.choice([None, 0, 3]), local_jobs=2),
            ev.SettingsChanged(at=at, rlimit=chance.choice([0, 2]), poll=7),
            ev.Anomaly(at=at, message="odd"),
        ]
    )


_Maker = Callable[[Random, StudyState, int], ev.Event]
_MAKERS: tuple[_Maker, ...] = (
    *(_submission,) * 6,
    *(_job,) * 5,
    *(_withdrawal,) * 2,
    *(_allocation,) * 2,
    *(_command,) * 2,
    _study,
)
