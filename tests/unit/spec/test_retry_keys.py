"""`mtui: retry:`: the rules that a study gives, for all steps and for one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mtui.core.spec.retry_keys import CAUSES, factor_of
from mtui.core.spec.study_spec import RetryRule
from tests.unit.planning import HEAD, SLURM, hints, plan_and_problems, plan_of, problem_lines

STEPS = """\
study:
- {name: a, description: d, run: {cmd: c, procs: 1}}
- {name: b, description: d, run: {cmd: c, procs: 1}}
"""


def rules(block: str, step: str = "a") -> Mapping[str, RetryRule]:
    plan = plan_of(f"{HEAD}{SLURM}{STEPS}mtui: {block}\n")
    return next(item for item in plan.steps if item.name == step).retry


def test_number_is_for_every_cause() -> None:
    assert {cause: rule.times for cause, rule in rules("{retry: 2}").items()} == dict.fromkeys(CAUSES, 2)
    assert rules("{retry: 0}") == rules("{retry: false}") == rules("{}") == {}


def test_each_cause_has_what_it_says() -> None:
    block = (
        "{retry: {TIMEOUT: {times: 2, walltime: x1.5, restart: false}, OUT_OF_MEMORY: {times: 1, mem: x2, queue: big}, "
        "NODE_FAIL: 3, PREEMPTED: {times: 4, exclude: true}, 75: 1}}"
    )
    assert rules(block) == {
        "TIMEOUT": RetryRule(2, restart=False, changes=(("walltime", "x1.5"),)),
        "OUT_OF_MEMORY": RetryRule(1, changes=(("mem", "x2"), ("queue", "big"))),
        "NODE_FAIL": RetryRule(3, exclude=True),
        "PREEMPTED": RetryRule(4, exclude=True),
        "75": RetryRule(1),
    }


def test_step_says_more_than_the_study() -> None:
    block = "{retry: {TIMEOUT: 2, NODE_FAIL: 1}, steps: {b: {retry: {TIMEOUT: 5, 3: 1}}}}"
    assert {cause: rule.times for cause, rule in rules(block, "a").items()} == {"TIMEOUT": 2, "NODE_FAIL": 1}
    assert {cause: rule.times for cause, rule in rules(block, "b").items()} == {"TIMEOUT": 5, "NODE_FAIL": 1, "3": 1}


@pytest.mark.parametrize(("text", "factor"), [("x2", 2.0), ("x1.5", 1.5), ("2", None), ("xlarge", None), ("x", None)])
def test_factor(text: str, factor: float | None) -> None:
    assert factor_of(text) == factor


EXAMPLE = "2, or {times: 2, walltime: x1.5}"


@pytest.mark.parametrize(
    ("retry", "message", "hint"),
    [
        ("-1", "mtui: 'retry' must be an integer from 0 to 1,000, but is '-1'", EXAMPLE),
        ("often", "mtui: 'retry' must be an integer from 0 to 1,000, but is 'often'", EXAMPLE),
        ("[1]", "mtui: 'retry' must be an integer from 0 to 1,000, but is a list", EXAMPLE),
        ("{TIME_OUT: 1}", "mtui: retry: 'TIME_OUT' is not a cause", "did you mean 'TIMEOUT'?"),
        ("{256: 1}", "mtui: retry: '256' is not a cause", None),
        ("{0: 1}", "mtui: retry: '0' is not a cause", None),
        ("{TIMEOUT: 1.5}", "mtui: retry: 'TIMEOUT' must be an integer from 0 to 1,000, but is '1.5'", None),
        ("{TIMEOUT: {walltime: x2}}", "mtui: retry: TIMEOUT has no 'times'", "add 'times:'; the number of retries"),
        ("{TIMEOUT: {times: 1, wall: x2}}", "mtui: retry: TIMEOUT: unknown key 'wall'", "did you mean 'walltime'?"),
        ("{TIMEOUT: {times: 1, walltime: x1}}", "mtui: retry: TIMEOUT: 'walltime: x1' does not increase it", None),
        ("{TIMEOUT: {times: 1, walltime: long}}", "Slurm does not accept the walltime 'long'", None),
        ("{TIMEOUT: {times: 1, queue: x2}}", "mtui: retry: TIMEOUT: 'queue' cannot be multiplied", ""),
        ("{TIMEOUT: {times: 1, nodes: some}}", "'nodes' must be an integer or a factor, not 'some'", ""),
        ("{TIMEOUT: {times: 1, nodes: 0}}", "'nodes' must be an integer or a factor, not '0'", ""),
        ("{TIMEOUT: {times: 1, mem: much}}", "'mem' must be an amount of memory, not 'much'", "mem: x1.5, or 16G"),
        ("{TIMEOUT: {times: 1, qos: 'a b'}}", "mtui: retry: TIMEOUT: 'qos' must be one word, but is 'a b'", ""),
        ("{TIMEOUT: {times: 1, restart: maybe}}", "'restart' must be true or false, but is text", ""),
    ],
)  # fmt: skip
def test_wrong_value_is_reported_with_its_place(retry: str, message: str, hint: str | None) -> None:
    text = f"{HEAD}{SLURM}{STEPS}mtui: {{retry: {retry}}}\n"
    (line,) = problem_lines(text)
    assert line.startswith("6:")
    assert line.endswith(message)
    assert hint is None or hints(text) == [hint]
    assert plan_and_problems(text)[0] is None
