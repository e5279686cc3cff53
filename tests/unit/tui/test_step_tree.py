"""The step tree: depths, and bars of shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.core.plan.study_plan import Plan
from mtui.tui.app.widgets.step_tree import depths, shares, waits_for
from mtui.tui.views.appearance import StatusGroup
from tests.plans import plan, step

DIAMOND = plan(
    step("prep"),
    step("left", "prep", uses="A"),
    step("right", "prep", uses="A"),
    step("join", "left", "right", uses="A"),
    step("all", "join_*"),
    step("lone"),
    rows={"A": range(20)},
)


def _by_name(plan: Plan, found: list[int]) -> dict[str, int]:
    return {step.name: depth for step, depth in zip(plan.steps, found, strict=True)}


# --- the graph


def test_the_depth_of_a_step_is_its_longest_way_down() -> None:
    expected = {"prep": 0, "left": 1, "right": 1, "join": 2, "all": 3, "lone": 0}
    assert _by_name(DIAMOND, depths(DIAMOND)) == expected
    detour = plan(step("a"), step("b", "a"), step("c", "a", "b"), step("d", "c_*", "a"))
    assert _by_name(detour, depths(detour)) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_what_a_step_waits_for_is_shown_in_words() -> None:
    words = {step.name: waits_for(DIAMOND, step) for step in DIAMOND.steps}
    assert words["prep"] == "nothing"
    assert words["join"] == "left and right"
    assert words["all"] == "all of join"


# --- shares


def test_shares_are_in_proportion() -> None:
    assert shares({StatusGroup.DONE: 50, StatusGroup.RUNNING: 25, StatusGroup.WAITING: 25}, 8) == {
        StatusGroup.DONE: 4,
        StatusGroup.RUNNING: 2,
        StatusGroup.WAITING: 2,
    }


@pytest.mark.parametrize("group", StatusGroup)
def test_one_among_many_is_seen(group: StatusGroup) -> None:
    many = StatusGroup.DONE if group is not StatusGroup.DONE else StatusGroup.WAITING
    assert shares({many: 100_000, group: 1}, 10) == {many: 9, group: 1}


def test_nothing_has_no_shares() -> None:
    assert shares({}, 10) == {}
    assert shares({StatusGroup.DONE: 0}, 10) == {}
    assert shares({StatusGroup.DONE: 3}, 0) == {}


@given(st.dictionaries(st.sampled_from(StatusGroup), st.integers(0, 10**6)), st.integers(7, 80))
def test_a_bar_has_the_requested_width_and_hides_no_group(counts: dict[StatusGroup, int], width: int) -> None:
    cells = shares(counts, width)
    present = {group for group, count in counts.items() if count}
    assert set(cells) == present
    assert all(count >= 1 for count in cells.values())
    assert sum(cells.values()) == (width if present else 0)


@given(st.dictionaries(st.sampled_from(StatusGroup), st.integers(1, 10**6), min_size=1), st.integers(7, 80))
def test_more_never_gets_less_of_a_bar(counts: dict[StatusGroup, int], width: int) -> None:
    cells = shares(counts, width)
    for one in counts:
        for other in counts:
            assert counts[one] > counts[other] or cells[one] <= cells[other] + 1


def test_failures_are_shown_between_what_is_done_and_what_is_to_come() -> None:
    assert list(shares(dict.fromkeys(StatusGroup, 5), 14)) == [
        StatusGroup.DONE,
        StatusGroup.FAILED,
        StatusGroup.CANCELLED,
        StatusGroup.BLOCKED,
        StatusGroup.RUNNING,
        StatusGroup.QUEUED,
        StatusGroup.WAITING,
    ]
