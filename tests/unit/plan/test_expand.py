"""Instances, edges and workspaces of a study."""

from __future__ import annotations

import pytest

from mtui.core.plan import Plan
from mtui.core.plan.expand import path_component
from mtui.core.plan.parameter_table import ParameterTable
from tests.unit.planning import HEAD, commands, edges, names, plan_of, problem_lines

SWEEP = """\
global.parameters:
  A: {values: [1, 1, 2], label: A.%%}
  B: {values: [x, y, x], label: B.%%}
"""


def plan(steps: str, parameters: str = SWEEP, **options: bool) -> Plan:
    return plan_of(f"{HEAD}study:\n{steps}{parameters}", **options)


def step(name: str, cmd: str = "x", depends: str = "", more: str = "") -> str:
    return f"- {{name: {name}, description: d, run: {{cmd: '{cmd}', depends: [{depends}]{more}}}}}\n"


def used(made: Plan) -> dict[str, tuple[str, ...]]:
    return {planned.name: planned.used for planned in made.steps}


# --- which parameters a step uses


@pytest.mark.parametrize(
    "more", ["", ", restart: $(A)", ", walltime: 00:$(A):00", ", pre: $(A)", ", qos: q$(A.label)", ", nodes: $(A)"]
)
def test_a_parameter_counts_wherever_it_is_used(more: str) -> None:
    made = plan(step("a", "x" if more else "$(A)", more=more))
    assert names(made) == ["a_A.1", "a_A.2"]


def test_a_parameter_in_the_description_or_in_exclusive_counts() -> None:
    first = "- {name: a, description: of $(A.name), run: {cmd: x}}\n"
    assert used(plan(first + step("b", more=", exclusive: {allocation: $(B)}"))) == {"a": ("A",), "b": ("B",)}


def test_parameters_come_from_direct_dependencies_and_workspaces_but_not_through_funnels() -> None:
    made = plan(
        step("a", "$(A)")
        + step("b", "$(B)", "a")
        + step("funnel", "ls $(a.workspace)", "a_*")
        + step("mixed", "ls $(b.workspace)", "a_*, b_*, a")
        + step("names", "ls $(a.workspace)", "funnel")
        + step("plain", "x", "funnel")
    )
    assert used(made) == {
        "a": ("A",),
        "b": ("A", "B"),
        "funnel": (),
        "mixed": ("A",),
        "names": ("A",),
        "plain": (),
    }


def test_a_parameter_under_an_env_entry_of_its_name_is_not_used() -> None:
    text = HEAD + "env: {variables: {A: 9}}\nstudy:\n" + step("a", "$(A) $(B)") + SWEEP
    assert names(plan_of(text)) == ["a_B.x", "a_B.y"]


def test_a_parameter_inside_of_an_env_entry_is_used() -> None:
    text = HEAD + "env: {variables: {V: 1}, labels: {L: dir/$(A)}}\nstudy:\n" + step("a", "ls $(L)") + SWEEP
    assert commands(plan_of(text)) == {"a_A.1": "ls dir/1", "a_A.2": "ls dir/2"}


# --- instances and edges


def test_an_instance_for_each_combination_in_row_order() -> None:
    made = plan(step("a", "$(B) $(A)"))
    assert names(made) == ["a_A.1.B.x", "a_A.1.B.y", "a_A.2.B.x"]
    assert [instance.workspace for instance in made.instances] == ["a/A.1.B.x", "a/A.1.B.y", "a/A.2.B.x"]
    assert [made.params(instance) for instance in made.instances][1] == {"A": "1", "B": "y"}


def test_labels_are_sorted_by_key_not_by_order_of_definition() -> None:
    parameters = "global.parameters:\n  Z: {values: [1], label: Z%%}\n  B: {values: [2], label: B%%}\n"
    assert names(plan(step("a", "$(Z) $(B)"), parameters)) == ["a_B2.Z1"]


def test_the_first_row_of_a_shared_label_counts() -> None:
    parameters = "global.parameters:\n  P: {values: [7, 8], label: same}\n"
    assert commands(plan(step("a", "echo $(P)"), parameters)) == {"a_same": "echo 7"}


