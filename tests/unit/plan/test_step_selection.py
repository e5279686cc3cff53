"""A part of a study: which steps are left."""

from __future__ import annotations

import pytest

from mtui.core.errors import UsageError
from mtui.core.plan.step_selection import StepSelection
from tests.plans import plan, step

STEPS = (step("a"), step("b", "a"), step("c", "a_*"), step("d", "b", after=["c"]), step("e"))


def skipped(part: StepSelection) -> dict[str, str]:
    return {item.name: item.skipped for item in plan(*STEPS, part=part).steps if item.skipped}


@pytest.mark.parametrize(
    ("part", "left"),
    [
        (StepSelection(), "abcde"),
        (StepSelection(only=["b"]), "b"),
        (StepSelection(only=["b", "e"]), "be"),
        (StepSelection(start=["b"]), "bd"),
        (StepSelection(start=["c"]), "cd"),
        (StepSelection(until=["c"]), "ac"),
        (StepSelection(until=["d"]), "abcd"),
        (StepSelection(start=["b"], until=["d"]), "bd"),
        (StepSelection(only=["a"], until=["d"]), "a"),
    ],
)
def test_what_is_left(part: StepSelection, left: str) -> None:
    assert {item.name for item in STEPS} - skipped(part).keys() == set(left)


def test_each_says_why_it_is_skipped() -> None:
    assert skipped(StepSelection(start=["b"], until=["b"])) == {
        "a": "before --from b",
        "c": "before --from b",
        "d": "behind --until b",
        "e": "before --from b",
    }


@pytest.mark.parametrize("part", [StepSelection(only=["bb"]), StepSelection(start=["bb"]), StepSelection(until=["bb"])])
def test_name_that_is_no_step_is_reported(part: StepSelection) -> None:
    with pytest.raises(UsageError, match="no step named 'bb'") as caught:
        plan(*STEPS, part=part)
    assert caught.value.hint == "did you mean 'b'?"
