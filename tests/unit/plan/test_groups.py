"""Funnels by group: all instances of a step that share the parameters of the one that waits for them."""

from __future__ import annotations

import json
from pathlib import Path

from mtui.core.engine.graph import Graph
from mtui.core.engine.slurm_dependencies import DependencyPlanner, PlannedSubmission
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.store.study_file import Settings, StudyFile, read_study_file, write_study_file
from tests.plans import plan, step
from tests.unit.engine.script import apply, intend, retry, run, submitted
from tests.unit.planning import HEAD, commands, edges, names, plan_of

ROWS = {"A": [1, 1, 2, 2], "B": [1, 2, 1, 2]}
SWEEP = """\
global.parameters:
  A: {values: [1, 1, 2, 2], label: A.%%}
  B: {values: [1, 2, 1, 2], label: B.%%}
"""


def study(steps: str, group: str) -> str:
    first = "- {name: x, description: d, run: {cmd: $(A) $(B)}}\n"
    return f"{HEAD}{SWEEP}study:\n{first}{steps}mtui: {{steps: {{mean: {{group: {group}}}}}}}\n"


def test_it_waits_for_those_that_share_its_parameters() -> None:
    own = "- {name: mean, description: d, run: {cmd: '$(A) $(x.workspace)', depends: [x_*]}}\n"
    made = plan_of(study(own, "[x]"))
    assert edges(made)["mean_A.1"] == ["x_A.1.B.1", "x_A.1.B.2"]
    assert edges(made)["mean_A.2"] == ["x_A.2.B.1", "x_A.2.B.2"]
    assert edges(plan_of(study(own, "[]")))["mean_A.1"] == [name for name in names(made) if name.startswith("x_")]
    assert commands(made)["mean_A.1"] == "1 /out/x"  # the folder of all of them, as with any funnel
    assert (made.steps[1].groups, made.steps[1].funnels, made.steps[1].above) == ((0,), (), (0,))


def test_without_a_parameter_in_common_it_waits_for_all() -> None:
    own = "- {name: mean, description: d, run: {cmd: all, depends: [x_*]}}\n"
    made = plan_of(study(own, "[x]"))
    assert edges(made)["mean"] == [name for name in names(made) if name.startswith("x_")]


def test_own_parameters_that_the_others_have_not_change_nothing() -> None:
    own = (
        "- {name: y, description: d, run: {cmd: $(A)}}\n"
        "- {name: mean, description: d, run: {cmd: $(A) $(B), depends: [y_*]}}\n"
    )
    found = edges(plan_of(study(own, "[y]")))
    assert found["mean_A.1.B.2"] == ["y_A.1"]
    assert found["mean_A.2.B.1"] == ["y_A.2"]


def test_combinations_are_distinguished_by_their_parameters_and_not_by_their_joined_labels() -> None:
    text = f"""{HEAD}
global.parameters:
  A: {{values: [1, 1.1], label: "%%"}}
  B: {{values: [1.2, 3], label: "%%x"}}
study:
- {{name: x, description: d, run: {{cmd: $(A) $(B)}}}}
- {{name: mean, description: d, run: {{cmd: $(A) $(B), depends: [x_*]}}}}
mtui: {{steps: {{mean: {{group: [x]}}}}}}
"""
    found = edges(plan_of(text))
    assert found["mean_1.1.2x"] == ["x_1.1.2x"]
    assert found["mean_1.1.3x"] == ["x_1.1.3x"]


def test_rows_that_share_a_group_share_one_barrier_instead_of_an_edge_for_each_pair() -> None:
    rows = 300
    made = plan(
        step("x", uses="AB"),
        step("mean", "x_*", uses="AC", group=["x"]),
        rows={"A": [1] * rows, "B": range(rows), "C": range(rows)},
    )
    assert [len(members) for members in made.barriers] == [rows]
    assert {instance.barriers for instance in made.instances[rows:]} == {(0,)}
    assert sum(len(instance.parents) for instance in made.instances) == 0
    assert list(made.parents(made.instances[-1])) == list(range(rows))

    graph = Graph(made)

    assert graph.dependents(0) == list(range(rows, 2 * rows))
    assert sum(map(len, graph.children)) + sum(map(len, graph.barrier_users)) == rows


def test_end_of_one_of_a_group_concerns_the_rest_once_the_last_one_ends() -> None:
    state = StudyState(plan(step("x", uses="AB"), step("mean", "x_*", uses="A", group=["x"]), rows=ROWS))
    assert state.waits_for(4) == 1
    run(state, 0)
    assert (state.status[4], state.open_parents(4)) == (Status.WAITING, [1])
    run(state, 1)
    assert (state.status[4], state.status[5]) == (Status.READY, Status.WAITING)


def test_failure_in_a_group_blocks_what_waits_for_it() -> None:
    state = StudyState(plan(step("x", uses="AB"), step("mean", "x_*", uses="A", group=["x"]), rows=ROWS))
    run(state, 1, Status.FAILED)
    assert (state.failed_above(4), state.status[4], state.status[5]) == (1, Status.BLOCKED, Status.WAITING)
    assert state.below([1]) == {4}
    apply(state, retry(1))
    assert state.status[4] is Status.WAITING


def test_group_is_bound_to_the_jobs_of_its_members() -> None:
    state = StudyState(
        plan(step("x", uses="AB"), step("mean", "x_*", uses="AC", group=["x"]), rows={**ROWS, "C": [1] * 4})
    )
    apply(state, intend("s", *((index, 1) for index in range(4))), submitted("s", "10"))
    assert DependencyPlanner(state).starts([4, 5], 10) == [
        PlannedSubmission((4,), after="afterok:10_0:10_1"),
        PlannedSubmission((5,), after="afterok:10_2:10_3"),
    ]


def test_plan_with_an_edge_for_each_pair_that_an_older_mtui_stored_still_holds(tmp_path: Path) -> None:
    made = plan(step("x", uses="AB"), step("mean", "x_*", uses="A", group=["x"]), rows=ROWS)
    path = tmp_path / "study.json"
    write_study_file(path, StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), made))
    assert read_study_file(path).plan.barriers == made.barriers
    record = json.loads(path.read_text())
    del record["barriers"]
    for row, instance in zip(record["instances"], made.instances, strict=True):
        row[5:] = [list(made.parents(instance))]
    path.write_text(json.dumps(record))

    old = read_study_file(path).plan

    assert [list(old.parents(instance)) for instance in old.instances] == [
        list(made.parents(instance)) for instance in made.instances
    ]
