"""The lines of a headless driver for allocations and what shares them."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.shared_allocations import ANY
from mtui.core.plan.study_plan import Plan
from mtui.tui.views.event_text import EventLines
from tests.plans import plan, step
from tests.unit.tui.packed import asked, began, ending, given, over, queued, returned, runs, shown, taken

ROWS = plan(step("a", uses="X"), rows={"X": range(3)})
THREE = tuple((index, 1) for index in range(3))


def event_lines(*events: ev.Event, plan: Plan = ROWS, quiet: bool = False) -> list[str]:
    """The lines without their times and counts."""
    state, lines = StudyState(plan), list[str]()
    write = EventLines(quiet, lines.append)
    for event in events:
        state.apply(event)
        write(event, state)
    return [line[10:].rpartition("  [")[0] for line in lines]


def test_an_allocation_is_reported_from_the_request_to_its_end() -> None:
    way = (
        asked(nodes=2, seconds=3900),
        queued(),
        shown(),
        began(hosts=("n1", "n2"), cores=256),
        ending(cause="idle"),
        over(status=Status.FINISHED, cause=""),
    )
    assert event_lines(*way) == [
        "allocation requested: 2 nodes for 1:05:00",
        "allocation in Slurm's queue as job 401",
        "allocation 401: pending (Priority)",
        "allocation 401 started on n1, n2 with 256 cores",
        "allocation 401 is ending: idle",
        "allocation 401 ended",
    ]


@pytest.mark.parametrize(
    ("cause", "line"),
    [
        ("", "allocation 401 is ending"),
        ("ended", "allocation 401 is ending"),
        ("signal", "allocation 401 is ending: cancelled in Slurm"),
        ("its workers were lost", "allocation 401 is ending: its workers were lost"),
    ],
)
def test_why_an_allocation_ends(cause: str, line: str) -> None:
    assert event_lines(asked(), queued(), began(), ending(cause=cause))[-1] == line


def test_of_many_nodes_the_first_are_named() -> None:
    hosts = tuple(f"n{number}" for number in range(1, 11))
    line = event_lines(asked(nodes=10), queued(), began(hosts=hosts, cores=1280))[-1]
    assert line == "allocation 401 started on n1, n2, n3, n4 and 6 more with 1,280 cores"


def test_an_existing_allocation_is_not_requested() -> None:
    here = ev.AllocationIntended(at=1.0, allocation="1-1", pool=ANY.options, gpus=0, nodes=1, seconds=3600)
    assert event_lines(here, queued()) == ["allocation 401, in which this driver runs, is used"]


def test_a_gift_and_what_is_returned_of_it_are_a_line_each() -> None:
    gift = (asked(), queued(), began(), given("g", *THREE), taken("g"))
    assert event_lines(*gift)[3:] == ["3 instances assigned to allocation 401"]
    assert event_lines(*gift, runs(1))[-1] == "a_X.1  running: in allocation 401 on n1"
    back = "returned: allocation 401 was cancelled outside of mtui"
    assert event_lines(*gift, returned(*THREE))[-1] == f"3 instances {back}"
    assert event_lines(*gift, returned((2, 1)))[-1] == f"a_X.2  {back}"


def test_a_failed_assignment_is_not_reported_as_a_limit_of_slurm() -> None:
    deferred = ev.SubmitDeferred(at=6.0, submission="g", message="the disk is full")
    line = event_lines(asked(), queued(), given("g", *THREE), deferred)[-1]
    assert line == "3 instances could not be assigned to allocation 401: the disk is full"


def test_quiet_shows_only_an_allocation_that_did_not_end_cleanly() -> None:
    way = (asked(), queued(), began(), given("g", *THREE), taken("g"), returned(*THREE))
    assert event_lines(*way, over(), quiet=True) == ["allocation ended: allocation 401 was cancelled outside of mtui"]
    assert event_lines(*way, over(status=Status.FINISHED, cause=""), quiet=True) == []
