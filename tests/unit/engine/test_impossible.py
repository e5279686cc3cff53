"""Events that cannot follow from a state change nothing, and those that can are taken."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import Impossible, StudyState
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import (
    cancel,
    deferred,
    ended,
    everything,
    exited,
    hold,
    intend,
    missed,
    observed,
    refused,
    release,
    retry,
    started,
    state_of,
    submitted,
    unclear,
)
from tests.unit.engine.situations import PAIR

TWO = plan(step("a", uses="X"), rows={"X": [1, 2]})

SITUATIONS: dict[str, Callable[[], StudyState]] = {
    "new": lambda: StudyState(PAIR),
    "submitting": lambda: state_of(PAIR, intend("s", (0, 1))),
    "unclear": lambda: state_of(PAIR, intend("s", (0, 1)), unclear("s")),
    "put off": lambda: state_of(PAIR, intend("s", (0, 1)), deferred("s")),
    "missed": lambda: state_of(PAIR, intend("s", (0, 1)), unclear("s"), missed("s")),
    "pending": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s")),
    "early": lambda: state_of(PAIR, intend("s", (0, 1)), started(0)),
    "running": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), started(0)),
    "being cancelled": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), started(0), cancel(0)),
    "exited": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), started(0), exited(0)),
    "requeued": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), observed(0, Status.REQUEUED)),
    "finished": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), ended(0)),
    "failed": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), ended(0, Status.FAILED)),
    "refused": lambda: state_of(PAIR, intend("s", (0, 1)), refused("s")),
    "held": lambda: state_of(PAIR, hold(0), hold(1)),
    "cancelled": lambda: state_of(PAIR, cancel(0)),
    "retried": lambda: state_of(PAIR, intend("s", (0, 1)), submitted("s"), ended(0, Status.FAILED), retry(0)),
    "blocked and held": lambda: state_of(PAIR, intend("s", (0, 1)), refused("s"), hold(1)),
    "two": lambda: state_of(TWO, intend("s", (0, 1), (1, 1))),
    "two, one early": lambda: state_of(TWO, intend("s", (0, 1), (1, 1)), started(1)),
    "two, one over": lambda: state_of(TWO, intend("s", (0, 1), (1, 1)), unclear("s"), started(1), ended(1)),
}
EVENTS: dict[str, ev.Event] = {
    **{f"intend {i}.{n}": intend("t", (i, n)) for i in (0, 1, 2, -1) for n in (0, 1, 2, 3)},
    "intend the open one again": intend("s", (0, 1)),
    "intend two": intend("t", (0, 1), (1, 1)),
    "intend two, one of them not there": intend("t", (0, 1), (9, 1)),
    "intend one twice": intend("t", (0, 1), (0, 1)),
    **{
        f"{word.__name__} {name}": word(name)
        for name in "st"
        for word in (submitted, deferred, unclear, missed, refused)
    },
    **{f"started {i}.{n}": started(i, n) for i in (0, 1, 2, -1) for n in (0, 1, 2)},
    **{f"exited {i}.{n}": exited(i, n) for i in (0, 1, 2, -1) for n in (0, 1, 2)},
    **{f"ended {i}.{n} {s.value}": ended(i, s, n) for i in (0, 1, 2, -1) for n in (0, 1, 2) for s in Status},
    **{f"observed {i}.{n} {s.value}": observed(i, s, n) for i in (0, 1, 2, -1) for n in (0, 1, 2) for s in Status},
    **{f"{word.__name__} {i}": word(i) for i in (0, 1, 2, -1) for word in (cancel, hold, release, retry)},
}


def takes(state: StudyState, event: ev.Event) -> bool:
    """Whether an event is applied; if not, it says why."""
    try:
        state.apply(event)
    except Impossible as error:
        assert str(error)
        return False
    return True


@pytest.mark.parametrize("situation", SITUATIONS)
def test_impossible_event_changes_nothing(situation: str) -> None:
    taken = 0
    state = SITUATIONS[situation]()
    before = everything(state)
    for name, event in EVENTS.items():
        if takes(state, event):
            taken += 1
            state = SITUATIONS[situation]()
            before = everything(state)
        else:
            assert everything(state) == before, name
    assert 0 < taken < len(EVENTS)


TAKEN = {
    "new": ["intend 0.1", "cancel 0", "cancel 1", "hold 0", "hold 1"],
    "submitting": ["submitted s", "deferred s", "unclear s", "refused s", "started 0.1", "exited 0.1", "cancel 0"],
    "unclear": ["submitted s", "unclear s", "missed s", "refused s", "started 0.1", "exited 0.1", "cancel 0"],
    "pending": ["started 0.1", "exited 0.1", "cancel 0", "cancel 1", "hold 1"],
    "put off": ["intend 0.1", "started 0.1", "exited 0.1", "cancel 0", "hold 0"],
    "missed": ["intend 0.1", "intend the open one again", "started 0.1", "exited 0.1", "cancel 0", "hold 0"],
    "finished": ["intend 1.1", "cancel 1", "hold 1", "retry 0"],
    "failed": ["retry 0", "hold 1"],
    "refused": ["retry 0", "hold 1"],
    "cancelled": ["retry 0", "hold 1"],
    "held": ["release 0", "release 1", "cancel 0", "cancel 1"],
    "retried": ["intend 0.2", "cancel 0", "hold 0"],
    "blocked and held": ["retry 0", "release 1", "hold 1"],
    "two, one early": ["submitted s", "deferred s", "unclear s", "started 0.1", "started 1.1"],
    "two, one over": ["submitted s", "missed s", "started 0.1"],
}
REFUSED = {
    "submitting": ["missed s", "intend 0.1", "intend 0.2", "hold 0", "retry 0"],
    "pending": ["submitted s", "deferred s", "refused s", "missed s", "intend 0.1"],
    "finished": ["ended 0.1 finished", "ended 0.1 failed", "started 0.1", "cancel 0", "intend 0.1"],
    "failed": [
        "ended 0.1 failed",
        "ended 0.1 finished",
        "started 0.1",
        "intend 0.2",
        "cancel 0",
        "cancel 1",
        "retry 1",
    ],
    "refused": ["ended 0.1 failed", "submitted s"],
    "retried": ["started 0.1", "ended 0.1 failed", "intend 0.1", "observed 0.1 running"],
    "two": ["missed s", "intend 0.1"],
    "two, one early": ["missed s", "refused s"],
    "running": ["ended 0.1 running", "ended 0.1 blocked", "observed 0.1 failed", "observed 0.1 waiting"],
}


@pytest.mark.parametrize(("situation", "name"), [(key, name) for key, names in TAKEN.items() for name in names])
def test_possible_event_is_taken(situation: str, name: str) -> None:
    assert takes(SITUATIONS[situation](), EVENTS[name])


@pytest.mark.parametrize(("situation", "name"), [(key, name) for key, names in REFUSED.items() for name in names])
def test_impossible_event_is_refused(situation: str, name: str) -> None:
    assert not takes(SITUATIONS[situation](), EVENTS[name])


def in_allocation(*more: ev.Event) -> StudyState:
    """A new study with an allocation in Slurm's queue, after these events."""
    return state_of(
        PAIR,
        ev.AllocationIntended(at=1.0, allocation="1", pool=(), gpus=0, nodes=1, seconds=3600),
        ev.AllocationQueued(at=2.0, allocation="1", job="101"),
        *more,
    )


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("2", ()),
        ("1", (ev.AllocationEnding(at=3.0, allocation="1"),)),
        ("1", (ev.AllocationOver(at=3.0, allocation="1", status=Status.CANCELLED),)),
    ],
    ids=["unknown", "ending", "over"],
)
def test_instances_cannot_be_assigned_to_an_allocation_that_takes_none(name: str, more: tuple[ev.Event, ...]) -> None:
    state = in_allocation(*more)

    with pytest.raises(Impossible):
        state.apply(ev.SubmitIntended(at=4.0, submission="s", backend="pack", members=((0, 1),), allocation=name))


def test_instances_can_be_assigned_to_an_allocation_in_the_queue() -> None:
    state = in_allocation()

    state.apply(ev.SubmitIntended(at=4.0, submission="s", backend="pack", members=((0, 1),), allocation="1"))

    assert state.status[0] is Status.SUBMITTING
