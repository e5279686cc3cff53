"""What is retried automatically: for which causes, how often, and with what."""

from __future__ import annotations

from typing import Any

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.causes import Cause, CauseCode, text_cause
from mtui.core.engine.retry_policy import RetryLimits, decide_retry, grow, launch_delay, rules_of
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.resource_changes import RESTART
from mtui.core.spec.study_spec import RetryRule
from tests.plans import plan, step
from tests.unit.engine.script import apply, at, cancel, intend, refused, retry, started, state_of, submitted

LAUNCH_FAILED = CauseCode.LAUNCH_FAILED
ENDS = {
    "TIMEOUT": (Status.TIMED_OUT, None),
    "OUT_OF_MEMORY": (Status.OUT_OF_MEMORY, None),
    "NODE_FAIL": (Status.NODE_FAILED, None),
    "PREEMPTED": (Status.PREEMPTED, None),
    "FAILED": (Status.FAILED, 1),
    "75": (Status.FAILED, 75),
}


def study(**more: Any) -> StudyState:
    return StudyState(plan(step("a", **more), step("b", "a")))


def fail(state: StudyState, cause: str = "FAILED", *, node: str = "n1", index: int = 0) -> None:
    """Run an instance to an end of that cause."""
    number = state.next_attempt(index)
    name = f"{index}.{number}"
    local = not state.plan.step_of(state.plan.instances[index]).scheduled
    made = ev.SubmitIntended(
        at=at(), submission=name, backend="local" if local else "slurm", members=((index, number),)
    )
    status, code = ENDS[cause]
    ended = ev.Ended(
        at=at(), instance=index, attempt=number, status=status, exit_code=code, cause=text_cause(cause), node=node
    )
    apply(state, made, submitted(name), started(index, number, node=node), ended)


def again(state: StudyState, tries: RetryLimits | None = None, index: int = 0) -> ev.Retried | None:
    """Apply what the study says."""
    event = decide_retry(state, index, tries or RetryLimits(), at())
    if event:
        apply(state, event)
    return event


def count(state: StudyState, *causes: str, tries: RetryLimits | None = None) -> int:
    """How often an instance that keeps failing of these causes, in turn, is tried again."""
    for made in range(20):
        fail(state, causes[made % len(causes)])
        if again(state, tries) is None:
            return made
    return 20


@pytest.mark.parametrize("cause", ENDS)
def test_each_cause_has_its_own_rule(cause: str) -> None:
    assert count(study(retry={cause: RetryRule(2)}), cause) == 2
    others = {other: RetryRule(2) for other in ENDS if other != cause}
    expected = 2 if cause == "75" else 0  # an exit code without a separate rule is a failure like others
    assert count(study(retry=others), cause) == expected


def test_without_a_rule_a_failure_stays_one() -> None:
    state = study()
    assert count(state, "FAILED") == 0
    assert [status.value for status in state.status] == ["failed", "blocked"]


def test_causes_are_counted_apart() -> None:
    rules = {"TIMEOUT": RetryRule(2), "NODE_FAIL": RetryRule(1)}
    assert count(study(retry=rules), "TIMEOUT", "NODE_FAIL") == 3


def test_exit_code_has_its_own_count_beside_that_of_failures() -> None:
    rules = {"75": RetryRule(1), "FAILED": RetryRule(2)}
    assert count(study(retry=rules), "75") == 1
    assert count(study(retry=rules), "FAILED", "75") == 3


def test_user_restarts_the_count() -> None:
    state = study(retry={"FAILED": RetryRule(1)})
    assert count(state, "FAILED") == 1
    apply(state, retry(0))
    assert count(state, "FAILED") == 1
    assert [item.automatic for item in state.attempts[0]] == [False, True, False, True]


def test_dependents_wait_while_it_is_retried() -> None:
    state = study(retry={"FAILED": RetryRule(1)})
    fail(state)
    assert state.status[1] is Status.BLOCKED
    assert again(state) is not None
    assert [status.value for status in state.status] == ["ready", "waiting"]


def test_event_says_which_rule_and_how_often() -> None:
    state = study(retry={"TIMEOUT": RetryRule(3), "75": RetryRule(1)})
    fail(state, "TIMEOUT")
    first = again(state)
    fail(state, "75")
    second = again(state)
    assert [event.why for event in (first, second) if event] == ["TIMEOUT: retry 1 of 3", "exit code 75: retry 1 of 1"]


