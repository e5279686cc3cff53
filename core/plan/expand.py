"""Expands a study into its plan, with the same instances, edges and workspaces as Maestro 1.2.1.

A step uses the parameters in its own texts, those of its direct dependencies, and those of steps whose workspace it
uses (unless it depends on them by funnel). It has one instance for each distinct combination of labels, in row order. A
direct edge connects instances of the same row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from heapq import heappop, heappush

from ..errors import Refusal
from ..spec.cross_checks import check_uses, dependency_target, step_texts, workspace_references
from ..spec.environment_block import Environment, build_environment
from ..spec.problems import Place, Problems
from ..spec.study_spec import OTHER_SCHEDULERS, RunValue, Step, StudySpec
from ..spec.tokens import SourceText, uses_parameter
from .directive_checks import check_directives
from .instance_script import render_command
from .launcher import LauncherError
from .parameter_table import ParameterTable
from .study_plan import Instance, Plan, PlannedStep

_UNSAFE = re.compile(r"[^-_.() a-zA-Z0-9]")
_LONGEST_NAME = 255 - len(".restart.slurm.sh")  # 255 bytes is the limit of file names on all common file systems
_OUR_OWN = frozenset({".mtui", "status.csv", "study.yaml"})


def path_component(text: str) -> str:
    """Convert a text to one component of a path: Maestro's safe characters, underscores for blanks."""
    return _UNSAFE.sub("", text).replace(" ", "_")


def make_plan(
    study: StudySpec,
    *,
    out: str,
    spec_root: str,
    cwd: str,
    problems: Problems,
    parameters: ParameterTable | None = None,
    hashws: bool = False,
    local: bool = False,
) -> Plan:
    """Expand a study whose directory will be `out` (absolute) into its plan.

    `parameters` (of a generator) replace the study's own. Warnings are added to `problems`. Raises SpecError if
    instances collide or a launcher cannot be resolved, and for errors that are in `problems` already.
    """
    if study.batch.type in OTHER_SCHEDULERS and not local:
        message = f"batch: mtui has no '{study.batch.type}' scheduler"
        problems.error(study.batch.place, message, "use 'slurm', or run it here with --local")
    check_uses(study, parameters.columns() if parameters else study.parameters, problems)
    environment, dependencies = build_environment(study.environment, study.dependencies, out, spec_root, cwd)
    table = parameters or ParameterTable.of(study.parameters)
    ordered = _in_order(study.steps, environment)
    position = {step.name: index for index, step in enumerate(ordered)}
    slurm = study.batch.is_scheduled and not local
    steps: list[PlannedStep] = []
    instances: list[Instance] = []
    groups = GroupBarriers(table)
    for step in ordered:
        planned, members = _expand(step, environment, groups, steps, position, slurm, hashws, len(instances))
        steps.append(planned)
        instances += members
    plan = Plan(
        name=study.name,
        description=study.description,
        out=out,
        batch=study.batch,
        local=local,
        parameters=table,
        steps=tuple(steps),
        instances=tuple(instances),
        dependencies=dependencies,
        barriers=groups.barriers,
    )
    _check_names(plan, {step.name: step.place for step in study.steps}, problems)
    _check_launchers(plan, study, problems)
    _check_funnels(plan, {step.name: step.place for step in study.steps}, problems)
    check_directives(plan, study, problems)
    problems.raise_if_any()
    return plan


def _in_order(steps: Iterable[Step], environment: Environment) -> list[Step]:
    """Sort steps after those that they depend on or whose workspace they use; otherwise in file order."""
    by_name = {step.name: step for step in steps}
    place = {name: number for number, name in enumerate(by_name)}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for step in by_name.values():
        targets = [dependency_target(environment.apply(written))[0] for written in (*step.depends, *step.after)]
        sorter.add(step.name, *targets, *workspace_references(step, environment))
    sorter.prepare()
    ready: list[int] = []
    ordered: list[Step] = []
    names = list(by_name)
    while sorter.is_active():
        for name in sorter.get_ready():
            heappush(ready, place[name])
        first = names[heappop(ready)]
        ordered.append(by_name[first])
        sorter.done(first)
    return ordered


