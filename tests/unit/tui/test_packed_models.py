"""What the app works out of allocations: cores in use, bars of what was returned, estimates, filters."""

from __future__ import annotations

import time

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan
from mtui.tui.views import timeline as tl
from mtui.tui.views.allocation_text import Occupancy, Use, allocation_status_text, clock, left, not_begun, open_words
from mtui.tui.views.estimate import Estimator
from mtui.tui.views.filters import parse_filter
from mtui.tui.views.instance_commands import InstanceCommand, command_for
from tests.plans import plan, step
from tests.unit.engine.script import apply, state_of
from tests.unit.planning import HEAD, SLURM, plan_of
from tests.unit.tui.packed import asked, began, ending, ends, given, over, queued, returned, runs, shown, taken

SWEEP = plan(step("a", uses="X"), step("b", "a"), rows={"X": range(4)})
ALL = tuple((index, 1) for index in range(4))
GIVEN = (asked(), queued(), began(), given("g", *ALL), taken("g"))


def asks(text: str) -> Plan:
    """Two instances that request this."""
    rows = "global.parameters: {X: {values: [1, 2], label: X.%%}}\n"
    return plan_of(f"{HEAD}{SLURM}{rows}study: [{{name: a, description: d, run: {{cmd: c $(X), {text}}}}}]\n")


# --- cores


@pytest.mark.parametrize(
    ("text", "each"),
    [
        ("procs: 1", 1),
        ("procs: 3", 3),
        ("procs: 2, cores per task: 4", 8),
        ("procs: $(X), walltime: '99:00:00'", 1.5),  # more than any allocation here has: it runs anyway
        ("procs: 1, nodes: 1, exclusive: true", 16),
    ],
)
def test_the_cores_of_what_runs(text: str, each: float) -> None:
    state = state_of(asks(text), asked(nodes=2), queued(), began(cores=32), given("g", (0, 1), (1, 1)), taken("g"))
    occupancy = Occupancy(state.plan)
    assert occupancy.look(state) == {"1-1": Use(0, 2, 0)}
    apply(state, runs(0), runs(1))
    assert occupancy.look(state) == {"1-1": Use(2, 0, int(2 * each))}
    apply(state, ends(0), ends(1))
    assert occupancy.look(state) == {"1-1": Use(0, 0, 0)}


def test_more_cannot_be_busy_than_there_is() -> None:
    state = state_of(asks("procs: 6"), asked(), queued(), began(cores=8), given("g", (0, 1), (1, 1)), taken("g"))
    apply(state, runs(0), runs(1))
    assert Occupancy(state.plan).look(state)["1-1"].busy == 8


def test_what_is_over_and_what_a_study_that_is_over_left_is_not_in_use() -> None:
    state = state_of(SWEEP, asked(), queued(), began())
    assert Occupancy(SWEEP).look(state)
    apply(state, ev.StudyEnded(at=9.0, result="finished"))
    assert Occupancy(SWEEP).look(state) == {}
    assert Occupancy(SWEEP).look(state_of(SWEEP, asked(), queued(), over())) == {}


def test_a_model_of_a_hundred_thousand_instances_is_built_quickly() -> None:
    wide = plan(step("a", uses="X"), rows={"X": range(100_000)})
    members = tuple((index, 1) for index in range(100_000))
    state = state_of(wide, asked(), queued(), began(), given("g", *members), taken("g"))
    apply(state, *(runs(index) for index in range(500)))
    occupancy = Occupancy(wide)
    begun = time.perf_counter()
    assert occupancy.look(state) == {"1-1": Use(500, 99_500, 8)}
    assert time.perf_counter() - begun < 1.0


# --- words


def test_status_of_an_allocation() -> None:
    state = state_of(SWEEP, asked(seconds=7200))
    own = state.allocations.by_name["1-1"]
    assert (allocation_status_text(own), not_begun(own), left(own, 0.0)) == (
        "submitting",
        "is being requested",
        "2:00:00",
    )
    apply(state, queued())
    assert (allocation_status_text(own), not_begun(own)) == ("pending", "waits in Slurm's queue")
    apply(state, shown(status=Status.RUNNING, reason=""))
    assert (allocation_status_text(own), not_begun(own)) == ("starting", "is starting")
    apply(state, began(at=100.0))
    assert (allocation_status_text(own), not_begun(own), left(own, 160.0)) == ("running", "", "0:57:20")
    apply(state, ending())
    assert allocation_status_text(own) == "ending"
    apply(state, over(status=Status.TIMED_OUT))
    assert allocation_status_text(own) == "timed out"


