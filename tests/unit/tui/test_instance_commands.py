"""Commands as a person gives them: whom they reach, and what a dialog says of it."""

from __future__ import annotations

import pytest

from mtui.core.engine.commands import resolve_targets
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.errors import Refusal
from mtui.tui.views.instance_commands import VERBS, InstanceCommand, command_for, targets
from tests.plans import plan, step
from tests.unit.engine import script

PLAN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"), rows={"X": range(10)})
A, B, ALL = 0, 10, 20
EVERYTHING = range(len(PLAN.instances))


def _order(state: StudyState, verb: str, *indices: int) -> InstanceCommand:
    order = command_for(state, verb, indices)
    assert isinstance(order, InstanceCommand), order
    return order


def _state() -> StudyState:
    """Of `a` one is done, one runs, one failed (so one of `b`, and `all`, are blocked), one is held."""
    state = StudyState(PLAN)
    script.run(state, A)
    script.apply(state, script.intend("s", (A + 1, 1)), script.submitted("s"), script.started(A + 1))
    script.run(state, A + 2, Status.FAILED)
    script.apply(state, script.hold(A + 3))
    return state


@pytest.mark.parametrize(
    ("verb", "able"),
    [
        ("cancel", set(EVERYTHING) - {A, A + 2, B + 2, ALL}),
        ("retry", {A + 2}),
        ("hold", set(EVERYTHING) - {A, A + 1, A + 2, A + 3}),
        ("release", {A + 3}),
    ],
)
def test_an_order_reaches_those_for_which_it_changes_something(verb: str, able: set[int]) -> None:
    assert set(_order(_state(), verb, *EVERYTHING).indices) == able


@pytest.mark.parametrize("verb", VERBS)
def test_there_is_no_order_for_nobody(verb: str) -> None:
    over = A + 1 if verb == "rerun" else A  # one that runs cannot be run again, all else is for what is not done
    refusal = command_for(_state(), verb, [over])
    assert isinstance(refusal, Refusal)
    assert refusal.message.startswith("nothing to ")
    assert verb in refusal.message
    assert command_for(_state(), verb, []) == refusal


def test_the_title_says_what_and_how_many() -> None:
    state = _state()
    assert _order(state, "retry", A + 2).title == "Retry 1 instance?"
    assert _order(state, "cancel", *EVERYTHING).title == "Cancel 17 instances?"


def test_a_few_are_named_with_their_states() -> None:
    lines = _order(_state(), "cancel", A + 1, A + 3).lines
    assert lines[:3] == ("a_X.1  (running)", "a_X.3  (held)", "")


def test_of_many_the_first_are_named_and_the_rest_counted_by_state() -> None:
    lines = _order(_state(), "cancel", *EVERYTHING).lines
    assert [line.split("  ")[0] for line in lines[:6]] == ["a_X.1", "a_X.3", "a_X.4", "a_X.5", "a_X.6", "a_X.7"]
    assert lines[6] == "and 11 more: 8 waiting, 3 ready"


def test_cancelling_says_how_many_jobs_end_and_what_will_be_blocked() -> None:
    lines = _order(_state(), "cancel", A + 1, A + 3).lines
    assert lines[-2:] == ("1 job will be cancelled.", "2 instances downstream will be blocked.")
    assert _order(_state(), "cancel", A + 4).lines[-1] == "1 instance downstream will be blocked."


def test_what_is_cancelled_along_is_not_counted_as_blocked() -> None:
    assert _order(_state(), "cancel", A + 4, B + 4).lines[-1] == ""


def test_retrying_says_what_may_follow() -> None:
    lines = _order(_state(), "retry", A + 2).lines
    assert (
        lines[-2]
        == "Each runs as a new attempt in the same workspace, with the planned script; earlier output is kept. "
        "Changes of the study file since its start need a new study."
    )
    assert lines[-1] == "2 blocked instances downstream can then start."


def test_holding_says_until_when() -> None:
    assert _order(_state(), "hold", A + 4).lines[-1] == "They will not start until they are released."


def test_names_that_drive_a_terminal_are_shown_harmlessly() -> None:
    hostile = plan(step("a", uses="X"), rows={"X": ["\x1b]52;c;aGk=\x07", "\u202eabc"]})
    state = StudyState(hostile)
    for line in _order(state, "cancel", 0, 1).lines:
        assert not set(line) & set("\x1b\x07\u202e")


# --- how a command names them


def test_whole_steps_are_named_as_such() -> None:
    state = StudyState(PLAN)
    assert targets(state, range(A, A + 10)) == ("a",)
    assert targets(state, [*range(A, A + 10), B + 3]) == ("a", "b_X.3")
    assert targets(state, range(A, A + 9)) == tuple(f"a_X.{number}" for number in range(9))
    assert targets(state, []) == ()


def test_a_step_without_parameters_is_its_only_instance() -> None:
    assert targets(StudyState(PLAN), [ALL]) == ("all",)


def test_a_step_whose_name_is_also_that_of_an_instance_is_named_one_by_one() -> None:
    odd = plan(step("a", uses="X"), step("a_X.1", uses="X"), rows={"X": [1, 2]})
    state = StudyState(odd)
    for chosen in ({0, 1}, {2, 3}, {0, 1, 2, 3}, {1, 2}):
        found, unknown = resolve_targets(odd, state, targets(state, chosen))
        assert (set(found), unknown) == (chosen, [])


@pytest.mark.parametrize("chosen", [set(EVERYTHING), {A, B, ALL}, set(range(B, B + 10)), {A + 1, *range(B, B + 10)}])
def test_the_names_mean_just_those_instances(chosen: set[int]) -> None:
    state = _state()
    found, unknown = resolve_targets(PLAN, state, targets(state, chosen))
    assert (set(found), unknown) == (chosen, [])