def _expand(
    step: Step,
    environment: Environment,
    groups: GroupBarriers,
    steps: list[PlannedStep],
    position: dict[str, int],
    slurm: bool,
    hashws: bool,
    first: int,
) -> tuple[PlannedStep, list[Instance]]:
    """Plan one step, given the `steps` before it. Return it and its instances, numbered from `first`."""
    table = groups.table
    targets = [dependency_target(environment.apply(written)) for written in (*step.depends, *step.after)]
    parents = tuple(dict.fromkeys(position[name] for name, funnel in targets if not funnel))
    funnels = tuple(dict.fromkeys(position[name] for name, funnel in targets if funnel))
    after = {position[dependency_target(environment.apply(written))[0]] for written in step.after}
    references = tuple(position[name] for name in workspace_references(step, environment))
    run = {key: _with_environment(value, environment) for key, value in step.run.items()}
    texts = [environment.apply(text) for _, text in step_texts(step)]
    used = {key for key in table.keys if any(uses_parameter(text, key) for text in texts)}
    for other in (*parents, *(index for index in references if index not in funnels)):
        used.update(steps[other].used)
    grouped = tuple(position[name] for name in step.group if used.intersection(steps[position[name]].used))
    planned = PlannedStep(
        index=len(steps),
        name=step.name,
        folder=path_component(step.name),
        description=environment.apply(step.description),
        cmd=environment.apply(step.cmd),
        restart=environment.apply(step.restart),
        run=run,
        parents=parents,
        funnels=tuple(funnel for funnel in funnels if funnel not in grouped),
        references=references,
        used=tuple(sorted(used)),
        scheduled=slurm and bool(run.get("nodes") or run.get("procs")),
        after=tuple(sorted(after)),
        groups=grouped,
        retry=step.retry,
    )
    if used:
        members, by_row = _rows(planned, groups, steps, hashws, first)
    else:
        direct = tuple(steps[parent].instances[0] for parent in parents)
        members, by_row = [Instance(first, step.name, planned.index, -1, planned.folder, planned.folder, direct)], ()
    return replace(planned, instances=range(first, first + len(members)), by_row=by_row), members


def _rows(
    step: PlannedStep, groups: GroupBarriers, steps: list[PlannedStep], hashws: bool, first: int
) -> tuple[list[Instance], tuple[int, ...]]:
    """Return the instances of a parameterized step, and the index of the instance of each row."""
    combinations = groups.table.combinations(step.used)
    number = {combination: first + n for n, combination in enumerate(dict.fromkeys(combinations))}
    width = len(str(len(number) - 1))
    members: list[Instance] = []
    for row, combination in enumerate(combinations):
        index = number[combination]
        if index != first + len(members):
            continue  # an earlier row has the same combination
        name = f"{step.name}_{combination}"
        if hashws:
            stem = path_component(f"{step.name}_instance_{index - first:0{width}d}")
            workspace = f"{step.folder}/{stem}"
        else:
            stem = path_component(name)
            workspace = f"{step.folder}/{path_component(combination)}"
        parents = [steps[parent].by_row[row] if steps[parent].by_row else steps[parent].instances[0]
                   for parent in step.parents]  # fmt: skip
        barriers = groups.of(step, steps, row)
        parents = list(dict.fromkeys(parents))
        members.append(Instance(index, name, step.index, row, workspace, stem, tuple(parents), barriers))
    return members, tuple(number[combination] for combination in combinations)


class GroupBarriers:
    """The barriers of a plan: for rows of a step, the instances of a group's step with the same shared parameters."""

    def __init__(self, table: ParameterTable) -> None:
        self.table = table
        self._members: list[tuple[int, ...]] = []
        self._by_row: dict[tuple[int, int], list[int]] = {}  # step, step of the group -> barrier of each row

    @property
    def barriers(self) -> tuple[tuple[int, ...], ...]:
        return tuple(self._members)

    def of(self, step: PlannedStep, steps: Sequence[PlannedStep], row: int) -> tuple[int, ...]:
        """Return the barriers that a step's instance of a row waits for. `steps` are those before it, or all."""
        return tuple(self._rows(step, steps[group])[row] for group in step.groups)

    def _rows(self, step: PlannedStep, funnel: PlannedStep) -> list[int]:
        if (step.index, funnel.index) not in self._by_row:
            shared = list(self.table.label_rows([key for key in step.used if key in funnel.used]))
            members: dict[tuple[str, ...], dict[int, None]] = {}
            for row, index in enumerate(funnel.by_row):
                members.setdefault(shared[row], {})[index] = None
            number = {values: len(self._members) + place for place, values in enumerate(members)}
            self._members += map(tuple, members.values())
            self._by_row[step.index, funnel.index] = [number[values] for values in shared]
        return self._by_row[step.index, funnel.index]


def _with_environment(value: RunValue, environment: Environment) -> RunValue:
    if isinstance(value, str):
        return environment.apply(value)
    if isinstance(value, (int, float)):
        return value
    return {key: environment.apply(item) if isinstance(item, str) else item for key, item in value.items()}


