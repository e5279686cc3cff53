"""The lines of a headless driver: arrays, and what is submitted ahead."""

from __future__ import annotations

import sys

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.plan.study_plan import Plan
from mtui.tui.views.event_text import EventLines
from tests.plans import plan, step
from tests.unit.engine.script import ended, hold, intend, submitted, unbound

PAIR = plan(step("a"), step("b", "a"))
PARENT = (intend("p", (0, 1)), submitted("p", "10"))
BOUND = (*PARENT, intend("s", (1, 1), after="afterok:10"), submitted("s", "11"))


def event_lines(plan: Plan, *events: ev.Event, quiet: bool = False) -> list[str]:
    """The lines without their times and counts."""
    state, lines = StudyState(plan), list[str]()
    write = EventLines(quiet, lines.append)
    for event in events:
        state.apply(event)
        write(event, state)
    return [line[10:].rpartition("  [")[0] for line in lines]


def test_submission_ahead_is_reported_as_such() -> None:
    assert event_lines(PAIR, *BOUND) == ["a  submitted: job 10", "b  submitted ahead: job 11, bound to its parents"]


def test_submission_whose_parents_were_done_meanwhile_is_one_like_others() -> None:
    lines = event_lines(PAIR, *BOUND[:3], ended(0), BOUND[3])
    assert lines[-1] == "b  submitted: job 11"


def test_each_task_of_an_array_is_reported() -> None:
    rows = plan(step("a", uses="X"), rows={"X": [1, 2]})
    assert event_lines(rows, intend("p", (0, 1), (1, 1), tasks=(3, 8)), submitted("p", "10")) == [
        "a_X.1  submitted: job 10_3",
        "a_X.2  submitted: job 10_8",
    ]


def test_what_is_taken_out_of_slurm_is_reported_with_the_reason_unless_quiet() -> None:
    events = (*BOUND, hold(1), unbound((1, 1), cause="withdrawn from Slurm: held by command"))
    assert event_lines(PAIR, *events)[-1] == "b  withdrawn from Slurm: held by command"
    assert event_lines(PAIR, *events, quiet=True) == []


def test_what_goes_elsewhere_than_to_the_terminal_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    lines = event_lines(PAIR, *PARENT, ended(0))
    assert lines[-1].startswith("a  finished")
