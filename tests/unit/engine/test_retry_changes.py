"""Retries that change resources: what the command does, what the state keeps, and what is refused."""

from __future__ import annotations

import json

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.commands import CommandRequest, apply_command, check_changes
from mtui.core.engine.event_codec import from_record, to_line
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.spec.study_spec import Step
from tests.plans import plan, step
from tests.unit.engine.script import apply, attempt, everything, intend, missed, run, unclear, words

WIDE = Step("w", "d", "$(LAUNCHER)[4p] x", run={"procs": 8})
PLAN = plan(step("a", uses="X"), step("b", "a_*"), step("here", local=True), WIDE, rows={"X": [1, 2]})
NAMES = {item.name: item.index for item in PLAN.instances}


def failed() -> StudyState:
    state = StudyState(PLAN)
    for name in ("a_X.1", "a_X.2", "here", "w"):
        run(state, NAMES[name], Status.FAILED)
    return state


def retry(state: StudyState, *targets: str, **changes: str | int) -> ev.CommandDone:
    """Carry out a retry; its last event."""
    options = tuple((key.replace("_", " "), value) for key, value in changes.items())
    events = apply_command(state, CommandRequest(f"c{len(state.commands)}", "retry", targets, options), at=1.0)
    apply(state, *events)
    last = events[-1]
    assert isinstance(last, ev.CommandDone)
    return last


def test_retry_changes_the_resources_of_what_it_takes() -> None:
    state = failed()
    done = retry(state, "a", walltime="02:00:00", nodes=2)
    assert (done.outcome, done.message) == ("done", "2 will run again with walltime=02:00:00, nodes=2")
    assert state.changes == {index: {"walltime": "02:00:00", "nodes": "2"} for index in (0, 1)}
    assert state.attempts[0][-1].changes == ()
    run(state, 0, Status.TIMED_OUT)
    assert attempt(state, 0).changes == (("walltime", "02:00:00"), ("nodes", "2"))


def test_event_of_a_retry_has_only_the_changes_that_were_requested() -> None:
    state = failed()
    events = apply_command(state, CommandRequest("c", "retry", ("a_X.1",), (("nodes", "2"),)), at=1.0)
    assert [event.changes for event in events if isinstance(event, ev.Retried)] == [(("nodes", "2"),)]


def test_changes_add_up_over_retries() -> None:
    state = failed()
    seen: list[dict[str, str]] = []
    retries: list[dict[str, str | int]] = [
        {"walltime": "10", "nodes": "2"},
        {},
        {"walltime": "20"},
        {"nodes": ""},
        {"qos": "x", "walltime": ""},
        {"qos": ""},
    ]
    for changes in retries:
        retry(state, "a_X.1", **changes)
        seen.append(dict(state.changes.get(0, {})))
        run(state, 0, Status.FAILED)
    assert seen == [
        {"walltime": "10", "nodes": "2"},
        {"walltime": "10", "nodes": "2"},
        {"walltime": "20", "nodes": "2"},
        {"walltime": "20"},
        {"qos": "x"},
        {},
    ]
    assert [dict(item.changes) for item in state.attempts[0]] == [{}, *seen]
    assert state.changes == {}


def test_change_taken_back_is_said() -> None:
    state = failed()
    retry(state, "a_X.1", nodes="2")
    run(state, 0, Status.FAILED)
    assert retry(state, "a_X.1", nodes="").message == "1 will run again with nodes as in the study"


def test_submission_that_is_repeated_keeps_its_changes() -> None:
    state = failed()
    retry(state, "a_X.1", nodes="2")
    apply(state, intend("s1", (0, 2)), unclear("s1"), missed("s1"), intend("s2", (0, 2)))
    assert [(item.number, item.changes) for item in state.attempts[0]] == [(1, ()), (2, (("nodes", "2"),))]


def test_retry_without_changes_has_none_in_its_event() -> None:
    state = failed()

    first, retried, last = apply_command(state, CommandRequest("c", "retry", ("a_X.1",)), at=1.0)

    assert isinstance(first, ev.CommandTaken)
    assert retried == ev.Retried(at=1.0, instance=0)
    assert isinstance(last, ev.CommandDone)


