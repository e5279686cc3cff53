"""Checks across the parts of a study: duplicate names, dependencies, cycles, unknown tokens."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from .environment_block import RESERVED, Environment, build_environment
from .problems import NOWHERE, Place, Problems, nearest
from .study_spec import Parameter, Step, StudySpec
from .tokens import WORKSPACE_TOKEN, SourceText, looks_meant, uses_parameter, words

_FUNNEL_MARK = re.compile(r"_\*|\*")
_Edge = tuple[str, str]  # a parent step, and a step that depends on it
_IN_COMMANDS = ("WORKSPACE", "LAUNCHER")  # tokens that are replaced in cmd and restart only


def dependency_target(written: str) -> tuple[str, bool]:
    """Return the step that an item of `depends` names, and whether it is a funnel (`step_*`: all its instances)."""
    return _FUNNEL_MARK.sub("", written), "*" in written


def study_environment(study: StudySpec) -> Environment:
    """Return the study's environment before its directory is known: names are right, paths are not."""
    return build_environment(study.environment, study.dependencies, "$(OUTPUT_PATH)", "$(SPECROOT)", "")[0]


def step_texts(step: Step) -> Iterator[tuple[str, str]]:
    """Yield every text of a step in which tokens are replaced, as (key, text)."""
    yield "name", step.name
    yield "description", step.description
    yield "cmd", step.cmd
    yield "restart", step.restart
    for key, value in step.run.items():
        for text in value.values() if isinstance(value, dict) else (value,):
            if isinstance(text, str):
                yield key, text


def check(study: StudySpec, problems: Problems) -> None:
    """Report problems that concern more than one part of the study."""
    environment = study_environment(study)
    _check_env_names(study, problems)
    _check_step_names(study, environment, problems)
    _check_edges(study, environment, problems)
    _check_batch(study, problems)


def check_uses(study: StudySpec, parameters: Collection[Parameter], problems: Problems) -> None:
    """Warn of unused parameters and unknown tokens, in a study without errors.

    A --params parameter that no step uses is an error. `parameters` are the study's, or those of its generator.
    """
    environment = study_environment(study)
    _check_parameters(study, environment, parameters, problems)
    _check_tokens(study, environment, [parameter.key for parameter in parameters], problems)


def _check_env_names(study: StudySpec, problems: Problems) -> None:
    seen: dict[str, Place] = {}
    named = [(entry.name, entry.place) for entry in study.environment]
    named += [(dependency.name, dependency.place) for dependency in study.dependencies]
    for name, place in named:
        if name == "SPECROOT":
            problems.error(
                place, f"env: '{name}' is a reserved name", "choose another name; this token is always defined"
            )
        elif name in seen:
            problems.error(
                place,
                f"env: the name '{name}' is taken by line {seen[name].line}",
                "variables, labels and dependencies share one set of names",
            )
        elif name:
            seen[name] = place


def _check_step_names(study: StudySpec, environment: Environment, problems: Problems) -> None:
    seen: dict[str, Place] = {}
    for step in study.steps:
        if step.name in seen:
            problems.error(
                step.place,
                f"a second step named '{step.name}'; the first is in line {seen[step.name].line}",
                "Maestro drops the second one silently; use a unique name",
            )
        elif step.name:
            seen[step.name] = step.place
        if environment.apply(step.name) != step.name:
            problems.error(step.place, f"step '{step.name}': a step's name cannot hold env tokens")


def _check_batch(study: StudySpec, problems: Problems) -> None:
    """Warn if a step requests nodes but the study has no `batch` block, whose name may be misspelt."""
    if study.batch.place != NOWHERE:
        return
    for step in study.steps:
        if step.run.get("nodes") or step.run.get("procs"):
            message = f"step '{step.name}' requests nodes or procs, but there is no 'batch': it runs on this machine"
            problems.warn(step.place, message, "for Slurm: batch: {type: slurm, ...}; for this machine, omit them")
            return


def _check_edges(study: StudySpec, environment: Environment, problems: Problems) -> None:
    needs: dict[str, list[str]] = {step.name: [] for step in _named(study)[0]}
    places = _check_depends(study, environment, needs, problems)
    references = _check_workspaces(study, environment, needs, problems)
    edges = [*places, *(pair for pair in references if pair not in places)]
    places = {**references, **places}
    try:
        _sorter(needs, edges).prepare()
    except CycleError:
        references = _report_circles(list(needs), edges, places, references, problems)
    for (target, user), place in references.items():
        problems.warn(
            place,
            f"step '{user}' uses $({target}.workspace) but does not depend on '{target}'",
            f"without 'depends: [{target}]' it may start before '{target}' is done",
        )


