"""Plans for tests, in a few words instead of a spec file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtui.core.plan.expand import make_plan
from mtui.core.plan.model import Plan
from mtui.core.spec.model import Batch, Parameter, Step, Study
from mtui.core.spec.problems import Problems

SLURM = Batch("slurm", values={"host": "h", "bank": "b", "queue": "q"})


def step(name: str, *depends: str, uses: str = "", local: bool = False, cmd: str = "true") -> Step:
    """A step; `depends` names other steps, `NAME_*` all instances of one; `uses` lists parameters by letter."""
    text = " ".join([cmd, *(f"$({key})" for key in uses)])
    return Step(name, f"the step {name}", text, depends=depends, run={} if local else {"procs": 1})


def plan(*steps: Step, rows: Mapping[str, Sequence[object]] | None = None, out: str = "/nowhere/out") -> Plan:
    """The plan of a study of these steps on Slurm; `rows` are the values of its parameters."""
    parameters = [
        Parameter(key, tuple(map(str, values)), tuple(f"{key}.{value}" for value in values))
        for key, values in (rows or {}).items()
    ]
    study = Study("test", "a test", steps, SLURM, parameters=tuple(parameters))
    return make_plan(study, out=out, spec_root="/nowhere", cwd="/nowhere", problems=Problems("test.yaml"))
