"""Dependencies, and counters over them."""

from __future__ import annotations

import random

import pytest

from mtui.core.engine.graph import Graph, Tally
from mtui.core.plan.study_plan import Plan
from tests.plans import plan, step

ROWS = {"X": [1, 2, 3]}
DIAMOND = plan(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
# Instances 0 to 2, 3 to 5, then 6: every b waits for its own a, the one c for all of a and all of b.
FUNNELS = plan(step("a", uses="X"), step("b", "a", uses="X"), step("c", "a_*", "b_*"), rows=ROWS)
# Each b waits for the a of its row, and for all of them.
BOTH = plan(step("a", uses="X"), step("b", "a", "a_*", uses="X"), rows=ROWS)
EMPTY = plan(step("none", uses="X"), step("end", "none_*"), rows={"X": []})


def test_edges_go_both_ways_and_funnels_between_steps() -> None:
    graph = Graph(FUNNELS)
    assert graph.children == [[3], [4], [5], [], [], [], []]
    assert graph.funnel_users == [[2], [2], []]
    assert graph.users(0) == graph.users(1) == [6]
    assert graph.users(2) == []


@pytest.mark.parametrize(
    ("plan", "order"),
    [
        (DIAMOND, (3, 1, 2, 0)),
        (FUNNELS, (2, 1, 0)),
        (plan(step("a"), step("b"), step("c")), (0, 1, 2)),
        (plan(step("a"), step("b", "a"), step("c"), step("d", "b")), (3, 1, 0, 2)),
    ],
    ids=["diamond", "funnels", "side by side", "branches"],
)
def test_steps_with_the_most_above_them_come_first_else_those_of_the_plan(plan: Plan, order: tuple[int, ...]) -> None:
    assert Graph(plan).deepest_first() == order


@pytest.mark.parametrize(
    ("plan", "start", "found"),
    [
        (DIAMOND, [0], {1, 2, 3}),
        (DIAMOND, [1], {3}),
        (DIAMOND, [3], set()),
        (DIAMOND, [], set()),
        (FUNNELS, [0], {3, 6}),
        (FUNNELS, [4], {6}),
        (FUNNELS, [0, 1], {3, 4, 6}),
        (BOTH, [2], {3, 4, 5}),
    ],
)
def test_all_dependents_of_an_instance_are_found(plan: Plan, start: list[int], found: set[int]) -> None:
    assert Graph(plan).below(start) == found


@pytest.mark.parametrize(
    ("plan", "above"),
    [
        (DIAMOND, [0, 1, 1, 2]),
        (FUNNELS, [0, 0, 0, 1, 1, 1, 2]),
        (BOTH, [0, 0, 0, 2, 2, 2]),
        (EMPTY, [0]),
    ],
    ids=["diamond", "funnels", "both", "empty"],
)
def test_parent_counts_one_and_so_does_a_funnel_step_with_instances(plan: Plan, above: list[int]) -> None:
    assert Tally(Graph(plan), [True] * len(above)).above == above
    assert Tally(Graph(plan), [False] * len(above)).above == [0] * len(above)


def test_funnel_is_touched_by_the_first_and_the_last_of_its_step_only() -> None:
    tally = Tally(Graph(plan(step("a", uses="X"), step("b", "a_*"), rows=ROWS)), [False] * 4)
    assert [list(tally.change(index, True)) for index in (1, 0, 2)] == [[3], [], []]
    assert tally.above[3] == 1
    assert [list(tally.change(index, False)) for index in (2, 0, 1)] == [[], [], [3]]
    assert tally.above[3] == 0


def test_instance_over_a_direct_edge_and_a_funnel_is_touched_for_both() -> None:
    tally = Tally(Graph(BOTH), [False] * 6)
    assert sorted(tally.change(0, True)) == [3, 3, 4, 5]
    assert tally.above == [0, 0, 0, 2, 1, 1]


@pytest.mark.parametrize("plan", [DIAMOND, FUNNELS, BOTH, EMPTY], ids=["diamond", "funnels", "both", "empty"])
def test_incremental_counts_equal_a_full_recount(plan: Plan) -> None:
    chance, graph = random.Random(7), Graph(plan)
    has = [True] * len(plan.instances)
    kept = Tally(graph, has)
    for _ in range(200):
        index = chance.randrange(len(has))
        has[index] = not has[index]
        kept.change(index, has[index])
        assert vars(kept) == vars(Tally(graph, has))


def test_one_of_many_in_a_funnel_costs_nothing_below() -> None:
    wide = plan(step("a", uses="X"), step("b", "a_*", uses="X"), rows={"X": range(1000)})
    tally = Tally(Graph(wide), [True] * 2000)
    assert sum(len(tally.change(index, False)) for index in range(999)) == 0
    assert len(tally.change(999, False)) == 1000