def _check_depends(
    study: StudySpec, environment: Environment, needs: dict[str, list[str]], problems: Problems
) -> dict[_Edge, Place]:
    """Check `depends`, `after` and `group`. Return the edges with their places, and add them to `needs`."""
    places: dict[_Edge, Place] = {}
    steps, all_named = _named(study)
    for step in steps:
        written_at = [*zip(step.depends, step.depends_places, strict=True)]
        written_at += zip(step.after, step.after_places, strict=True)
        for written, place in written_at:
            target, _ = dependency_target(environment.apply(written))
            if target == step.name:
                problems.error(place, f"step '{step.name}' depends on itself")
            elif target in needs:
                needs[step.name].append(target)
                places[target, step.name] = place
            elif all_named:
                hint = nearest(target, needs)
                if "$(" in target:
                    hint = "parameters cannot be used in depends; rows of a sweep are matched automatically"
                problems.error(
                    place, f"step '{step.name}' depends on '{target}', which is not a step of this study", hint
                )
        _check_groups(step, environment, problems)
    return places


def _check_workspaces(
    study: StudySpec, environment: Environment, needs: Mapping[str, Sequence[str]], problems: Problems
) -> dict[_Edge, Place]:
    """Return edges for workspaces that a step uses without depending on their step, with the places of the tokens."""
    source = SourceText(study.text)
    references: dict[_Edge, Place] = {}
    steps, all_named = _named(study)
    for step in steps:
        for target in workspace_references(step, environment):
            place = _workspace_place(step, target, source)
            if target == step.name:
                problems.error(
                    place, f"step '{step.name}' uses its own $({target}.workspace)", "its own is $(WORKSPACE)"
                )
            elif target in needs:
                if not _hangs_on(needs, step.name, target):
                    references[target, step.name] = place
            elif all_named:
                # Maestro rejects such a study as well, and the path would never exist.
                message = f"step '{step.name}': $({target}.workspace) is not a step of this study"
                problems.error(place, message, nearest(target, needs))
    return references


def _named(study: StudySpec) -> tuple[list[Step], bool]:
    """Return the steps with a name, and whether all have one: else an unknown name may be that of a nameless step."""
    steps = [step for step in study.steps if step.name]
    return steps, len(steps) == len(study.steps)


def _check_groups(step: Step, environment: Environment, problems: Problems) -> None:
    funnels = [name for name, funnel in map(dependency_target, map(environment.apply, step.depends)) if funnel]
    for name, place in zip(step.group, step.group_places, strict=True):
        if name not in funnels:
            message = f"step '{step.name}': group names '{name}', but its 'depends' has no '{name}_*'"
            problems.error(place, message, nearest(name, funnels))


def _hangs_on(needs: Mapping[str, Sequence[str]], name: str, target: str) -> bool:
    """Return whether a step depends on another, directly or indirectly."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        for used in needs[todo.pop()]:
            if used == target:
                return True
            if used not in seen:
                seen.add(used)
                todo.append(used)
    return False


def _sorter(names: Iterable[str], edges: Iterable[_Edge]) -> TopologicalSorter[str]:
    sorter: TopologicalSorter[str] = TopologicalSorter({name: () for name in names})
    for used, user in edges:
        sorter.add(user, used)
    return sorter


def _report_circles(
    names: list[str],
    edges: list[_Edge],
    places: dict[_Edge, Place],
    references: dict[_Edge, Place],
    problems: Problems,
) -> dict[_Edge, Place]:
    """Report every dependency cycle with its steps. Return the references that are not part of a cycle."""
    import networkx as nx  # slow to import, so only if there is something to report

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(edges)
    for component in nx.strongly_connected_components(graph):
        if len(component) > 1:
            # A new graph in file order: a subgraph may be in the order of a set, which differs between runs.
            tangle = nx.DiGraph((used, user) for used, user in graph.edges if {used, user} <= component)
            circle = [str(edge[0]) for edge in nx.find_cycle(tangle)]  # pyright: ignore
            _report_circle(circle, places, references, problems)
            references = {pair: place for pair, place in references.items() if not component.issuperset(pair)}
    return references


def workspace_references(step: Step, environment: Environment) -> list[str]:
    """Return the steps whose workspace a step's cmd or restart uses, in order, each once."""
    text = environment.apply(step.cmd) + " " + environment.apply(step.restart)
    return list(dict.fromkeys(WORKSPACE_TOKEN.findall(text)))


def _workspace_place(step: Step, target: str, source: SourceText) -> Place:
    """Return where a step uses the workspace of another; the step's own place if it does so by an env label."""
    token = f"$({target}.workspace)"
    for key, text in (("cmd", step.cmd), ("restart", step.restart)):
        if token in text and key in step.sources:
            return source.find(token, step.sources[key])
    return step.place


