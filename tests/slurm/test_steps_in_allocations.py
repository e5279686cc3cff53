"""The processes that an instance starts with srun inside of a shared allocation, with workers in Python and without."""

from __future__ import annotations

import sys

import pytest

from tests.slurm.lone_allocation import Allocation
from tests.waiting import wait_until

STEPS = (
    "srun -n 2 echo of two",
    "srun -n 1 -c 2 sh -c 'echo one with $SLURM_CPUS_PER_TASK'",
    "srun -n 1 sh -c 'echo alone'",
)


@pytest.mark.parametrize("python", [sys.executable, "/no/python"], ids=["workers", "shell"])
@pytest.mark.parametrize("part", [False, True], ids=["whole nodes", "cores of shared nodes"])
def test_instances_start_processes_with_srun(allocation: Allocation, python: str, part: bool) -> None:
    # From Slurm 23.11 on, --cpus-per-task of a job is in a second variable, which each srun in it compares.
    where = ("--partition=shared", "--cpus-per-task=8") if part else ()
    script = "\n".join(f"{step}; echo code $?" for step in STEPS)
    allocation.give(allocation.item("a.1", script, tasks=2, cpus=1), allocation.item("b.1", script, cpus=2), end=True)
    allocation.submit(*where, python=python, cores=8)
    allocation.wait_for("over")
    wait_until(lambda: (allocation.output("a.1") + allocation.output("b.1")).count("code") == 6, 60, "both have ended")
    for attempt in ("a.1", "b.1"):
        lines = sorted(allocation.output(attempt).splitlines())
        expected = ["alone", *["code 0"] * 3, *["of two"] * 2, "one with 2"]
        assert lines == expected, (allocation.root / "step" / attempt / "a.err").read_text()