def test_by_row_says_which_instance_covers_a_row() -> None:
    made = plan(step("a", "$(A)") + step("b", "$(B)"))
    assert [list(planned.by_row) for planned in made.steps] == [[0, 0, 1], [2, 3, 2]]


def test_direct_edges_join_instances_of_the_same_row() -> None:
    made = plan(
        step("a", "$(A)") + step("b", "$(B)", "a") + step("c", "x", "b") + step("d", "$(B)", "once") + step("once")
    )
    found = edges(made)
    assert found["b_A.1.B.y"] == ["a_A.1"]
    assert found["c_A.2.B.x"] == ["b_A.2.B.x"]
    assert found["d_B.x"] == ["once"]


def test_a_funnel_waits_for_all_instances() -> None:
    made = plan(step("a", "$(A)") + step("all", "x", "a_*") + step("each", "$(B)", "a*") + step("both", "x", "a, a_*"))
    found = edges(made)
    assert found["all"] == found["each_B.x"] == found["each_B.y"] == found["both_A.1"] == ["a_A.1", "a_A.2"]
    assert found["all"] == ["a_A.1", "a_A.2"]
    assert names(made) == ["a_A.1", "a_A.2", "all", "each_B.x", "each_B.y", "both_A.1", "both_A.2"]


def test_a_funnel_is_not_stored_as_edges() -> None:
    made = plan(step("a", "$(A)") + step("all", "x", "a_*"))
    assert made.instances[-1].parents == ()
    assert made.steps[1].funnels == (0,)


def test_a_sweep_without_values_makes_no_instances() -> None:
    parameters = "global.parameters: {P: {values: [], label: P%%}}\n"
    made = plan(step("a", "$(P)") + step("b", "x", "a") + step("c", "x", "a_*"), parameters)
    assert edges(made) == {"c": []}


# --- workspaces


def test_paths_keep_safe_characters_only() -> None:
    assert path_component("a-b_c.d (e) é/ü,f:g") == "a-b_c.d_(e)_fg"


def test_names_keep_what_paths_lose() -> None:
    made = plan(step("a", "$(P)"), "global.parameters: {P: {values: ['x y/é'], label: P.%%}}\n")
    (instance,) = made.instances
    assert (instance.name, instance.workspace, instance.stem) == ("a_P.x y/é", "a/P.x_y", "a_P.x_y")


@pytest.mark.parametrize(
    ("rows", "first", "last"),
    [(1, "a_instance_0", "a_instance_0"), (10, "a_instance_0", "a_instance_9"), (11, "a_instance_00", "a_instance_10")],
)
def test_numbered_workspaces_have_as_many_digits_as_they_need(rows: int, first: str, last: str) -> None:
    values = [number % rows for number in range(2 * rows)]  # every value twice
    made = plan(
        step("a", "$(P)") + step("b"), f"global.parameters: {{P: {{values: {values}, label: P.%%}}}}\n", hashws=True
    )
    assert [made.instances[index].stem for index in (0, rows - 1)] == [first, last]
    assert made.instances[0].workspace == f"a/{first}"
    assert (made.instances[0].name, made.instances[-1].workspace) == ("a_P.0", "b")


def test_numbered_workspaces_need_no_safe_or_short_labels() -> None:
    parameters = f"global.parameters: {{P: {{values: ['a,b', ab, ',', {'x' * 300}], label: '%%'}}}}\n"
    made = plan(step("a", "$(P)"), parameters, hashws=True)
    assert [instance.workspace for instance in made.instances] == [f"a/a_instance_{n}" for n in range(4)]


def test_workspace_tokens_give_the_instance_of_the_row_or_the_common_folder() -> None:
    made = plan(
        step("a", "$(A)")
        + step("one")
        + step("row", "ls $(a.workspace) $(one.workspace) $(WORKSPACE) $(B)", "a, one")
        + step("all", "ls $(a.workspace)/*:$(row.workspace)", "a_*, row_*")
        + step("both", "ls $(a.workspace)", "a, a_*")
    )
    found = commands(made)
    assert found["row_A.1.B.y"] == "ls /out/a/A.1 /out/one /out/row/A.1.B.y y"
    assert found["all"] == "ls /out/a/*:/out/row"
    assert found["both_A.2"] == "ls /out/a"