# --- checks that need the instances


def _check_names(plan: Plan, places: dict[str, Place], problems: Problems) -> None:
    names: dict[str, Instance] = {}
    folders: dict[str, Instance] = {}
    step_folders: dict[str, str] = {}
    for step in plan.steps:
        folder, place = step.folder, places[step.name]
        if folder.strip(".") == "" or folder in _OUR_OWN:
            problems.error(
                place,
                f"step '{step.name}' cannot have a directory of that name",
                "a step's name needs at least one letter or digit, and .mtui, status.csv and study.yaml are taken",
            )
        reported = step_folders.setdefault(folder, step.name) != step.name
        if reported:
            problems.error(
                place,
                f"steps '{step_folders[folder]}' and '{step.name}' would share the directory '{folder}'",
                "rename one of the steps",
            )
        if len(plan.parameters.distinct(step.used)) > len(step.instances) > 0:
            problems.error(
                place,
                f"step '{step.name}': different rows of the sweep have the same instance name",
                "use parameter labels that begin or end differently",
            )
        for instance in (plan.instances[index] for index in step.instances):
            refusal = _check_name(plan, instance, names, folders)
            names.setdefault(instance.name, instance)
            folders.setdefault(instance.workspace, instance)
            if refusal and not reported:  # one message per step: a sweep of thousands would repeat it
                reported = True
                problems.error(place, refusal.message, refusal.hint)


def _check_funnels(plan: Plan, places: dict[str, Place], problems: Problems) -> None:
    """Warn of a step with a funnel that has one instance per row anyway, because of a workspace that it uses."""
    for step in plan.steps:
        if not step.funnels:
            continue
        texts = (step.cmd, step.restart, *map(str, step.run.values()))
        own = {key for key in plan.parameters.keys if any(uses_parameter(text, key) for text in texts)}
        own.update(*(plan.steps[parent].used for parent in step.parents))
        for other in (plan.steps[index] for index in step.references if index not in step.above):
            if not own.issuperset(other.used):
                all_of = " and ".join(plan.steps[index].name for index in step.funnels)
                problems.warn(
                    places[step.name],
                    f"step '{step.name}' depends on all of {all_of}, but runs {len(step.instances):,} times: "
                    f"for each row of '{other.name}', since it uses $({other.name}.workspace)",
                    f"to run it once for all of them, add '{other.name}_*' to its depends",
                )


def _check_name(
    plan: Plan, instance: Instance, names: dict[str, Instance], folders: dict[str, Instance]
) -> Refusal | None:
    """Return why an instance cannot have its name and directory (duplicate, invalid, too long); None if it can."""
    longest = max(len(instance.stem), *(len(part) for part in instance.workspace.split("/")))
    last = instance.workspace.rsplit("/", 1)[-1]
    if instance.name in names:
        other = plan.steps[names[instance.name].step].name
        mine = plan.steps[instance.step].name
        message = f"steps '{other}' and '{mine}' both create an instance '{instance.name}'"
        return Refusal(message, "rename one of the steps")
    if instance.workspace in folders:
        first = folders[instance.workspace].name
        return Refusal(
            f"'{first}' and '{instance.name}' would share the directory '{instance.workspace}'",
            "their labels differ only in characters that a path cannot hold; change the label, or use --hashws",
        )
    if instance.row >= 0 and last.strip(".") == "":
        return Refusal(f"'{instance.name}' cannot have a directory '{last}'", "change the label, or use --hashws")
    if longest > _LONGEST_NAME:
        numbered = len(plan.steps[instance.step].folder) + len("_instance_000000")  # the length with --hashws
        hint = "use --hashws" if numbered <= _LONGEST_NAME else "give the step a shorter name"
        return Refusal(f"the name of '{instance.name[:60]}...' is too long for a file ({longest} characters)", hint)
    return None


def _check_launchers(plan: Plan, study: StudySpec, problems: Problems) -> None:
    """Resolve every $(LAUNCHER)[...] once, to report errors before the first job instead of during the study."""
    source = SourceText(study.text)
    written = {step.name: step for step in study.steps}
    for step in plan.steps:
        if not step.scheduled or "$(LAUNCHER)[" not in step.cmd + step.restart:
            continue
        for index in step.instances:
            key = "cmd"
            try:
                render_command(plan, plan.instances[index], step.cmd)
                key = "restart"
                render_command(plan, plan.instances[index], step.restart)
            except LauncherError as error:
                place = source.find(error.written, written[step.name].sources[key])
                problems.error(place, f"step '{step.name}': {error}", error.hint)
                break
