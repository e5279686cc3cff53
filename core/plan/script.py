"""The text of an instance's script: complete, and fit to be handed to `sbatch` by hand.

The header lines and their order are Maestro's; `--ntasks` and `--cpus-per-task` are added where a step asks
for tasks and cores, because without them `srun -n 64` fails wherever Slurm does not hand out whole nodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..spec.model import RunValue
from ..spec.tokens import WORKSPACE_TOKEN
from .launcher import remove_launchers, replace_launchers
from .model import Instance, Plan, PlannedStep

_FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Script:
    """The script of an instance and, if the step has a restart command, its restart script."""

    body: str
    restart: str | None


def render(plan: Plan, instance: Instance) -> Script:
    """The instance's scripts."""
    step = plan.step_of(instance)
    header = _header(plan, instance)
    body = f"{header}\n\n{render_command(plan, instance, step.cmd)}\n"
    restart = f"{header}\n\n{render_command(plan, instance, step.restart)}\n" if step.restart else None
    return Script(body, restart)


def render_command(plan: Plan, instance: Instance, text: str) -> str:
    """A cmd or restart text with every token replaced: parameters, workspaces, launcher.

    Raises LauncherError if a launcher's bracket asks for more than the step has.
    """
    step = plan.step_of(instance)
    if instance.row >= 0:
        text = plan.parameters.apply(instance.row, text)
    if ".workspace)" in text:
        text = WORKSPACE_TOKEN.sub(lambda match: _workspace(plan, step, instance, match), text)
    text = text.replace("$(WORKSPACE)", f"{plan.out}/{instance.workspace}")
    if "$(LAUNCHER)" not in text:
        return text
    if step.scheduled:
        values = resources(plan, instance)
        return replace_launchers(text, *(values.get(key, "") for key in ("procs", "nodes", "cores per task")))
    return remove_launchers(text) if plan.local else text


def _workspace(plan: Plan, step: PlannedStep, instance: Instance, match: re.Match[str]) -> str:
    """The path for one $(STEP.workspace): the instance of the same row, or a funnel's common folder."""
    for index in step.references:
        target = plan.steps[index]
        name = plan.parameters.apply(instance.row, target.name) if instance.row >= 0 else target.name
        if name == match.group(1):  # parameters are put in already, also if they stand in a step's name
            if index in step.funnels or not target.used:
                return f"{plan.out}/{target.folder}"
            return f"{plan.out}/{plan.instances[target.by_row[instance.row]].workspace}"
    return match.group(0)


def resources(plan: Plan, instance: Instance) -> dict[str, str]:
    """The step's own run values for this instance, as text; empty and false ones left out."""
    found: dict[str, str] = {}
    for key, value in plan.step_of(instance).run.items():
        text = _text(plan, instance, value)
        if text:
            found[key] = text
    return found


def header_resources(plan: Plan, instance: Instance) -> dict[str, str]:
    """What the job asks for: the batch block's defaults, overridden by the step's own values."""
    shared = {key: plan.batch.text(key) for key in ("nodes", "procs", "qos", "reservation", "queue", "bank")}
    return {key: value for key, value in {**shared, **resources(plan, instance)}.items() if value}


def _text(plan: Plan, instance: Instance, value: RunValue) -> str:
    if isinstance(value, Mapping):  # exclusive: {allocation, launcher}; Slurm's part is the allocation
        return _text(plan, instance, value.get("allocation", ""))
    if isinstance(value, bool):
        return "true" if value else ""
    if not isinstance(value, str):
        return f"{value:.0f}" if value else ""  # the schema lets 2.0 pass, which sbatch would not
    return plan.parameters.apply(instance.row, value) if instance.row >= 0 else value


# --- the header


def _header(plan: Plan, instance: Instance) -> str:
    lines = [f"#!{plan.batch.shell}"]
    if plan.step_of(instance).scheduled:
        lines += [f"#SBATCH {option}" for option in _options(plan, instance)]
    return "\n".join(lines)


def _options(plan: Plan, instance: Instance) -> list[str]:
    step = plan.step_of(instance)
    own = resources(plan, instance)
    values = header_resources(plan, instance)
    description = step.description
    if instance.row >= 0:
        description = plan.parameters.apply(instance.row, description)
    comment = description.replace("\n", " ")
    options = [
        ("--nodes={}", values.get("nodes")),
        ("--partition={}", values.get("queue")),
        ("--account={}", values.get("bank")),
        ("--time={}", own.get("walltime")),
        ('--job-name="{}"', instance.stem),
        ('--output="{}.out"', instance.stem),
        ('--error="{}.err"', instance.stem),
        ('--comment "{}"', comment if comment.count('"') % 2 == 0 else comment.replace('"', "'")),
        ('--reservation="{}"', values.get("reservation")),
        ("--gres=gpu:{}", own.get("gpus")),
        ("--ntasks={}", values.get("procs")),
        ("--cpus-per-task={}", own.get("cores per task")),
    ]
    lines = [form.format(value) for form, value in options if value]
    if own.get("exclusive", "").lower() not in _FALSE:
        lines.append("--exclusive")
    if values.get("qos"):
        lines.append(f"--qos={values['qos']}")
    return lines
