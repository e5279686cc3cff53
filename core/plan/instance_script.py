"""Creates the text of an instance's script, which is complete and can be submitted with `sbatch` manually.

The header lines and their order are Maestro's. `--ntasks` and `--cpus-per-task` are added if a step requests tasks and
cores, because without them `srun -n 64` fails on clusters where Slurm does not allocate whole nodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..directive_text import comment_value, directive_word
from ..spec.resources import OURS, RESOURCES
from ..spec.sbatch_options import PREFIX, SbatchOption, directive_lines, directive_texts, parse_options
from ..spec.study_spec import RunValue
from ..spec.tokens import WORKSPACE_TOKEN
from .gres import with_gpus
from .launcher import remove_launchers, replace_launchers
from .resource_changes import UNCHANGED, restarts
from .study_plan import Instance, Plan, PlannedStep

_FALSE = ("", "0", "false", "no", "off")
# The order of header lines: Maestro's keys above and below the lines that name the job and its files, then mtui's keys.
_ABOVE_NAMES = ("nodes", "queue", "bank", "walltime")
_QUOTED = ("qos", *OURS)  # keys whose values may be several words
_BELOW_NAMES = ("reservation", "gpus", "procs", "cores per task", "exclusive", *_QUOTED)
_HEADER = (*_ABOVE_NAMES, *_BELOW_NAMES)
_IN_BATCH = frozenset(key for key, resource in RESOURCES.items() if resource.in_batch)
_PLACE = tuple(key for key in _HEADER if RESOURCES[key].is_place)
_PART = tuple(key for key in OURS if not RESOURCES[key].is_place)
_EITHER = (frozenset({"mem", "mem per cpu"}), frozenset({"gpus", "gpus per node", "gpus per task"}))


@dataclass(frozen=True, slots=True)
class Script:
    """The script of an instance and, if the step has a restart command, its restart script."""

    body: str
    restart: str | None

    def chosen(self, changes: Mapping[str, str]) -> str:
        """Return the text that an attempt with these changes runs."""
        return self.restart if self.restart is not None and restarts(changes) else self.body


def render(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> Script:
    """Create the instance's scripts, with the resource changes of its retries."""
    step = plan.step_of(instance)
    header = _header(plan, instance, changes)

    def script(text: str) -> str:
        command = render_command(plan, instance, text, changes)
        if step.scheduled and changes:
            command = _insist(command, _changed_lines(plan, instance, changes))
        return f"{header}\n\n{command}\n"

    return Script(script(step.cmd), script(step.restart) if step.restart else None)


def render_command(plan: Plan, instance: Instance, text: str, changes: Mapping[str, str] = UNCHANGED) -> str:
    """Replace every token in a cmd or restart text: parameters, workspaces, launcher.

    Raises LauncherError if a launcher's bracket is invalid or requests more than the step has.
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
        values = resources(plan, instance, changes)
        return replace_launchers(text, *(values.get(key, "") for key in ("procs", "nodes", "cores per task")))
    return remove_launchers(text) if plan.local else text


def _workspace(plan: Plan, step: PlannedStep, instance: Instance, match: re.Match[str]) -> str:
    """Return the path of one $(STEP.workspace): of the instance of the same row, or the step's folder for a funnel."""
    for index in step.references:
        target = plan.steps[index]
        name = plan.parameters.apply(instance.row, target.name) if instance.row >= 0 else target.name
        if name == match.group(1):  # parameters are replaced already, also those in a step's name
            if index in (*step.funnels, *step.groups) or not target.used:
                return f"{plan.out}/{target.folder}"
            return f"{plan.out}/{plan.instances[target.by_row[instance.row]].workspace}"
    return match.group(0)


