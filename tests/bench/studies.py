"""The studies that mtui and Maestro both run. Steps of a Slurm study request one process."""

from __future__ import annotations

from pathlib import Path

from tests.bench.place import BATCH
from tests.mtui import write_study


def step(name: str, cmd: str, *depends: str, slurm: bool = True, walltime: str = "00:10:00") -> str:
    keys = f', procs: 1, walltime: "{walltime}"' if slurm else ""
    needs = f", depends: [{', '.join(depends)}]" if depends else ""
    return f"- {{name: {name}, description: d, run: {{cmd: '{cmd}'{needs}{keys}}}}}\n"


def values(rows: int, name: str = "N", factor: int = 1) -> str:
    return f"  {name}: {{values: [{', '.join(str(row * factor) for row in range(rows))}], label: {name}.%%}}\n"


def fan(path: Path, rows: int, cmd: str, *, slurm: bool = True, walltime: str = "00:10:00") -> Path:
    """One step for each row."""
    text = step("fan", cmd, slurm=slurm, walltime=walltime)
    return write_study(path, text, batch=BATCH if slurm else "", parameters=values(rows))


def sweep(path: Path, rows: int) -> Path:
    """Two chained steps for each row, and a funnel that writes `total`."""
    steps = [
        step("a", "echo $(N) > x"),
        step("b", "cat $(a.workspace)/x > y", "a"),
        step("all", "cat $(b.workspace)/*/y | wc -l > total", "b_*"),
    ]
    return write_study(path, "".join(steps), batch=BATCH, parameters=values(rows))


def chain(path: Path, length: int, cmd: str) -> Path:
    """Steps that wait for one another."""
    steps = [step(f"s{number}", cmd, *([f"s{number - 1}"] if number else [])) for number in range(length)]
    return write_study(path, "".join(steps), batch=BATCH)


def large(path: Path, rows: int) -> Path:
    """Three chained steps for each row, and a funnel: 3 x ROWS + 1 instances."""
    steps = [
        step("a", "echo $(A) $(B) > $(WORKSPACE)/x"),
        step("b", "cat $(a.workspace)/x > $(WORKSPACE)/x", "a"),
        step("c", "cat $(b.workspace)/x > $(WORKSPACE)/x", "b"),
        step("all", "cat $(c.workspace)/*/x", "c_*"),
    ]
    return write_study(path, "".join(steps), batch=BATCH, parameters=values(rows, "A") + values(rows, "B", 2))
