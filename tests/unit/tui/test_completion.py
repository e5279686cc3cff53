"""What is suggested of many names, and where the verb was left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.core.engine.commands import FAILED
from mtui.tui.cli.verbs import completion
from mtui.tui.cli.verbs.completion import bounded, with_verb

SWEEP = [f"sim_SIZE.{size}.TRIAL.{trial}" for size in range(30) for trial in range(500)]


@pytest.mark.parametrize(
    ("prefix", "suggested"),
    [
        ("", [f"sim_SIZE.{size}." for size in range(30)]),
        ("sim_SIZE.2", ["sim_SIZE.2.", *(f"sim_SIZE.{size}." for size in range(20, 30))]),
        ("sim_SIZE.7.", [f"sim_SIZE.7.TRIAL.{digit}" for digit in range(10)]),  # 500 values: by one digit more
        ("sim_SIZE.7.TRIAL.49", [f"sim_SIZE.7.TRIAL.{trial}" for trial in (49, *range(490, 500))]),
        ("post", []),
    ],
)
def test_of_many_names_the_next_part_is_suggested(prefix: str, suggested: list[str]) -> None:
    assert bounded(SWEEP, prefix) == suggested


@given(st.lists(st.text("ab._", max_size=12), unique=True, max_size=300), st.text("ab._", max_size=2))
def test_whatever_is_suggested_leads_to_every_name(names: list[str], prefix: str) -> None:
    suggested = bounded(names, prefix)
    found = [name for name in names if name.startswith(prefix)]
    assert all(any(name.startswith(one) for one in suggested) for name in found)
    assert all(one.startswith(prefix) for one in suggested)
    assert len(suggested) <= 100
    assert len(suggested) == len(set(suggested))
    assert len(suggested) > 1 or len(found) <= 1  # a single one would be taken for the whole word


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("mtui ", "mtui "),
        ("mtui sta", "mtui sta"),
        ("mtui status ", "mtui status "),
        ("mtui status out -", "mtui status out -"),
        ("mtui study.yaml ", "mtui run study.yaml "),
        ("  /a/mtui  study.yaml --lo", "  /a/mtui  run study.yaml --lo"),
        ("mtui --no-ui stu", "mtui run --no-ui stu"),
        ("mtui -", "mtui run -"),
        ("mtui", "mtui"),
    ],
)
def test_the_verb_may_be_left_out(line: str, completed: str) -> None:
    assert with_verb(line) == completed


def test_the_word_for_what_failed_is_that_of_the_commands() -> None:
    assert completion._FAILED == FAILED
