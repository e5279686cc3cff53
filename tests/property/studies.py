"""Random studies for the random worlds."""

from __future__ import annotations

import hypothesis.strategies as st

from mtui.core.plan.extend import extend_plan
from mtui.core.plan.step_selection import StepSelection
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.study_spec import RetryRule
from tests.plans import plan, step

DEPENDENCIES = ("", "", "", "direct", "funnel", "both", "after", "after all", "group")
RETRIES = (
    {},
    {},
    {"FAILED": RetryRule(1)},
    {"TIMEOUT": RetryRule(2, changes=(("walltime", "x2"),)), "3": RetryRule(1)},
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A few steps on Slurm or here, with rows, funnels and random edges between them; some rows are added later."""
    rows = draw(st.sampled_from([0, 1, 1, 2, 3]))
    values = {key: draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows)) for key in "XY"}
    steps = []
    for number in range(draw(st.sampled_from([1, 1, 2, 2, 3, 4, 5]))):
        depends, after, group = list[str](), list[str](), list[str]()
        for other in range(number):
            kind = draw(st.sampled_from(DEPENDENCIES))
            depends += [f"s{other}"] if kind in ("direct", "both") else []
            depends += [f"s{other}_*"] if kind in ("funnel", "both", "group") else []
            after += {"after": [f"s{other}"], "after all": [f"s{other}_*"]}.get(kind, [])
            group += [f"s{other}"] if kind == "group" else []
        steps.append(
            step(
                f"s{number}",
                *depends,
                uses=draw(st.sampled_from(["", "", "X", "Y", "XY"])),
                local=draw(st.integers(0, 3)) == 0,
                after=after,
                group=group,
                retry=draw(st.sampled_from(RETRIES)),
                restart=draw(st.sampled_from(["", "true"])),
            )
        )
    part = StepSelection(until=draw(st.sampled_from([(), (), (), ("s0",)])))
    whole = plan(*steps, rows=values, part=part)
    first = draw(st.integers(1, rows)) if rows else 0
    return extend_plan(
        plan(*steps, rows={key: own[:first] for key, own in values.items()}, part=part), whole.parameters
    )
