"""What a plan requests from Slurm at most."""

from __future__ import annotations

import pytest

from mtui.core.plan.cost import cost_of
from mtui.core.spec.walltime import walltime_seconds
from tests.unit.planning import HEAD, plan_of

H, D = 3600, 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("30:15", 1815),
        ("1:30:00", 5400),
        ("00:10:00", 600),
        ("100:00:00", 100 * H),
        ("2-0", 2 * D),
        ("1-12", D + 12 * H),
        ("1-12:30", D + 12 * H + 1800),
        ("1-12:30:15", D + 12 * H + 1815),
        (" 5 ", 300),
        ("0", 0),
        ("UNLIMITED", None),
        ("", None),
        ("2h", None),
        ("1:2:3:4", None),
        ("1-", None),
        ("$(T)", None),
        ("-5", None),
    ],
)
def test_times_as_slurm_reads_them(text: str, seconds: int | None) -> None:
    assert walltime_seconds(text) == seconds


def cost(steps: str, batch: str = "") -> tuple[float, int]:
    text = f"""{HEAD}
batch: {{type: slurm, host: h, bank: '', queue: ''{batch}}}
study:
{steps}
global.parameters: {{N: {{values: [1, 2, 4], label: N%%}}, T: {{values: [30, 60, 2h], label: T%%}}}}
"""
    found = cost_of(plan_of(text))
    return found.node_hours, found.unknown


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("nodes: 2, walltime: '01:30:00'", (3.0, 0)),
        ("nodes: $(N), walltime: 60", (7.0, 0)),
        ("nodes: 1, walltime: $(T)", (1.5, 1)),
        ("nodes: 2, qos: q$(N), walltime: 1-0", (144.0, 0)),
        ("procs: 64, walltime: 60", (1.0, 0)),
        ("nodes: 2", (0.0, 1)),
        ("nodes: 2, walltime: 0", (0.0, 1)),
        ("nodes: 2, walltime: '0'", (0.0, 1)),
        ("nodes: 2, walltime: UNLIMITED", (0.0, 1)),
        ("walltime: 60", (0.0, 0)),
    ],
)
def test_node_hours_of_a_step(run: str, expected: tuple[float, int]) -> None:
    assert cost(f"- {{name: a, description: d, run: {{cmd: x, {run}}}}}") == expected


def test_instances_with_the_same_request_are_multiplied() -> None:
    assert cost("- {name: a, description: d, run: {cmd: $(N), nodes: 2, walltime: 30}}") == (3.0, 0)


@pytest.mark.parametrize(
    ("run", "spread"),
    [("procs: 300", 3), ("procs: 1", 0), ("procs: 300, nodes: 2", 0), ("cores per task: 64", 0), ("procs: $(N)", 2)],
)
def test_instances_whose_nodes_slurm_chooses_are_counted(run: str, spread: int) -> None:
    step = f"- {{name: a, description: d, run: {{cmd: $(N), {run}, walltime: 60}}}}"
    text = f"{HEAD}\nbatch: {{type: slurm, host: h, bank: '', queue: ''}}\nstudy:\n{step}\n"
    found = cost_of(plan_of(f"{text}global.parameters: {{N: {{values: [1, 2, 4], label: N%%}}}}\n"))
    assert found.spread == (spread if "cores" not in run else 0)


def test_nodes_of_the_batch_block_count() -> None:
    step = "- {name: a, description: d, run: {cmd: x, procs: 2, walltime: 60}}"
    assert cost(step, ", nodes: 5") == (5.0, 0)
    assert cost(step, ", nodes: 2-4") == (4.0, 0)