def test_restart_counts_for_the_retry_that_requests_it() -> None:
    state = StudyState(plan(step("a", restart="go on")))
    seen: list[dict[str, str]] = []
    run(state, 0, Status.FAILED)
    for changes in ({"restart": "yes"}, {"restart": "yes"}, {}):
        retry(state, "a", **changes)
        seen.append(dict(state.changes.get(0, {})))
        run(state, 0, Status.FAILED)

    assert seen == [{"restart": "yes"}, {"restart": "yes"}, {}]


def test_local_step_is_retried_and_nothing_of_it_is_changed() -> None:
    state = failed()
    done = retry(state, "a_X.1", "here", procs="4")
    assert done.message == "1 will run again, 1 will run again with procs=4"
    assert state.changes == {0: {"procs": "4"}}
    assert words(state) == "ready, failed, blocked, ready, failed"


def test_resources_of_local_steps_alone_are_refused() -> None:
    state = failed()
    done = retry(state, "here", procs="4")
    reported = "step 'here' runs on the driver's machine and requests no procs from Slurm"
    assert (done.outcome, done.message) == ("refused", reported)
    assert state.status[NAMES["here"]] is Status.FAILED


@pytest.mark.parametrize(
    ("changes", "reported"),
    [
        ({"waltime": "10"}, "a retry cannot change 'waltime'"),
        ({"nodes": "0"}, "'nodes' must be an integer of at least 1, not '0'"),
        ({"nodes": 0}, "'nodes' must be an integer of at least 1, not '0'"),
        ({"walltime": "soon", "nodes": "2"}, "Slurm does not accept the walltime 'soon'"),
        ({"procs": "3"}, "w: $(LAUNCHER)[4p] uses 4 procs, but the step requests 3"),
    ],
)
def test_change_that_cannot_be_made_refuses_the_whole_command(changes: dict[str, str | int], reported: str) -> None:
    state = failed()
    before = words(state)
    done = retry(state, "*", **changes)
    assert (done.outcome, done.message) == ("refused", reported)
    assert (words(state), state.changes) == (before, {})


def test_launcher_is_checked_only_where_it_is_retried_and_with_earlier_changes() -> None:
    state = failed()
    assert check_changes(state, [0, 1], {"procs": "3"}) is None
    retry(state, "w", procs="4")
    assert check_changes(state, [NAMES["w"]], {"procs": "3"}) is None  # it is not to be retried any more
    run(state, NAMES["w"], Status.FAILED)
    assert check_changes(state, [NAMES["w"]], {"nodes": "2"}) is None
    refusal = check_changes(state, [NAMES["w"]], {"nodes": "2", "procs": "2"})
    assert refusal is not None
    assert "uses 4 procs" in refusal.message


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"throttle": "many"}, "throttle must be an integer of 0 or more, not 'many'"),
        ({"throttle": -1}, "throttle must be an integer of 0 or more, not '-1'"),
        ({"poll": 0}, "sleep must be an integer of 1 or more, not '0'"),
        ({"local_jobs": 0}, "local jobs must be an integer of 1 or more, not '0'"),
        ({"speed": 3}, "unknown limit 'speed'"),
    ],
)
def test_limits_that_cannot_be_are_refused(options: dict[str, str | int], reported: str) -> None:
    state = StudyState(PLAN)
    events = apply_command(state, CommandRequest("c", "update", (), tuple(options.items())), at=1.0)
    apply(state, *events)
    assert (state.commands["c"].outcome, state.commands["c"].message) == ("refused", reported)
    assert (state.throttle, state.local_jobs) == (None, None)


def test_limits_may_come_as_text() -> None:
    state = StudyState(PLAN)
    apply(state, *apply_command(state, CommandRequest("c", "update", (), (("throttle", "3"),)), at=1.0))
    assert state.throttle == 3


def test_replay_gives_the_same_changes() -> None:
    state = failed()
    before = StudyState(PLAN)
    for name in ("a_X.1", "a_X.2", "here", "w"):
        run(before, NAMES[name], Status.FAILED)
    events = apply_command(state, CommandRequest("c", "retry", ("*",), (("walltime", "10"), ("nodes", 2))), at=1.0)
    apply(state, *events)
    apply(before, *(from_record(json.loads(to_line(event))) for event in events))
    assert everything(before)["changes"] == everything(state)["changes"]


def test_retry_of_an_older_journal_changes_nothing() -> None:
    event = from_record({"v": 1, "type": "retried", "at": 1.0, "instance": 0})
    assert event == ev.Retried(at=1.0, instance=0)
