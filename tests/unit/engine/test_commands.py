"""Commands as events: whom they mean, what they do, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.commands import CommandRequest, apply_command, resolve_targets
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import apply, hold, intend, run, started, submitted, words

PLAN = plan(step("a", uses="X"), step("b", "a_*"), step("c", "b"), rows={"X": [1, 2]})


def order(state: StudyState, verb: str, *targets: str, command: str = "c1", **options: int) -> ev.CommandDone:
    """Carry a command out; its last event."""
    events = apply_command(state, CommandRequest(command, verb, targets, tuple(options.items())), at=1.0)
    apply(state, *events)
    last = events[-1]
    assert isinstance(last, ev.CommandDone)
    return last


@pytest.mark.parametrize(
    ("targets", "indices", "unknown"),
    [
        (["a_X.1"], [0], []),
        (["a"], [0, 1], []),
        (["a_*", "c"], [0, 1, 3], []),
        (["*"], [0, 1, 2, 3], []),
        (["a_X.?"], [0, 1], []),
        (["A"], [], ["A"]),
        (["a", "nosuch", "x*"], [0, 1], ["nosuch", "x*"]),
        (["failed"], [], []),
        ([], [], []),
        (["a", "a_X.2", "*"], [0, 1, 2, 3], []),
    ],
)
def test_targets_are_names_steps_and_globs(targets: Sequence[str], indices: list[int], unknown: list[str]) -> None:
    assert resolve_targets(PLAN, StudyState(PLAN), targets) == (indices, unknown)


def test_failed_means_what_failed_itself() -> None:
    state = StudyState(PLAN)
    run(state, 0, Status.TIMED_OUT)
    run(state, 1)
    assert resolve_targets(PLAN, state, ["failed"]) == ([0], [])


def test_cancel_ends_what_waits_and_requests_the_end_of_what_runs() -> None:
    state = StudyState(PLAN)
    apply(state, intend("s", (0, 1)), submitted("s"), started(0))
    run(state, 1)
    done = order(state, "cancel", "*")
    assert (done.outcome, done.message) == ("done", "1 being cancelled, 2 cancelled, 1 already finished")
    assert words(state) == "running, finished, cancelled, cancelled"
    assert list(state.to_cancel) == [0]


def test_answer_lists_what_changed_in_alphabetical_order() -> None:
    state = StudyState(PLAN)
    apply(state, intend("s", (1, 1)), submitted("s"), started(1))

    done = order(state, "cancel", "a")

    assert done.message == "1 being cancelled, 1 cancelled"


def test_retry_takes_what_failed_and_says_why_it_does_not_take_the_rest() -> None:
    state = StudyState(PLAN)
    run(state, 0, Status.FAILED)
    run(state, 1)
    done = order(state, "retry", "*")
    assert done.message == "1 will run again, 2 blocked (retry the failed parent), 1 finished (use rerun)"
    assert words(state) == "ready, finished, waiting, waiting"


def test_hold_and_release_answer_for_each_instance() -> None:
    state = StudyState(PLAN)
    run(state, 0)
    assert order(state, "hold", "*", command="1").message == "3 held, 1 finished (too late to hold)"
    done = order(state, "hold", "b", command="2")
    assert (done.outcome, done.message) == ("refused", "1 already held")
    assert order(state, "release", "a_*", command="3").message == "1 released, 1 finished and not held"
    assert words(state) == "finished, ready, held, held"


def test_bound_instances_can_be_held_released_and_cancelled() -> None:
    state = StudyState(PLAN)
    apply(state, intend("p", (0, 1), (1, 1)), submitted("p", "10"))
    apply(state, intend("s", (2, 1), after="afterok:10"), submitted("s", "11"))
    assert order(state, "hold", "b", command="1").message == "1 held"
    assert list(state.to_unbind) == [2]
    assert order(state, "release", "b", command="2").message == "1 released"
    assert order(state, "retry", "b", command="3").message == "1 bound"
    assert order(state, "cancel", "b", command="4").message == "1 being cancelled"
    assert (words(state), list(state.to_cancel), state.to_unbind) == ("pending, pending, bound, waiting", [2], {})


@pytest.mark.parametrize("verb", ["cancel", "retry", "hold", "release"])
def test_unknown_target_refuses_the_whole_command(verb: str) -> None:
    state = StudyState(PLAN)
    done = order(state, verb, "a", "nosuch")
    assert (done.outcome, done.message) == ("refused", "no instance or step named nosuch")
    assert words(state) == "ready, ready, waiting, waiting"


def test_nothing_to_do_is_said() -> None:
    done = order(StudyState(PLAN), "retry", "failed")
    assert (done.outcome, done.message) == ("refused", "nothing to do")


def test_update_changes_the_limits_that_it_names() -> None:
    state = StudyState(PLAN)
    assert order(state, "update", throttle=0, local_jobs=3).message == "throttle set to 0, local jobs set to 3"
    assert (state.throttle, state.local_jobs, state.poll) == (0, 3, None)
    assert order(state, "update", command="c2", poll=5).message == "sleep set to 5"
    assert (state.throttle, state.local_jobs, state.poll) == (0, 3, 5)


@pytest.mark.parametrize("verb", ["explode", ""])
def test_unknown_command_is_refused(verb: str) -> None:
    assert order(StudyState(PLAN), verb).outcome == "refused"


def test_command_that_arrives_twice_is_carried_out_once() -> None:
    state = StudyState(PLAN)
    order(state, "hold", "b")
    apply(state, *apply_command(state, CommandRequest("c2", "release", ("b",)), at=2.0))
    assert apply_command(state, CommandRequest("c1", "hold", ("b",)), at=3.0) == []


def test_command_that_a_driver_died_over_is_carried_out_to_the_end() -> None:
    request = CommandRequest("c1", "hold", ("*",))
    whole = apply_command(StudyState(PLAN), request, at=1.0)
    for cut in range(1, len(whole)):
        state = StudyState(PLAN)
        apply(state, *whole[:cut])
        apply(state, *apply_command(state, request, at=2.0))
        assert words(state) == "held, held, held, held"
        assert state.commands["c1"].outcome


def test_every_event_of_a_command_is_possible() -> None:
    state = StudyState(PLAN)
    apply(state, hold(2))
    for number, verb in enumerate(["hold", "cancel", "retry", "release", "cancel", "retry"]):
        order(state, verb, "*", command=str(number))
    assert words(state) == "ready, ready, waiting, waiting"
