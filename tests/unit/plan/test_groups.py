"""Funnels by group: all instances of a step that share the parameters of the one that waits for them."""

from __future__ import annotations

from tests.unit.planning import HEAD, commands, edges, names, plan_of

SWEEP = """\
global.parameters:
  A: {values: [1, 1, 2, 2], label: A.%%}
  B: {values: [1, 2, 1, 2], label: B.%%}
"""


def study(steps: str, group: str) -> str:
    first = "- {name: x, description: d, run: {cmd: $(A) $(B)}}\n"
    return f"{HEAD}{SWEEP}study:\n{first}{steps}mtui: {{steps: {{mean: {{group: {group}}}}}}}\n"


def test_it_waits_for_those_that_share_its_parameters() -> None:
    step = "- {name: mean, description: d, run: {cmd: '$(A) $(x.workspace)', depends: [x_*]}}\n"
    plan = plan_of(study(step, "[x]"))
    assert edges(plan)["mean_A.1"] == ["x_A.1.B.1", "x_A.1.B.2"]
    assert edges(plan)["mean_A.2"] == ["x_A.2.B.1", "x_A.2.B.2"]
    assert edges(plan_of(study(step, "[]")))["mean_A.1"] == [name for name in names(plan) if name.startswith("x_")]
    assert commands(plan)["mean_A.1"] == "1 /out/x"  # the folder of all of them, as with any funnel
    assert (plan.steps[1].groups, plan.steps[1].funnels, plan.steps[1].above) == ((0,), (), (0,))


def test_without_a_parameter_in_common_it_waits_for_all() -> None:
    step = "- {name: mean, description: d, run: {cmd: all, depends: [x_*]}}\n"
    plan = plan_of(study(step, "[x]"))
    assert edges(plan)["mean"] == [name for name in names(plan) if name.startswith("x_")]


def test_own_parameters_that_the_others_have_not_change_nothing() -> None:
    step = (
        "- {name: y, description: d, run: {cmd: $(A)}}\n"
        "- {name: mean, description: d, run: {cmd: $(A) $(B), depends: [y_*]}}\n"
    )
    found = edges(plan_of(study(step, "[y]")))
    assert found["mean_A.1.B.2"] == ["y_A.1"]
    assert found["mean_A.2.B.1"] == ["y_A.2"]


def test_combinations_are_told_apart_by_their_parameters_and_not_by_their_joined_labels() -> None:
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
