"""Plans for tests, in a few words instead of a spec file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtui.core.plan.expand import make_plan
from mtui.core.plan.step_selection import StepSelection, select_steps
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.problems import NOWHERE, Problems
from mtui.core.spec.study_spec import Batch, Parameter, RetryRule, Step, StudySpec

SLURM = Batch("slurm", values={"host": "h", "bank": "b", "queue": "q"})


def step(
    name: str,
    *depends: str,
    uses: str = "",
    local: bool = False,
    cmd: str = "true",
    restart: str = "",
    after: Sequence[str] = (),
    group: Sequence[str] = (),
    retry: Mapping[str, RetryRule] | None = None,
    **run: object,
) -> Step:
    """A step; `depends` names other steps, `NAME_*` all instances of one; `uses` lists parameters by letter."""
    text = " ".join([cmd, *(f"$({key})" for key in uses)])
    made = Step(name, f"the step {name}", text, restart, depends, run={} if local else {"procs": 1, **run})  # pyright: ignore
    return replace(
        made,
        after=tuple(after),
        after_places=(NOWHERE,) * len(after),
        group=tuple(group),
        group_places=(NOWHERE,) * len(group),
        retry=retry or {},
    )


def plan(
    *steps: Step,
    rows: Mapping[str, Sequence[object]] | None = None,
    out: str = "/nowhere/out",
    part: StepSelection | None = None,
    hashws: bool = False,
) -> Plan:
    """The plan of a study of these steps on Slurm; `rows` are the values of its parameters."""
    parameters = [
        Parameter(key, tuple(map(str, values)), tuple(f"{key}.{value}" for value in values))
        for key, values in (rows or {}).items()
    ]
    study = StudySpec("test", "a test", steps, SLURM, parameters=tuple(parameters))
    made = make_plan(
        study, out=out, spec_root="/nowhere", cwd="/nowhere", problems=Problems("test.yaml"), hashws=hashws
    )
    return select_steps(made, part or StepSelection())
