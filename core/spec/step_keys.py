"""The block `mtui: steps: NAME:`: keys of a step that Maestro would reject in the step itself.

mtui:
  steps:
    run: {constraint: cpu, mem: 16G, sbatch: ["--hint=nomultithread"], retry: {TIMEOUT: 2}}
    report: {after: ["run_*"]}     # runs even if these fail
    average: {group: [run]}        # of `run_*` in its depends: only the instances with the same parameters
"""

from __future__ import annotations

from collections.abc import Mapping as Values
from dataclasses import replace

from .fields import Fields
from .problems import Place, nearest
from .retry_keys import merged, read_retry
from .run_keys import RUN_KEYS
from .slurm_keys import STEP_KEYS, read_slurm_values
from .study_spec import RetryRule, Step
from .yaml_tree import Mapping, Scalar, kind_of

_KEYS = (*STEP_KEYS, "retry", "after", "group")


def read_step_blocks(top: Fields, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps, extended with their keys in the `mtui` block."""
    node = top.node.get("mtui")
    if not isinstance(node, Mapping):
        return steps
    block = Fields(node, "mtui", top.problems)
    rules = read_retry(block)
    own = block.mapping("steps", "mtui: steps", odd_keys=True)
    by_name = {step.name: step for step in steps}
    extended: dict[str, Step] = {}
    for name, item in own.node.items() if own else ():
        assert own is not None
        if name not in by_name:
            hint = nearest(name, by_name)
            top.problems.error(own.place(name), f"mtui: steps: '{name}' is not a step of this study", hint)
            continue
        fields = Fields.of(item, f"mtui: steps: {name}", top.problems, own.place(name))
        if fields:
            extended[name] = _extend(by_name[name], fields, rules)
    return tuple(extended.get(step.name) or replace(step, retry=rules) for step in steps)


def _extend(step: Step, fields: Fields, rules: Values[str, RetryRule]) -> Step:
    for key in fields.node.entries:
        if key in RUN_KEYS:
            fields.problems.error(fields.place(key), f"{fields.what}: '{key}' belongs into the step's 'run'")
        elif key not in _KEYS:
            fields.problems.error(fields.place(key), f"{fields.what}: unknown key '{key}'", nearest(key, _KEYS))
    values = read_slurm_values(fields, STEP_KEYS)
    after, after_places = _names(fields, "after")
    group, group_places = _names(fields, "group")
    return replace(
        step,
        run={**step.run, **values},
        sources={**step.sources, **{key: (node.start, node.end) for key, node in fields.node.items()}},
        retry=merged(rules, read_retry(fields)),
        after=after,
        after_places=after_places,
        group=group,
        group_places=group_places,
    )


def _names(fields: Fields, key: str) -> tuple[tuple[str, ...], tuple[Place, ...]]:
    """Return the step names in a list, and the place of each."""
    found: dict[str, Place] = {}
    for item in fields.items(key, f"{fields.what}: {key}"):
        if not (isinstance(item, Scalar) and isinstance(item.value, str) and item.value):
            fields.problems.error(item.place, f"{fields.what}: {key} must list step names, but holds {kind_of(item)}")
        elif item.value in found:
            fields.problems.error(item.place, f"{fields.what}: {key} names '{item.value}' twice")
        else:
            found[item.value] = item.place
    return tuple(found), tuple(found.values())
