"""Rows that are added to a plan: what was there stays, what is new is as in a plan that had it from the beginning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtui.core.errors import UsageError
from mtui.core.plan.extend import extend_plan, widened_funnels
from mtui.core.plan.instance_script import render
from mtui.core.plan.study_plan import Plan
from tests.plans import plan, step

STEPS = (
    step("once"),
    step("a", "once", uses="X"),
    step("b", "a", uses="Y"),
    step("mean", "b_*", uses="X", group=["b"]),
    step("all", "mean_*", after=["b_*"]),
    step("last", "all", "a", uses="X"),
)


def made(xs: list[int], ys: list[int]) -> Plan:
    return plan(*STEPS, rows={"X": xs, "Y": ys})


def facts(found: Plan) -> dict[str, object]:
    """What every instance is, by name."""
    return {
        item.name: (
            found.step_of(item).name,
            item.workspace,
            item.stem,
            sorted(found.instances[parent].name for parent in found.parents(item)),
            found.params(item),
            render(found, item),
        )
        for item in found.instances
    }


def test_added_rows_make_the_plan_that_had_them_from_the_beginning() -> None:
    old, whole = made([1, 2], [5, 5]), made([1, 2, 1, 3], [5, 5, 6, 5])
    found = extend_plan(old, whole.parameters)
    assert facts(found) == facts(whole)
    assert [item.name for item in found.instances[: len(old.instances)]] == [item.name for item in old.instances]
    assert found.sizes == (len(old.instances), len(whole.instances))
    assert all(item.index == index for index, item in enumerate(found.instances))
    names = [found.instances[index].name for index in widened_funnels(found, len(old.instances))]
    assert names == ["mean_X.1", "all"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=8), st.data())
def test_whatever_rows_are_added_in_whatever_steps(rows: list[tuple[int, int]], data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(rows)))
    second = data.draw(st.integers(first, len(rows)))
    found = made([x for x, _ in rows[:first]], [y for _, y in rows[:first]])
    for end in (second, len(rows)):
        whole = made([x for x, _ in rows[:end]], [y for _, y in rows[:end]])
        found = extend_plan(found, whole.parameters)
        assert facts(found) == facts(whole)
        for item in found.steps:
            assert [found.instances[index].step for index in item.instances] == [item.index] * len(item.instances)
            assert len(item.by_row) == (len(found.parameters.labels[0]) if item.used else 0)
        assert widened_funnels(found, len(found.instances)) == []


def test_rows_that_are_there_add_nothing() -> None:
    old = made([1, 2], [5, 6])
    assert extend_plan(old, made([2, 1], [6, 5]).parameters) is old
    assert extend_plan(old, made([1], [5]).parameters) is old


def test_other_parameters_are_refused() -> None:
    with pytest.raises(UsageError, match="the study's parameters are X, Y, and not X"):
        extend_plan(made([1], [2]), plan(step("a", uses="X"), rows={"X": [1]}).parameters)


def test_numbered_workspaces_continue_their_numbers() -> None:
    old = plan(step("a", uses="X"), rows={"X": range(3)}, hashws=True)
    found = extend_plan(old, plan(step("a", uses="X"), rows={"X": range(12)}).parameters)
    assert [item.workspace for item in found.instances[2:5]] == ["a/a_instance_2", "a/a_instance_3", "a/a_instance_4"]
    assert found.instances[11].stem == "a_instance_11"


def test_row_whose_directory_another_has_is_refused() -> None:
    old = plan(step("a", uses="X"), rows={"X": ["a,b"]})
    with pytest.raises(UsageError, match=r"there is an instance 'a_X\.ab' already, or one in 'a/X\.ab'"):
        extend_plan(old, plan(step("a", uses="X"), rows={"X": ["ab"]}).parameters)
