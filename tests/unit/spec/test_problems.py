"""Every mistake is reported once, at its line and column, with a hint, and all of them together."""

from __future__ import annotations

import pytest

from tests.unit.planning import hints, plan_and_problems, problem_lines

from .block_mistakes import MISTAKES_IN_BLOCKS
from .mistakes import MISTAKES_IN_STEPS

MISTAKES = {**MISTAKES_IN_STEPS, **MISTAKES_IN_BLOCKS}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_all_mistakes_are_reported_once_and_at_their_places(text: str, expected: list[str]) -> None:
    plan, problems = plan_and_problems(text)
    assert plan is None
    assert problem_lines(text) == expected
    assert all(problem.place.line for problem in problems)


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ("misspelt top-level key", "did you mean 'description'?"),
        ("misspelt run keys", "did you mean 'cmd'?"),
        ("name is a number", "put it in quotes"),
        ("cmd beside run", "indent it below 'run:'"),
        ("unknown dependency", "did you mean 'simulate'?"),
        ("parameter in depends", "parameters cannot be used in depends; rows of a sweep are matched automatically"),
        ("circle through a workspace", "'a' is tied to 'b' by its $(b.workspace)"),
        ("workspaces that are none", "did you mean 'b'?"),
        ("type in capitals", "did you mean 'slurm'?"),
        ("another scheduler", "use 'slurm', or run it here with --local"),
        ("slurm batch with mistakes", "add 'host:'; a slurm batch requires it; '' uses Slurm's default"),
        ("unknown key of env", "did you mean 'variables'?"),
        ("launchers that ask for too much", "raise 'procs:'"),
        ("names too long", "give the step a shorter name"),
    ],
)
def test_hints_say_what_to_do(mistake: str, hint: str) -> None:
    assert hint in hints(MISTAKES[mistake][0])


def test_the_message_of_the_error_is_the_list_of_all_problems() -> None:
    _, problems = plan_and_problems("env: {x: 1}\n")
    assert [problem.text("s.yaml") for problem in problems] == [
        "s.yaml:1:1: the study file has no 'description'\n    hint: add 'description:'; it is required",
        "s.yaml:1:1: the study file has no 'study'\n    hint: add 'study:'; it is required",
        "s.yaml:1:7: env: unknown key 'x'\n    hint: known: dependencies, labels, sources, variables",
    ]