def test_open_ones_in_a_line() -> None:
    state = StudyState(SWEEP)
    occupancy = Occupancy(SWEEP)

    def said() -> str:
        return open_words(state, occupancy.look(state))

    assert said() == ""
    apply(state, asked(), queued())
    assert said() == "1 allocation, queued"
    apply(state, began(), given("g", *ALL), taken("g"), runs(0))
    assert said() == "1 allocation, 1/8 cores busy"
    apply(state, asked("1-2"))
    assert said() == "2 allocations, 1/8 cores busy, 1 queued"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00"), (-3, "0:00:00"), (3900, "1:05:00"), (36_000, "10:00:00"), (90_000, "1-01:00:00")],
)
def test_spans_are_written_as_slurm_does(seconds: int, text: str) -> None:
    assert clock(seconds) == text


# --- timeline, estimate, filter, orders


def bar(state: StudyState, index: int, now: float) -> str:
    axis = tl.Axis(0.0, 40.0, 40, ())
    pieces = tl.bar(axis, state.attempts[index], state.status[index], now, plain=True)
    return "".join(text for text, _ in pieces).rstrip()


def test_what_was_returned_has_not_failed() -> None:
    state = state_of(SWEEP, *GIVEN, runs(0, at=10.0), returned(*ALL[::-1]), over())
    assert bar(state, 0, 30.0) == "      ....##########-"
    assert bar(state, 1, 30.0) == "      ..............q"  # it had not begun
    apply(state, asked("1-2", at=22.0), queued("1-2", "402", at=23.0), began("1-2", "402", at=24.0))
    apply(state, given("h", (0, 2), name="1-2", at=25.0), taken("h", "402", at=26.0))
    apply(state, runs(0, 2, "402", at=28.0), ends(0, 2, at=32.0))
    assert bar(state, 0, 35.0) == "      ....##########-     ..####="


def test_the_timeline_continues_while_packed_ones_are_under_way() -> None:
    state = state_of(SWEEP, *GIVEN, runs(0))
    assert tl.extent(state, tl.order(state), 50.0) == (6.0, 50.0)


def test_what_was_returned_does_not_count_as_running() -> None:
    state, estimator = StudyState(SWEEP), Estimator(SWEEP)
    for event in (*GIVEN, *(runs(index) for index in range(4))):
        state.apply(event)
        estimator.note(event, state)
    again = Estimator(SWEEP)
    again.resume_from(state)
    assert estimator._running == again._running == 4  # pyright: ignore[reportPrivateUsage]
    event = returned(*ALL[::-1])
    state.apply(event)
    estimator.note(event, state)
    assert estimator._running == 0  # pyright: ignore[reportPrivateUsage]


def test_instances_by_their_allocation() -> None:
    state = state_of(SWEEP, *GIVEN)
    for text in ("alloc:401", "alloc:40*", "alloc:1-1", "alloc:401,9"):
        assert parse_filter(text, SWEEP).matching(state) == [0, 1, 2, 3]
    assert parse_filter("alloc:40", SWEEP).matching(state) == []
    assert parse_filter("!alloc:401", SWEEP).matching(state) == [4, 5, 6, 7]
    apply(state, returned((0, 1)), asked("1-2"), queued("1-2", "402"), given("h", (0, 2), name="1-2"))
    assert parse_filter("alloc:402", SWEEP).matching(state) == [0]
    assert parse_filter("alloc:401", SWEEP).matching(state) == [1, 2, 3]


def test_cancelling_distinguishes_jobs_from_packed_instances() -> None:
    state = state_of(SWEEP, *GIVEN)
    order = command_for(state, "cancel", range(2))
    assert isinstance(order, InstanceCommand)
    assert "2 instances will be cancelled in an allocation, which continues." in order.lines
    assert not any("job" in line for line in order.lines)
