"""What is marked by hand as done or skipped, what is run again although it is done, and parts of a study."""

from __future__ import annotations

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.commands import CommandRequest, apply_command
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.step_selection import StepSelection
from tests.plans import plan, step
from tests.unit.engine.script import apply, deferred, hold, intend, run, started, submitted

PLAN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"), rows={"X": [1, 2]})
A1, A2, B1, B2, ALL = range(5)


def order(state: StudyState, verb: str, *targets: str, **options: str) -> str:
    """Apply a command; its result."""
    events = apply_command(
        state, CommandRequest(f"{verb} {targets} {len(state.commands)}", verb, targets, tuple(options.items())), 1.0
    )
    apply(state, *events)
    last = events[-1]
    assert isinstance(last, ev.CommandDone)
    return f"{last.outcome}: {last.message}"


def status(state: StudyState) -> list[str]:
    return [item.value for item in state.status]


@pytest.mark.parametrize(("verb", "word"), [("done", "finished"), ("skip", "skipped")])
def test_dependents_of_a_marked_one_run(verb: str, word: str) -> None:
    state = StudyState(PLAN)
    run(state, A1, Status.FAILED)
    assert status(state) == ["failed", "ready", "blocked", "waiting", "blocked"]
    assert order(state, verb, "a_X.1", reason="it is known") == f"done: 1 marked as {word}"
    assert status(state) == [word, "ready", "ready", "waiting", "waiting"]
    assert cause_text(state.cause(A1)) == f"marked as {word} by hand: it is known"


def test_study_of_marked_ones_is_over_and_finished() -> None:
    state = StudyState(PLAN)
    assert order(state, "skip", "a", "b") == "done: 4 marked as skipped"
    assert order(state, "done", "all") == "done: 1 marked as finished"
    assert (state.is_over, state.outcome) == (True, "finished")


def test_what_is_under_way_has_to_be_cancelled_first() -> None:
    state = StudyState(PLAN)
    apply(state, intend("s", (A1, 1)), submitted("s"), started(A1))
    assert order(state, "done", "a_X.1") == "refused: 1 running (cancel it first)"


def test_what_is_done_is_not_marked() -> None:
    state = StudyState(PLAN)
    run(state, A1)
    assert order(state, "done", "a_X.1") == "refused: 1 finished"
    assert order(state, "skip", "a_X.1") == "refused: 1 finished"
    order(state, "skip", "a_X.2")
    assert order(state, "skip", "a_X.2") == "refused: 1 skipped"
    assert order(state, "done", "a_X.2") == "done: 1 marked as finished"


def test_submission_that_was_put_off_is_over_once_its_instance_is_marked() -> None:
    state = StudyState(PLAN)
    apply(state, intend("s", (A1, 1)), deferred("s"))
    order(state, "skip", "a_X.1")
    assert state.attempts[A1][0].ended_at
    order(state, "rerun", "a_X.1")
    assert state.next_attempt(A1) == 2


def test_held_one_can_be_marked_and_is_held_no_more() -> None:
    state = StudyState(PLAN)
    apply(state, hold(A1))
    order(state, "done", "a_X.1")
    assert (state.status[A1], state.held) == (Status.FINISHED, set())


# --- again


def finished() -> StudyState:
    state = StudyState(PLAN)
    for index in range(len(PLAN.instances)):
        run(state, index)
    apply(state, ev.StudyEnded(at=1.0, result="finished"))
    return state


def test_chosen_step_runs_again_with_all_that_follows() -> None:
    state = finished()
    assert order(state, "rerun", "b_X.1") == "done: 2 will run again"
    assert status(state) == ["finished", "finished", "ready", "finished", "waiting"]
    assert (state.result, state.is_over) == ("", False)
    run(state, B1)
    assert state.status[ALL] is Status.READY
    assert [attempt.number for attempt in state.attempts[B1]] == [1, 2]


def test_resources_are_changed_of_the_chosen_ones_only() -> None:
    state = finished()
    assert order(state, "rerun", "b_X.1", nodes="2") == "done: 1 will run again, 1 will run again with nodes=2"
    assert state.changes == {B1: {"nodes": "2"}}


def test_nothing_runs_again_while_what_follows_is_under_way() -> None:
    state = finished()
    order(state, "rerun", "all")
    apply(state, intend("s", (ALL, 2)), submitted("s"))
    words = "refused: still active among these and their dependents: all; cancel them first"
    assert order(state, "rerun", "a_X.1") == words
    assert status(state) == ["finished"] * 4 + ["pending"]


def test_what_failed_and_what_it_blocks_is_run_again_as_well() -> None:
    state = StudyState(PLAN)
    run(state, A1)
    run(state, B1, Status.FAILED)
    assert order(state, "rerun", "a_X.1") == "done: 2 will run again, 1 blocked"
    assert status(state) == ["ready", "ready", "waiting", "waiting", "waiting"]


def test_submission_that_was_put_off_is_over_when_its_parent_runs_again() -> None:
    state = StudyState(PLAN)
    run(state, A1)
    apply(state, intend("s", (B1, 1)), deferred("s"))
    order(state, "rerun", "a_X.1")
    assert (state.status[B1], state.next_attempt(B1)) == (Status.WAITING, 2)


def test_restart_needs_a_restart_command() -> None:
    state = StudyState(PLAN)
    run(state, A1, Status.TIMED_OUT)
    assert order(state, "retry", "a_X.1", restart="true") == "refused: step 'a' has no restart command"
    other = StudyState(plan(step("a", restart="go on")))
    run(other, 0, Status.TIMED_OUT)
    assert order(other, "retry", "a", restart="true") == "done: 1 will run again with restart=true"
    assert other.changes == {0: {"restart": "true"}}
    run(other, 0, Status.TIMED_OUT)
    assert order(other, "retry", "a") == "done: 1 will run again"
    assert other.changes == {}


# --- a part of a study


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (StepSelection(only=["b"]), ["skipped", "skipped", "ready", "ready", "skipped"]),
        (StepSelection(start=["b"]), ["skipped", "skipped", "ready", "ready", "waiting"]),
        (StepSelection(until=["b"]), ["ready", "ready", "waiting", "waiting", "skipped"]),
        (StepSelection(start=["b"], until=["b"]), ["skipped", "skipped", "ready", "ready", "skipped"]),
        (StepSelection(start=["all"]), ["skipped"] * 4 + ["ready"]),
    ],
)
def test_steps_that_are_not_to_be_run_count_as_done(part: StepSelection, expected: list[str]) -> None:
    found = plan(step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"), rows={"X": [1, 2]}, part=part)
    assert status(StudyState(found)) == expected


def test_part_in_which_nothing_is_left_is_over_at_once() -> None:
    found = plan(step("a"), step("b", "a"), part=StepSelection(start=["b"], until=["a"]))
    assert StudyState(found).outcome == "finished"
    assert StudyState(found).is_over


def test_skipped_step_can_be_run_after_all_and_says_why_it_was_not() -> None:
    found = plan(step("a"), step("b", "a"), step("c", "b"), part=StepSelection(until=["a"]))
    state = StudyState(found)
    assert cause_text(state.cause(1)) == "behind --until a"
    run(state, 0)
    assert order(state, "rerun", "a") == "done: 1 will run again"
    assert status(state) == ["ready", "skipped", "skipped"]
    assert order(state, "rerun", "b") == "done: 1 will run again"
    assert status(state) == ["ready", "waiting", "skipped"]
