"""How `mtui plan` explains packing."""

from __future__ import annotations

import io

import pytest

from mtui.core.plan.cost import cost_of
from mtui.core.spec.study_spec import MtuiBlock, PackingOptions
from mtui.tui.cli.verbs.plan_view import plan_text
from mtui.tui.views.text import Paint
from tests.unit.planning import HEAD, SLURM, plan_of

PLAIN = Paint(io.StringIO())


def rows(count: int) -> str:
    values = ", ".join(map(str, range(count)))
    nodes = ", ".join(str(1 + index // 60) for index in range(count))
    return f"global.parameters: {{X: {{values: [{values}], label: X.%%}}, N: {{values: [{nodes}], label: N.%%}}}}\n"


def study(run: str = "", all_of: str = "procs: 4", count: int = 100) -> str:
    return (
        f"{HEAD}{SLURM}{rows(count)}study:\n"
        f"- {{name: run, description: d, run: {{cmd: echo $(X), procs: 1, walltime: '10:00'{run}}}}}\n"
        f"- {{name: all, description: d, run: {{cmd: echo all, {all_of}, depends: [run_*]}}}}\n"
    )


def said(text: str, pack: PackingOptions | None) -> list[str]:
    """What the plan says between its totals and the directory."""
    return totals_and_rest(text, pack)[2:]


def totals_and_rest(text: str, pack: PackingOptions | None) -> list[str]:
    lines = plan_text(plan_of(text), "s.yaml", [], PLAIN, MtuiBlock(pack=pack)).splitlines()
    first = next(number for number, line in enumerate(lines) if "on Slurm," in line)
    last = next(number for number, line in enumerate(lines) if line.startswith("Study directory: "))
    return lines[first:last]


ALONE = "  Dependents in the same allocation start there automatically, even without a driver."
IDLE = "  It is released when all instances are done, or after 60 seconds idle."


@pytest.mark.parametrize(
    ("pack", "size"),
    [
        (PackingOptions(), "at most 1 at a time, 1 whole node, up to 1:00:00"),
        (PackingOptions(walltime="4:00:00", nodes=2), "at most 1 at a time, 2 whole nodes, up to 4:00:00"),
        (PackingOptions(cores=16), "at most 1 at a time, 16 cores on 1 node, up to 1:00:00"),
        (PackingOptions(cores=16, nodes=2), "at most 1 at a time, 16 cores on each of 2 nodes, up to 1:00:00"),
    ],
)
def test_what_goes_together_and_into_what(pack: PackingOptions, size: str) -> None:
    assert said(study(), pack) == [
        f"100 instances of run and 1 of all share allocations: {size}, instead of 101 jobs.",
        IDLE,
        ALONE,
    ]


def test_when_another_is_requested() -> None:
    lines = said(study(), PackingOptions(allocations=3, idle=120, more_after=90))
    assert "at most 3 at a time" in lines[0]
    words = "Another one is requested if instances would wait longer than 90 seconds. An allocation"
    assert lines[1] == f"  {words} is released when all instances are done, or after 2 minutes idle."


def test_a_line_for_each_pool_with_what_distinguishes_them() -> None:
    lines = said(study(all_of="procs: 1, gpus: 2, qos: long"), PackingOptions(nodes=2))
    assert lines[0].startswith("100 instances of run share allocations: at most 1 at a time, 2 whole nodes, up to")
    with_gpus = "1 instance of all share allocations (--qos=long): at most 1 at a time, 2 whole nodes with 2 GPUs each"
    assert lines[1].startswith(with_gpus)


def test_what_is_not_packed_is_a_separate_job() -> None:
    lines = said(study(run=", nodes: $(N)"), PackingOptions())
    assert lines[0].startswith("60 instances of run and 1 of all share allocations")
    assert (
        lines[-1] == "  40 instances of run are submitted as separate jobs: it requests 2 nodes, an allocation has 1."
    )


def test_of_packed_steps_no_arrays_are_shown() -> None:
    lines = said(study(), PackingOptions(steps=("all",)))
    assert lines[:2] == [
        "Submitted to Slurm as:",
        "  run: 1 array of 100",
    ]
    assert lines[2].startswith("1 instance of all share allocations")


def test_node_hours_of_packed_instances_are_counted_as_the_question_before_a_start_counts_them() -> None:
    text = study(all_of="procs: 4, walltime: '60'")
    words = "At most 17.7 node-hours (packed instances counted as if they ran one after another)."
    assert totals_and_rest(text, PackingOptions())[1] == words
    assert f"{cost_of(plan_of(text)).node_hours:.1f}" == "17.7"


# --- without the block


def test_packing_is_suggested_to_many_small_instances() -> None:
    words = "'mtui: {pack: true}' in the study would run them in one allocation instead of 101 jobs."
    assert said(study(), None)[-1] == f"101 of these are small: {words}"


@pytest.mark.parametrize(
    "text",
    [
        study(count=40),
        study(run=", nodes: 2"),
        study(run=", walltime: '45:00'").replace(", walltime: '10:00'", ""),
        study(run=", exclusive: true"),
        study().replace("procs: 1,", "procs: 256,"),
    ],
    ids=["few", "several nodes", "long", "exclusive", "large"],
)
def test_packing_is_not_suggested_where_it_would_not_help(text: str) -> None:
    assert not any("pack" in line for line in said(text, None))
