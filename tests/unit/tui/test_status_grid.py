"""What the grid shows: rows and cells, filter, order and marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.tui.views.filters import FilterError
from mtui.tui.views.status_grid import GridView, Sort
from tests.plans import plan, step
from tests.unit.engine import script

# Rows 0..5 are (A, B) = (2, x) (2, y) (10, x) (10, y) (9, x) (9, y).
ROWS = {"A": [2, 2, 10, 10, 9, 9], "B": ["x", "y", "x", "y", "x", "y"], "Z": [1, 1, 1, 1, 1, 1]}
PLAN = plan(
    step("prep"), step("mesh", "prep", uses="A"), step("sim", "mesh", uses="AB"), step("all", "sim_*"), rows=ROWS
)
PREP, ALL = 0, len(PLAN.instances) - 1
MESH = {2: 1, 10: 2, 9: 3}
SIM = 4  # the first of six


def _view() -> tuple[GridView, StudyState]:
    return GridView(PLAN), StudyState(PLAN)


# --- rows and cells


def test_rows_are_the_combinations_of_the_parameters_that_a_step_uses() -> None:
    view, _ = _view()
    assert view.parameters == ["A", "B"]
    assert [view.values(row) for row in (0, 3)] == [["2", "x"], ["10", "y"]]
    assert [step.name for step in view.steps] == ["prep", "mesh", "sim", "all"]
    assert (view.row_count, view.order) == (6, [0, 1, 2, 3, 4, 5])


def test_a_step_with_fewer_parameters_covers_several_rows_with_one_instance() -> None:
    view, _ = _view()
    assert [view.cell(row, 0) for row in view.order] == [PREP] * 6
    assert [view.cell(row, 1) for row in view.order] == [MESH[2], MESH[2], MESH[10], MESH[10], MESH[9], MESH[9]]
    assert [view.cell(row, 2) for row in view.order] == list(range(SIM, SIM + 6))
    assert view.rows_of(MESH[10]) == [2, 3]
    assert view.rows_of(ALL) == [0, 1, 2, 3, 4, 5]


def test_the_place_of_an_instance_leads_back_to_it() -> None:
    view, _ = _view()
    for index in range(len(PLAN.instances)):
        assert view.cell(*view.place(index)) == index
    assert view.place(MESH[9]) == (4, 1)


def test_a_study_without_parameters_has_one_row() -> None:
    view = GridView(plan(step("a"), step("b", "a")))
    assert (view.row_count, view.parameters, view.order) == (1, [], [0])
    assert [view.cell(0, column) for column in (0, 1)] == [0, 1]


def test_a_study_without_instances_has_no_rows_and_no_columns() -> None:
    view = GridView(plan(step("a", uses="A"), rows={"A": []}))
    assert (view.row_count, view.order, view.steps, view.shown_instances()) == (0, [], [], set())


def test_a_step_without_instances_has_no_column() -> None:
    view = GridView(plan(step("a", uses="A"), step("b"), rows={"A": []}))
    assert [step.name for step in view.steps] == ["b"]
    assert view.place(0) == (0, 0)
    assert view.cell(0, 0) == 0


# --- filter


def test_rows_with_a_match_are_shown_and_the_rest_of_them_is_not_lit() -> None:
    view, state = _view()
    for index in (PREP, *MESH.values()):
        script.run(state, index)
    script.run(state, SIM + 3, Status.FAILED)
    view.set_filter("state:failed", state)
    assert (view.order, view.hits) == ([3], {SIM + 3})
    assert [view.is_lit(view.cell(3, column)) for column in range(3)] == [False, False, True]


def test_a_match_that_spans_rows_shows_all_of_them() -> None:
    view, state = _view()
    script.run(state, PREP)
    script.run(state, MESH[10], Status.FAILED)
    view.set_filter("state:failed", state)
    assert view.order == [2, 3]
    view.set_filter("step:prep", state)
    assert view.order == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "rows"),
    [("A=10", [2, 3]), ("A>2 B=y", [3, 5]), ("!A=2 step:mesh", [2, 3, 4, 5]), ("A=10 step:all", [2, 3]), ("A=77", [])],
)
def test_a_row_that_a_parameter_rules_out_is_not_shown_for_an_instance_that_covers_it_too(
    text: str, rows: list[int]
) -> None:
    view, state = _view()
    view.set_filter(text, state)
    assert view.order == rows


def test_a_filter_that_means_nothing_changes_nothing() -> None:
    view, state = _view()
    view.set_filter("A=10", state)
    with pytest.raises(FilterError):
        view.set_filter("state:nonsense", state)
    assert (view.filter.text, view.order) == ("A=10", [2, 3])


def test_the_filter_is_applied_again_when_states_have_changed() -> None:
    view, state = _view()
    view.set_filter("state:done", state)
    assert view.order == []
    assert view.depends_on_state
    assert not view.arrange(state)
    script.run(state, PREP)
    assert view.arrange(state)
    assert view.order == [0, 1, 2, 3, 4, 5]


def test_an_empty_filter_shows_everything() -> None:
    view, state = _view()
    view.set_filter("A=10", state)
    view.set_filter("", state)
    assert (view.order, view.hits, view.depends_on_state) == ([0, 1, 2, 3, 4, 5], None, False)
    assert all(map(view.is_lit, range(len(PLAN.instances))))


# --- order


def test_numbers_are_sorted_by_size_and_before_texts() -> None:
    values = ["10", "9", "b", "1e3", "-1", "a", "10"]
    view = GridView(plan(step("s", uses="A"), rows={"A": values}))
    state = StudyState(view.plan)
    view.set_sort(Sort("A"), state)
    assert [values[row] for row in view.order] == ["-1", "9", "10", "10", "1e3", "a", "b"]
    view.set_sort(Sort("A", descending=True), state)
    assert [values[row] for row in view.order] == ["b", "a", "1e3", "10", "10", "9", "-1"]


def test_rows_of_one_value_keep_their_order() -> None:
    view, state = _view()
    view.set_sort(Sort("B"), state)
    assert view.order == [0, 2, 4, 1, 3, 5]
    view.set_sort(Sort("B", descending=True), state)
    assert view.order == [1, 3, 5, 0, 2, 4]


@given(st.lists(st.text() | st.floats().map(str) | st.integers().map(str), min_size=1, max_size=12))
def test_any_values_can_be_sorted(values: list[str]) -> None:
    view = GridView(plan(step("s", uses="AN"), rows={"A": values, "N": range(len(values))}))
    for descending in (False, True):
        view.set_sort(Sort("A", descending=descending), StudyState(view.plan))
        assert sorted(view.order) == list(range(view.row_count))


def test_what_failed_comes_first_when_sorted_by_state() -> None:
    view, state = _view()
    for index in (PREP, *MESH.values()):
        script.run(state, index)
    script.run(state, SIM + 1)
    script.run(state, SIM + 4, Status.TIMED_OUT)
    script.apply(state, script.cancel(SIM + 5))
    view.set_sort(Sort("state:sim"), state)
    assert view.order == [4, 5, 0, 2, 3, 1]
    assert view.depends_on_state


def test_everything_to_sort_by_is_offered_in_words() -> None:
    view, _ = _view()
    assert [sort.words for sort in view.sorts()] == [
        "as in the study file",
        "A",
        "B",
        *(f"state of {name}" for name in ("prep", "mesh", "sim", "all")),
    ]
    assert Sort("A", descending=True).words == "A, descending"


def test_filter_and_order_hold_together() -> None:
    view, state = _view()
    view.set_sort(Sort("A", descending=True), state)
    view.set_filter("B=y", state)
    assert view.order == [3, 5, 1]


# --- from one to the next


def _way(view: GridView, state: StudyState, step: int, count: int) -> list[int]:
    """Whom one meets in so many steps from nowhere."""
    found: list[int] = []
    for _ in range(count):
        index = view.next_hit(found[-1] if found else None, step, state)
        assert index is not None
        found.append(index)
    return found


def test_one_goes_from_hit_to_hit_all_around() -> None:
    view, state = _view()
    view.set_filter("step:sim A!=10", state)
    assert _way(view, state, 1, 5) == [SIM, SIM + 1, SIM + 4, SIM + 5, SIM]
    assert _way(view, state, -1, 3) == [SIM + 5, SIM + 4, SIM + 1]
    assert view.next_hit(SIM + 2, 1, state) == SIM, "from where nothing is shown"


def test_without_a_filter_one_goes_to_what_failed() -> None:
    view, state = _view()
    assert view.next_hit(SIM, 1, state) is None
    script.run(state, PREP)
    script.run(state, MESH[2], Status.FAILED)
    script.run(state, MESH[9], Status.FAILED)
    assert _way(view, state, 1, 3) == [MESH[2], MESH[9], MESH[2]]


def test_the_way_is_that_of_the_screen_when_rows_are_sorted() -> None:
    view, state = _view()
    view.set_filter("step:sim", state)
    view.set_sort(Sort("A", descending=True), state)
    assert _way(view, state, 1, 6) == [SIM + 2, SIM + 3, SIM + 4, SIM + 5, SIM, SIM + 1]


def test_an_instance_of_many_rows_is_met_once_where_its_first_row_is_shown() -> None:
    view, state = _view()
    view.set_filter("B=y", state)
    assert [view.shown_at(MESH[2]), view.shown_at(MESH[10]), view.shown_at(SIM)] == [(0, 1), (1, 1), None]


# --- marks


def test_what_is_shown_is_what_the_filter_found() -> None:
    view, state = _view()
    assert view.shown_instances() == set(range(len(PLAN.instances)))
    view.set_filter("step:sim A=9", state)
    assert view.shown_instances() == {SIM + 4, SIM + 5}


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [
        ((0, 2), (1, 2), {SIM, SIM + 1}),
        ((1, 2), (0, 1), {SIM, SIM + 1, MESH[2]}),
        ((3, 1), (3, 1), {MESH[10]}),
        ((1, 1), (2, 1), {MESH[2], MESH[10]}),
    ],
)
def test_a_block_is_the_content_of_its_cells(first: tuple[int, int], last: tuple[int, int], found: set[int]) -> None:
    view, _ = _view()
    assert view.block(first, last) == found


def test_a_block_follows_the_order_on_the_screen_and_holds_only_what_is_lit() -> None:
    view, state = _view()
    view.set_sort(Sort("A", descending=True), state)
    assert view.block((0, 2), (1, 2)) == {SIM + 2, SIM + 3}
    view.set_filter("step:sim", state)
    assert view.block((0, 0), (0, 3)) == {SIM + 2}
