"""The `mtui` block: what a study says to this engine alone."""

from __future__ import annotations

from textwrap import dedent

import pytest

from mtui.core.spec import Problems
from mtui.core.spec.study_parser import parse_study
from mtui.core.spec.study_spec import MtuiBlock
from tests.unit.planning import HEAD, SLURM, hints, plan_and_problems, plan_of, problem_lines

STEP = "study: [{name: a, description: d, run: {cmd: c, procs: 1}}]\n"


def read(block: str) -> MtuiBlock:
    problems = Problems("study.yaml")
    extensions = parse_study(f"{HEAD}{SLURM}{STEP}{dedent(block)}", problems).mtui
    assert problems.found == []
    return extensions


@pytest.mark.parametrize(
    ("block", "extensions"),
    [
        ("", MtuiBlock(submit_ahead=True, array=1000)),
        ("mtui: {}", MtuiBlock()),
        ("mtui: {submit_ahead: false}", MtuiBlock(submit_ahead=False)),
        ("mtui: {submit_ahead: no, array: 1}", MtuiBlock(submit_ahead=False, array=1)),
        ("mtui: {array: 50000, submit_ahead: true}", MtuiBlock(array=50_000)),
    ],
)
def test_block_says_what_this_engine_does(block: str, extensions: MtuiBlock) -> None:
    assert read(block) == extensions


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{submit_ahead: maybe}", "mtui: 'submit_ahead' must be true or false, but is"),
        ("{submit_ahead: 1}", "mtui: 'submit_ahead' must be true or false, but is"),
        ("{submit_ahead: [true]}", "mtui: 'submit_ahead' must be true or false, but is"),
        ("{array: 0}", "mtui: 'array' must be an integer of 1 or more, but is '0'"),
        ("{array: -3}", "mtui: 'array' must be an integer of 1 or more, but is '-3'"),
        ("{array: 2.5}", "mtui: 'array' must be an integer of 1 or more, but is '2.5'"),
        ("{array: many}", "mtui: 'array' must be an integer of 1 or more, but is 'many'"),
        ("{array: true}", "mtui: 'array' must be an integer of 1 or more, but is 'true'"),
        ("{array: {}}", "mtui: 'array' must be an integer of 1 or more, but is"),
        ("{array: }", "mtui: 'array' must be an integer of 1 or more, but is"),
        ("5", "mtui must be a mapping"),
        ("[array]", "mtui must be a mapping"),
    ],
)
def test_invalid_value_is_reported_with_its_place(block: str, message: str) -> None:
    (line,) = problem_lines(f"{HEAD}{SLURM}{STEP}mtui: {block}\n")
    assert line.startswith("4:")
    assert message in line
    assert plan_and_problems(f"{HEAD}{SLURM}{STEP}mtui: {block}\n")[0] is None


def test_hint_says_how_arrays_are_turned_off() -> None:
    assert hints(f"{HEAD}{SLURM}{STEP}mtui: {{array: 0}}\n") == ["1: no job arrays"]


def test_unknown_key_is_a_warning_that_names_the_known_one() -> None:
    text = f"{HEAD}{SLURM}{STEP}mtui: {{submit_ahed: false}}\n"
    (line,) = problem_lines(text)
    assert "submit_ahed" in line
    assert "submit_ahead" in line + hints(text)[0]
    assert plan_of(text).instances


def test_each_mistake_is_reported() -> None:
    assert len(problem_lines(f"{HEAD}{SLURM}{STEP}mtui: {{submit_ahead: 7, array: x, more: 1}}\n")) == 3


def test_block_changes_nothing_of_the_plan() -> None:
    text = f"{HEAD}{SLURM}{STEP}"
    assert plan_of(text) == plan_of(f"{text}mtui: {{array: 3, submit_ahead: false}}\n")