def _report_circle(
    circle: list[str],
    places: dict[tuple[str, str], Place],
    references: Collection[tuple[str, str]],
    problems: Problems,
) -> None:
    pairs = list(zip(circle, [*circle[1:], circle[0]], strict=True))
    hint = "remove one of these dependencies"
    for used, user in pairs:
        if (used, user) in references:
            hint = f"'{user}' is tied to '{used}' by its $({used}.workspace)"
    steps = " -> ".join([*circle, circle[0]])
    problems.error(max(places[pair] for pair in pairs), f"steps wait for each other in a circle: {steps}", hint)


def _check_parameters(
    study: StudySpec, environment: Environment, parameters: Collection[Parameter], problems: Problems
) -> None:
    texts = [environment.apply(text) for step in study.steps for _, text in step_texts(step)]
    for parameter in parameters:
        if parameter.key in environment.names:
            problems.warn(
                parameter.place,
                f"parameter '{parameter.key}' is hidden by the env entry of the same name and has no effect",
            )
        elif not any(uses_parameter(text, parameter.key) for text in texts):
            message = f"parameter '{parameter.key}' is used by no step"
            # In a study from a file, only parameters of the command line have no place.
            if study.text and parameter in study.parameters and parameter.place == NOWHERE:
                in_file = [other.key for other in study.parameters if other.place != NOWHERE]
                hint = nearest(parameter.key, in_file) or f"a step uses it by $({parameter.key})"
                problems.error(NOWHERE, f"--params: {message}", hint)
            else:
                problems.warn(parameter.place, message)
        if len(set(parameter.labels)) < len(set(parameter.values)):
            problems.warn(
                parameter.place,
                f"parameter '{parameter.key}': different values share one label, so only the first of them runs",
                f"use %% as a placeholder for the value, for example label: {parameter.key}.%%",
            )
        in_values = {word for value in set(parameter.values) for word in words(value)}
        for word in sorted(in_values & environment.names):
            problems.warn(
                parameter.place,
                f"parameter '{parameter.key}': nothing replaces $({word}) in its values",
                "env tokens are replaced before parameters",
            )
        if not parameter.values:
            problems.warn(parameter.place, f"parameter '{parameter.key}' has no values: steps that use it never run")


def _check_tokens(study: StudySpec, environment: Environment, parameters: Collection[str], problems: Problems) -> None:
    """Warn of every $(WORD) that is not replaced; the shell would run it as a command."""
    source = SourceText(study.text)
    everywhere = set(RESERVED)
    for parameter in parameters:
        everywhere |= {parameter, f"{parameter}.label", f"{parameter}.name"}
    in_commands = {*everywhere, *_IN_COMMANDS, *(f"{step.name}.workspace" for step in study.steps)}
    known = environment.names | in_commands

    @functools.cache  # steps repeat the same few shell commands
    def meant(word: str, in_shell: bool) -> bool:
        return word in known or looks_meant(word, known, in_shell)

    reported: set[tuple[str | Place, str]] = set()  # report a word once per step, and once per place (YAML aliases)
    for step in study.steps:
        for key, written in step_texts(step):
            replaced = in_commands if key in ("cmd", "restart") else everywhere if key != "name" else set[str]()
            shell_reads_it = key in ("cmd", "restart", "description")
            for word in words(environment.apply(written)):  # env tokens that are left here are never replaced
                if word in replaced or not meant(word, shell_reads_it):
                    continue
                place = source.find(f"$({word})", step.sources[key]) if key in step.sources else step.place
                once = {(step.name, word), (place, word)}
                if not once & reported:
                    message = f"step '{step.name}': nothing replaces $({word}); it is left unchanged"
                    problems.warn(place, message, _token_hint(key, word, known, environment))
                reported |= once
        if (
            "$(LAUNCHER)" in step.cmd
            and not (step.run.get("nodes") or step.run.get("procs"))
            and study.batch.is_scheduled
        ):
            place = source.find("$(LAUNCHER)", step.sources.get("cmd", (0, 0)))
            problems.warn(
                place,
                f"step '{step.name}' uses $(LAUNCHER) but requests neither nodes nor procs",
                "it runs on this machine, where $(LAUNCHER) is left unchanged; add procs: or remove the token",
            )


def _token_hint(key: str, word: str, known: Collection[str], environment: Environment) -> str:
    if word in environment.names:
        return "an env entry can use plain entries, and entries with tokens only if they are defined after it"
    if word in known:
        return "a step's name takes no tokens" if key == "name" else "only cmd and restart take this token"
    return nearest(word, known)
