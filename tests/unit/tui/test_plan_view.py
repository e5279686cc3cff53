"""How `mtui plan` says that instances go to Slurm."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest

from mtui.core.spec.study_spec import MtuiBlock
from mtui.tui.cli.verbs.plan_view import plan_text
from mtui.tui.views.text import Paint
from tests.unit.planning import HEAD, SLURM, plan_of

PLAIN = Paint(io.StringIO())


def jobs(text: str, mtui: MtuiBlock) -> list[str]:
    """What the plan says of jobs: the lines between the totals and the directory."""
    lines = plan_text(plan_of(f"{HEAD}{SLURM}{text}"), "s.yaml", [], PLAIN, mtui).splitlines()
    first = next(number for number, line in enumerate(lines) if "instance" in line and "on Slurm" in line)
    last = next(number for number, line in enumerate(lines) if line.startswith("Study directory: "))
    return [line for line in lines[first + 1 : last] if "node-hours" not in line]


ROWS = "global.parameters: {X: {values: [1, 2, 3, 4], label: X.%%}, W: {values: ['5', '5', '9', '9'], label: W.%%}}\n"


def sweep(extra: str = "", cmd: str = "echo $(X)", head: str = "") -> str:
    return f"""{ROWS}study: [{{name: a, description: d, run: {{cmd: "{head}{cmd}", procs: 1, nodes: 1, {extra}}}}}]\n"""


ASK = "Submitted to Slurm as:"


@pytest.mark.parametrize(
    ("text", "mtui", "line"),
    [
        (sweep(), MtuiBlock(), "  a: 1 array of 4"),
        (sweep(), MtuiBlock(array=2), "  a: 2 arrays of 2"),
        (sweep(), MtuiBlock(array=3), "  a: 1 array of 3 and 1 separate job"),
        (sweep(), MtuiBlock(array=1), "  a: 4 separate jobs (array: 1)"),
        (sweep("walltime: $(W)"), MtuiBlock(), "  a: 2 arrays of 2 (walltime differs)"),
        (sweep("walltime: $(X), qos: $(X)"), MtuiBlock(), "  a: 4 separate jobs (walltime, qos differ)"),
        (
            sweep(head="#SBATCH --output=x\\n"),
            MtuiBlock(),
            "  a: 4 separate jobs ('--output=x' in cmd prevents arrays)",
        ),
    ],
)
def test_plan_says_how_instances_go_to_slurm(text: str, mtui: MtuiBlock, line: str) -> None:
    assert jobs(text, mtui) == [ASK, line]


CHAIN = (
    "study: [{name: a, description: d, run: {cmd: c, procs: 1, walltime: '5'}},"
    " {name: b, description: d, run: {cmd: c, "
)


@pytest.mark.parametrize(
    ("text", "mtui", "lines"),
    [
        (
            f"{CHAIN}procs: 1, depends: [a]}}}}]\n",
            MtuiBlock(),
            [
                "Instances whose parents are in Slurm are submitted ahead with job dependencies; "
                "they start even without a driver."
            ],
        ),
        (
            f"{CHAIN}procs: 1, depends: [a]}}}}]\n",
            MtuiBlock(submit_ahead=False),
            ["No instance is submitted before its parents are done (submit_ahead: false)."],
        ),
        (f"{CHAIN}procs: 1}}}}]\n", MtuiBlock(), []),
        (f"{CHAIN}depends: [a]}}}}]\n", MtuiBlock(), []),
    ],
    ids=["ahead", "not ahead", "side by side", "local child"],
)
def test_plan_says_what_is_submitted_ahead(text: str, mtui: MtuiBlock, lines: Sequence[str]) -> None:
    assert jobs(text, mtui) == lines


def test_plan_says_which_ends_a_driver_awaits() -> None:
    """Of several jobs that may never begin, as they depend on others. Of one, its ancestors are named to Slurm."""
    each = "- {{name: {0}, description: d, run: {{cmd: c $(X), procs: 1, walltime: '5', depends: [{1}]}}}}\n"
    last = "- {name: last, description: d, run: {cmd: c, procs: 1, walltime: '5'}}\n"
    study = each.format("a", "") + each.format("b", "a") + each.format("c", "") + last
    text = f"study:\n{study}global.parameters: {{X: {{values: [1, 2], label: X.%%}}}}\n"
    assert not any("Except" in line for line in jobs(text, MtuiBlock()))
    text += "mtui: {steps: {last: {after: ['b_*']}, c: {after: [b]}}}\n"
    (line,) = [line for line in jobs(text, MtuiBlock()) if "Except" in line]
    assert line.startswith("Except last, which depends on several instances that may never begin")