def test_one_attempt_is_no_rule() -> None:
    assert rules_of(study(local=True).plan.steps[0], RetryLimits(attempts=1)) == {}


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.LOST, Status.DEADLINE])
def test_what_nobody_knows_the_cause_of_or_somebody_wanted_is_left_alone(status: Status) -> None:
    state = study(retry=dict.fromkeys(ENDS, RetryRule(5)))
    apply(state, intend("s", (0, 1)), submitted("s"), started(0))
    apply(state, ev.Ended(at=at(), instance=0, attempt=1, status=status, exit_code=1))
    assert again(state) is None


def test_what_a_person_has_ended_is_left_alone() -> None:
    state = study(retry=dict.fromkeys(ENDS, RetryRule(5)))
    apply(state, intend("s", (0, 1)), submitted("s"), started(0), cancel(0))
    apply(state, ev.Ended(at=at(), instance=0, attempt=1, status=Status.TIMED_OUT))
    assert again(state) is None
    withdrawn = state_of(study(retry=dict.fromkeys(ENDS, RetryRule(5))).plan, cancel(0))
    assert again(withdrawn) is None


def test_what_has_not_failed_is_left_alone() -> None:
    state = study(retry=dict.fromkeys(ENDS, RetryRule(5)))
    assert again(state) is None
    fail(state)
    assert again(state) is not None
    assert again(state) is None


# --- Maestro's limits


@pytest.mark.parametrize(("restarts", "expected"), [(1, 1), (3, 3), (0, 20)])
def test_step_with_a_restart_command_is_restarted_after_its_time_is_over(restarts: int, expected: int) -> None:
    assert count(study(restart="go on"), "TIMEOUT", tries=RetryLimits(restarts)) == expected
    assert count(study(), "TIMEOUT", tries=RetryLimits(restarts)) == 0
    assert count(study(restart="go on"), "FAILED", tries=RetryLimits(restarts)) == 0


def test_rule_of_the_study_counts_before_the_limit_of_restarts() -> None:
    assert count(study(restart="go on", retry={"TIMEOUT": RetryRule(2)}), "TIMEOUT", tries=RetryLimits(5)) == 2


def test_local_step_that_fails_has_as_many_tries_as_attempts_are_given() -> None:
    assert count(study(local=True), "FAILED", tries=RetryLimits(attempts=3)) == 2
    assert count(study(), "FAILED", tries=RetryLimits(attempts=3)) == 0


@pytest.mark.parametrize(("attempts", "expected"), [(0, 0), (1, 0), (2, 1)])
def test_second_attempt_is_the_first_retry(attempts: int, expected: int) -> None:
    assert count(study(local=True), "FAILED", tries=RetryLimits(attempts=attempts)) == expected


@pytest.mark.parametrize(("restarts", "why"), [(3, "TIMEOUT: retry 1 of 3"), (0, "TIMEOUT: retry 1")])
def test_event_says_how_many_retries_there_are_if_they_are_limited(restarts: int, why: str) -> None:
    state = study(restart="go on")
    fail(state, "TIMEOUT")
    event = again(state, RetryLimits(restarts))
    assert event
    assert event.why == why


def test_refused_submission_has_as_many_tries_as_attempts_are_given() -> None:
    state = study(retry={"FAILED": RetryRule(9)})
    for number in range(1, 4):
        apply(state, intend(f"s{number}", (0, number)), refused(f"s{number}"))
        found = again(state, RetryLimits(attempts=3))
        assert (found is None) is (number == 3)
    assert state.status[0] is Status.FAILED


def test_job_that_could_not_be_launched_is_submitted_again_later_each_time() -> None:
    """It has run nothing: Slurm could not create its output, as on a full disk."""
    state = study()
    delays: list[float] = []
    for number in range(1, 5):
        event = ev.Ended(
            at=at(), instance=0, attempt=number, status=Status.FAILED, exit_code=None, cause=Cause(LAUNCH_FAILED)
        )
        apply(state, intend(f"s{number}", (0, number)), submitted(f"s{number}"), event)
        delays.append(launch_delay(state.attempts[0]))
        if (found := again(state)) is None:
            break
        assert found.why == f"launch failure: retry {number} of 3"
    assert delays == [10, 40, 160, 640]
    assert state.status[0] is Status.FAILED