def resources(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> dict[str, str]:
    """Return the step's run values for this instance as text, with changes; without empty and false values."""
    found: dict[str, str] = {}
    if cores := plan.batch.text("cores per task"):  # an extension: Maestro has this key in steps only
        found["cores per task"] = cores
    for key, value in plan.step_of(instance).run.items():
        text = _text(plan, instance, value)
        if text and key != "sbatch":
            found[key] = text
    found.update((key, value) for key, value in changes.items() if value)
    if changes.get("gpus") == "0":  # no GPUs: remove the option, since not every cluster accepts a request for 0
        del found["gpus"]
    return found


def header_resources(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> dict[str, str]:
    """Return what the job requests, by key, in the order of `RESOURCES`; without empty values.

    The batch block's defaults are overridden by the step's values, and these by the changes of retries.
    """
    own = resources(plan, instance, changes)
    said = {key for group in _EITHER if own.keys() & group for key in group}  # defaults would conflict with these
    shared = {key: plan.batch.text(key) for key in plan.batch.values if key in _IN_BATCH and key not in said}
    values = {**shared, **own}
    if values.get("exclusive", "").lower() in _FALSE:
        values.pop("exclusive", None)
    return {key: values[key] for key in RESOURCES if values.get(key)}


def further_options(plan: Plan, instance: Instance) -> list[str]:
    """Return the options in the `sbatch` lists of the batch block and of the step."""
    own = str(plan.step_of(instance).run.get("sbatch", ""))
    if instance.row >= 0:
        own = plan.parameters.apply(instance.row, own)
    return [option for text in (plan.batch.text("sbatch"), own) for option in text.split("\n") if option]


def own_options(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> tuple[SbatchOption, ...]:
    """Return the options that the author of an instance's step wrote, in the order in which sbatch reads them."""
    texts = further_options(plan, instance)
    texts += directives_of(plan, instance, command_text(plan, instance, changes))
    return _parsed(tuple(texts)) if texts else ()


@lru_cache(maxsize=1024)
def _parsed(texts: tuple[str, ...]) -> tuple[SbatchOption, ...]:
    """Parse the texts of `#SBATCH` lines. An instance needs them several times, and many instances have the same."""
    return tuple(parse_options(texts))


def command_text(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> str:
    """Return the cmd or restart text that an attempt with these changes runs, with tokens as written."""
    step = plan.step_of(instance)
    return step.restart if step.restart and restarts(changes) else step.cmd


def directives_of(plan: Plan, instance: Instance, cmd: str) -> list[str]:
    """Return the texts of the `#SBATCH` lines in a cmd or restart text, with tokens replaced."""
    if PREFIX not in cmd:
        return []
    texts = _texts_of(cmd)
    return [render_command(plan, instance, text) if "$(" in text else text for text in texts]


@lru_cache(maxsize=64)
def _texts_of(cmd: str) -> tuple[str, ...]:
    """Return the texts of the `#SBATCH` lines of a step's cmd, which its instances share."""
    return tuple(directive_texts(cmd))


def requested_by_keys(
    values: dict[str, str], own: Sequence[SbatchOption], changes: Mapping[str, str] = UNCHANGED
) -> dict[str, str]:
    """Return header values without those that would conflict with the author's options.

    sbatch refuses `--mem` beside `--mem-per-cpu`. An `--ntasks` that Maestro does not write (it does only without
    `nodes`) would have Slurm reduce `--nodes` to the number of tasks.
    """
    stated = {option.name.replace("-", " ") for option in own}
    dropped = {key for group in _EITHER if stated & group for key in group - stated if not changes.get(key)}
    if "mem per gpu" in stated:
        dropped |= {key for key in ("mem", "mem per cpu") if not changes.get(key)}
    values = {key: value for key, value in values.items() if key not in dropped}
    if "procs" not in values or "nodes" not in values or changes.get("procs"):
        return values
    given = {option.name: option.value for option in own}
    nodes = re.match(r"\d+", given.get("nodes", ""))
    procs = values["procs"]
    fewer = nodes is not None and procs.isdecimal() and int(nodes.group()) > int(procs)
    if given.keys().isdisjoint(("ntasks-per-node", "ntasks-per-gpu")) and not fewer:
        return values
    return {key: value for key, value in values.items() if key != "procs"}


def _text(plan: Plan, instance: Instance, value: RunValue) -> str:
    if isinstance(value, Mapping):  # exclusive: {allocation, launcher}; only the allocation concerns sbatch
        return _text(plan, instance, value.get("allocation", ""))
    if isinstance(value, bool):
        return "true" if value else ""
    if not isinstance(value, str):
        return f"{value:.0f}" if value else ""  # the schema accepts 2.0, sbatch does not
    return plan.parameters.apply(instance.row, value) if instance.row >= 0 else value


# --- the header


def _header(plan: Plan, instance: Instance, changes: Mapping[str, str]) -> str:
    lines = [f"#!{plan.batch.shell}"]
    if plan.step_of(instance).scheduled:
        lines += [f"#SBATCH {option}" for option in options(plan, instance, changes)]
        further = [f"#SBATCH {option}" for option in further_options(plan, instance)]
        lines += [*further, *_changed_lines(plan, instance, changes)] if further else []
    return "\n".join(lines)


def options(plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED) -> list[str]:
    """Return the options of the header that have keys; they come before those that the step's author wrote."""
    own = own_options(plan, instance, changes)
    values = requested_by_keys(header_resources(plan, instance, changes), own, changes)
    description = plan.step_of(instance).description
    if instance.row >= 0:
        description = plan.parameters.apply(instance.row, description)
    return [
        *_lines(values, *_ABOVE_NAMES),
        f'--job-name="{instance.stem}"',
        f'--output="{instance.stem}.out"',
        f'--error="{instance.stem}.err"',
        *([f"--comment {comment_value(description)}"] if description else []),
        *_lines(values, *_BELOW_NAMES),
    ]


def _lines(values: Mapping[str, str], *keys: str) -> list[str]:
    return [RESOURCES[key].option.format(_quoted(key, values[key])) for key in keys if key in values]


def _quoted(key: str, value: str) -> str:
    """Quote a value as one word of a `#SBATCH` line, where a blank ends the word and a # the line."""
    if key not in _QUOTED or not re.search(r"[\s#]", value) or re.fullmatch(r"([\"']).*\1", value):
        return value
    return directive_word(value)


def part_options(values: Mapping[str, str]) -> list[str]:
    """Return the options, of keys that Maestro does not have, that set how much a job uses or when it may begin."""
    return _lines(values, *_PART)


def place_options(values: Mapping[str, str]) -> list[str]:
    """Return the options of `header_resources` that select where a job runs, not how much it uses."""
    return _lines(values, *_PLACE)


def _changed_lines(plan: Plan, instance: Instance, changes: Mapping[str, str]) -> list[str]:
    """Return the lines of changed options, which are repeated after those of the author: the last one counts."""
    if not changes:
        return []
    values = header_resources(plan, instance, changes)
    lines = _lines(values, *(key for key in _HEADER if key in changes))
    gres = [option.value for option in own_options(plan, instance, changes) if option.name == "gres"]
    if "gpus" in changes and "gpus" in values and gres:  # the number changes, not the author's type of GPU
        plain = _lines(values, "gpus")
        lines = [f"--gres={with_gpus(gres[-1], values['gpus'])}" if [line] == plain else line for line in lines]
    return [f"#SBATCH {option}" for option in lines]


def _insist(command: str, again: list[str]) -> str:
    """Repeat changed options after the command's own directives, which override the header."""
    directives = directive_lines(command)
    if not directives:
        return command
    lines = command.split("\n")
    return "\n".join([*lines[: directives[-1] + 1], *again, *lines[directives[-1] + 1 :]])