def test_a_workspace_token_in_a_value_is_left_to_the_shell() -> None:
    parameters = "global.parameters: {P: {values: ['$(a.workspace)'], label: same}}\n"
    assert commands(plan(step("a") + step("b", "ls $(P)", "a"), parameters))["b_same"] == "ls $(a.workspace)"


@pytest.mark.parametrize("label", [".", "..", "é", "$"])
def test_a_label_that_makes_no_directory_is_refused(label: str) -> None:
    text = f"{HEAD}study:\n{step('a', '$(P)')}global.parameters: {{P: {{values: [1], label: '{label}'}}}}\n"
    assert "cannot have a directory" in problem_lines(text)[0]
    assert names(plan_of(text, hashws=True)) == [f"a_{label}"]


def test_workspaces_of_steps_whose_names_are_alike() -> None:
    made = plan(
        step("run", "$(A)")
        + step("run-2")
        + step("run.2")
        + step("a b")
        + step("n_$(A)")
        + step("user", "ls $(run.workspace) $(run-2.workspace) $(run.2.workspace) $(a b.workspace) $(n_$(A).workspace)",
               "run, run-2, run.2, a b, n_$(A)")
    )  # fmt: skip
    assert commands(made)["user_A.1"] == "ls /out/run/A.1 /out/run-2 /out/run.2 /out/a_b /out/n_(A)/A.1"


# --- order


def test_steps_may_be_in_any_order() -> None:
    made = plan(
        step("last", "ls $(middle.workspace)", "middle") + step("middle", "x", "first_*") + step("first", "$(A)")
    )
    assert [planned.name for planned in made.steps] == ["first", "middle", "last"]
    assert edges(made)["middle"] == ["first_A.1", "first_A.2"]


def test_steps_keep_the_order_of_the_file_where_they_can() -> None:
    made = plan(step("c") + step("b") + step("a", "x", "z") + step("z"))
    assert [planned.name for planned in made.steps] == ["c", "b", "z", "a"]


def test_a_step_comes_after_one_whose_workspace_it_uses() -> None:
    made = plan(step("user", "ls $(a.workspace)") + step("a", "$(A)"))
    assert [planned.name for planned in made.steps] == ["a", "user"]
    assert edges(made)["user_A.1"] == []


def test_a_chain_of_many_steps_needs_no_deep_stack() -> None:
    made = plan("".join(step(f"s{n}", "$(A)" if n == 0 else "x", f"s{n - 1}" if n else "") for n in range(1200)))
    assert len(made.instances) == 2400
    assert edges(made)["s1199_A.2"] == ["s1198_A.2"]


def test_the_same_study_plans_the_same() -> None:
    steps = "".join(step(f"s{n}", "$(A) $(B)", f"s{n // 2}, s{n // 3}_*" if n > 1 else "") for n in range(20))
    assert plan(steps) == plan(steps)


# --- the rows of a sweep


def test_labels_values_and_names_are_put_in_by_order_of_definition() -> None:
    table = ParameterTable(("A", "B"), ("A", "second"), (("$(B)",), ("$(A)",)), (("a%",), ("b",)))
    assert table.apply(0, "$(A) $(B) $(A.label) $(B.name) $(C) $( A )") == "$(A) $(A) a% second $(C) $( A )"


def test_combinations_distinguish_joined_labels() -> None:
    table = ParameterTable(("A", "B"), ("A", "B"), (("1", "1.2"), ("2.3", "3")), (("1", "1.2"), ("2.3", "3")))
    assert table.combinations(["B", "A"]) == ["1.2.3", "1.2.3"]
    assert table.distinct(["B", "A"]) == {("1", "2.3"), ("1.2", "3")}
    assert (table.combinations([]), table.distinct([])) == ([], set())