def test_script_that_began_is_no_launch_failure() -> None:
    state = study()
    event = ev.Ended(at=at(), instance=0, attempt=1, status=Status.FAILED, exit_code=None, cause=Cause(LAUNCH_FAILED))
    apply(state, intend("s", (0, 1)), submitted("s"), started(0), event)
    assert again(state) is None
    assert launch_delay(state.attempts[0]) == 0


def test_all_rules_of_a_step_are_reported() -> None:
    found = rules_of(study(restart="x", retry={"75": RetryRule(1)}).plan.steps[0], RetryLimits(2, 3))
    assert {cause: rule.times for cause, rule in found.items()} == {"75": 1, "TIMEOUT": 2, "REFUSED": 2}


# --- with what


def changes(
    rule: RetryRule, cause: str = "TIMEOUT", *, node: str = "n1", times: int = 1, **more: Any
) -> dict[str, str]:
    """The resources after so many retries by one rule."""
    state = study(retry={cause: rule}, **more)
    for _ in range(times):
        fail(state, cause, node=node)
        assert again(state) is not None
    return state.changes.get(0, {})


def test_resources_grow_with_each_attempt() -> None:
    rule = RetryRule(3, changes=(("walltime", "x1.5"), ("mem", "x2"), ("nodes", "x2"), ("queue", "big")))
    found = changes(rule, times=2, walltime="01:00:00", mem="3G", nodes=1)
    assert found == {"walltime": "02:15:00", "mem": "12G", "nodes": "4", "queue": "big"}


def test_what_a_step_does_not_request_cannot_grow() -> None:
    assert changes(RetryRule(1, changes=(("mem", "x2"), ("walltime", "x2")))) == {}


def test_nodes_that_failed_are_left_out_from_then_on() -> None:
    state = study(retry={"NODE_FAIL": RetryRule(5, exclude=True)}, exclude="bad1")
    for node in ("n1", "n2", "n1"):
        fail(state, "NODE_FAIL", node=node)
        assert again(state) is not None
    assert state.changes[0] == {"exclude": "bad1,n1,n2"}


def test_of_several_nodes_nobody_knows_which_one_failed() -> None:
    assert changes(RetryRule(1, exclude=True), "NODE_FAIL", node="n[1-4]") == {}


@pytest.mark.parametrize(
    ("cause", "restart", "expected"),
    [("TIMEOUT", None, True), ("PREEMPTED", None, False), ("PREEMPTED", True, True), ("TIMEOUT", False, False)],
)
def test_restart_command_runs_after_a_time_out_or_where_a_rule_says_so(
    cause: str, restart: bool | None, expected: bool
) -> None:
    found = changes(RetryRule(1, restart), cause, restart="go on")
    assert (found.get(RESTART) == "true") is expected


def test_restart_is_for_its_own_attempt_only() -> None:
    state = study(restart="go on", retry={"TIMEOUT": RetryRule(1), "NODE_FAIL": RetryRule(1)})
    fail(state, "TIMEOUT")
    again(state)
    assert state.changes[0] == {RESTART: "true"}
    fail(state, "NODE_FAIL")
    again(state)
    assert state.changes.get(0, {}) == {}


def test_local_step_has_no_resources_to_change() -> None:
    assert changes(RetryRule(1, changes=(("nodes", "2"),)), "FAILED", local=True) == {}


@pytest.mark.parametrize(
    ("key", "value", "factor", "expected"),
    [
        ("walltime", "30", 2, "01:00:00"),
        ("walltime", "00:00:10", 1.5, "00:00:15"),
        ("walltime", "1-00:00:00", 2, "2-00:00:00"),
        ("walltime", "UNLIMITED", 2, ""),
        ("walltime", "", 2, ""),
        ("mem", "16G", 1.5, "24G"),
        ("mem", "5G", 1.5, "7680M"),
        ("mem", "1T", 1.5, "1572864M"),
        ("mem", "500", 2, "1000"),
        ("mem", "1500K", 1.1, "1650K"),
        ("mem", "0", 2, ""),
        ("mem per cpu", "2g", 2, "4G"),
        ("nodes", "3", 1.5, "5"),
        ("nodes", "2-4", 2, ""),
        ("gpus", "0", 2, ""),
    ],
)
def test_growth(key: str, value: str, factor: float, expected: str) -> None:
    assert grow(key, value, factor) == expected
