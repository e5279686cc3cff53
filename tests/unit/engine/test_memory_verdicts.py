"""A script that exits with code 0 has finished; that Slurm shows OUT_OF_MEMORY is a warning, or retried by a rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.memory_verdicts import END_WAIT
from mtui.core.engine.retry_policy import RetryLimits, decide_retry
from mtui.core.engine.slurm_answers import SeenJob
from mtui.core.engine.status import Status
from mtui.core.spec.study_spec import RetryRule
from tests.unit.engine.observing import ONE, RUNNING, end, kinds, over, running
from tests.unit.engine.script import Watched, at, intend, retry, submitted

EXCEEDED = over(Status.OUT_OF_MEMORY)
WORDS = "used more memory than requested on n1"


def with_rule(rule: RetryRule) -> Watched:
    plan = replace(ONE, steps=(replace(ONE.steps[0], retry={"OUT_OF_MEMORY": rule}),))
    watched = Watched(plan, intend("s", (0, 1)), submitted("s", "7"))
    watched.report("start")
    watched.pass_time(10)
    return watched


def test_finished_job_is_warned_of_when_slurm_shows_it_out_of_memory() -> None:
    watched = running()
    assert end(watched.report("exit")) == (Status.FINISHED, 0, "")
    assert [attempt.job for attempt in watched.observer.memory.attempts()] == ["7"]
    watched.pass_time(1)
    assert watched.look({"7": RUNNING}) == []  # it completes
    watched.pass_time(1)
    (warned,) = watched.look({"7": EXCEEDED})
    assert isinstance(warned, ev.Warned)
    assert watched.state.status[0] is Status.FINISHED
    assert watched.state.warned() == [0]
    assert watched.state.cause(0) == warned.cause
    assert watched.state.result in ("", "finished")
    assert watched.look({"7": EXCEEDED}) == []
    assert watched.observer.memory.deadline() is None


def test_finished_job_is_warned_of_when_slurm_showed_it_first() -> None:
    watched = running()
    watched.look({"7": EXCEEDED})
    assert end(watched.report("exit")) == (Status.FINISHED, 0, WORDS)
    assert watched.state.warned() == [0]


@pytest.mark.parametrize("view", [over(Status.FINISHED, code=0), over(Status.TIMED_OUT), None])
def test_other_end_of_a_finished_job_is_no_warning(view: SeenJob | None) -> None:
    watched = running()
    watched.report("exit")
    watched.pass_time(1)
    assert watched.look({"7": view} if view else {}) == []
    assert watched.state.warned() == []
    assert watched.observer.memory.deadline() is None


def test_study_waits_some_seconds_for_the_end_of_its_last_job() -> None:
    watched = running()
    assert watched.observer.memory.deadline() is None
    watched.report("exit")
    assert watched.observer.memory.deadline() == watched.now + END_WAIT


def test_rule_that_names_the_cause_retries_a_job_that_exited_with_code_0() -> None:
    watched = with_rule(RetryRule(1, named=True))
    assert kinds(watched.report("exit")) == ["exited"]
    watched.pass_time(1)
    assert watched.look({"7": RUNNING}) == []
    assert end(watched.look({"7": EXCEEDED})) == (Status.OUT_OF_MEMORY, 0, WORDS)
    again = decide_retry(watched.state, 0, RetryLimits(), at())
    assert again
    watched.take([again, intend("t", (0, 2)), submitted("t", "8")])
    watched.report("start", attempt=2, job="8")
    assert end(watched.report("exit", attempt=2, job="8"))[0] is Status.FINISHED  # the rule retries only once
    watched.pass_time(1)
    assert kinds(watched.look({"8": EXCEEDED})) == ["warned"]


@pytest.mark.parametrize("status", [Status.FINISHED, Status.TIMED_OUT, Status.CANCELLED])
def test_job_that_a_rule_would_retry_finishes_with_any_other_verdict(status: Status) -> None:
    watched = with_rule(RetryRule(1, named=True))
    watched.report("exit")
    watched.pass_time(1)
    assert end(watched.look({"7": over(status)})) == (Status.FINISHED, 0, "")


def test_rule_for_any_cause_does_not_retry_what_finished() -> None:
    watched = with_rule(RetryRule(1))
    assert end(watched.report("exit")) == (Status.FINISHED, 0, "")


def test_warning_of_an_attempt_that_was_repeated_is_dropped() -> None:
    watched = running()
    watched.report("exit")
    watched.take([retry(0)])
    watched.pass_time(1)
    assert watched.look({"7": EXCEEDED}) == []
