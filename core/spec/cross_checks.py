"""Checks across the parts of a study: names, dependencies, circles, tokens that nothing will replace."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .environment import RESERVED, Environment, build_environment
from .model import Step, Study
from .problems import NOWHERE, Place, Problems, nearest
from .tokens import WORKSPACE_TOKEN, SourceText, looks_meant, uses_parameter, words

_FUNNEL_MARK = re.compile(r"_\*|\*")
_BUILT_IN = ("WORKSPACE", "LAUNCHER", *RESERVED)


def dependency_target(written: str) -> tuple[str, bool]:
    """The step that an item of `depends` names, and whether all its instances are meant (`step_*`)."""
    return _FUNNEL_MARK.sub("", written), "*" in written


def study_environment(study: Study) -> Environment:
    """The study's environment before its directory is known: good for names, not for paths."""
    return build_environment(study.environment, study.dependencies, "$(OUTPUT_PATH)", "$(SPECROOT)", "")[0]


def step_texts(step: Step) -> Iterator[tuple[str, str]]:
    """Every text of a step in which tokens are replaced, as (key, text)."""
    yield "name", step.name
    yield "description", step.description
    yield "cmd", step.cmd
    yield "restart", step.restart
    for key, value in step.run.items():
        for text in value.values() if isinstance(value, dict) else (value,):
            if isinstance(text, str):
                yield key, text


def check(study: Study, source: SourceText, problems: Problems) -> None:
    """Report what can only be seen with the whole study in hand."""
    environment = study_environment(study)
    _check_env_names(study, problems)
    _check_step_names(study, environment, problems)
    _check_edges(study, environment, problems)
    if not problems.errors:  # in a broken study, most of what these would say is an echo of the errors
        _check_parameters(study, environment, problems)
        _check_tokens(study, environment, source, problems)


def _check_env_names(study: Study, problems: Problems) -> None:
    seen: dict[str, Place] = {}
    named = [(entry.name, entry.place) for entry in study.environment]
    named += [(dependency.name, dependency.place) for dependency in study.dependencies]
    for name, place in named:
        if name in RESERVED:
            problems.error(
                place, f"env: '{name}' is a reserved name", "choose another name; this token is always there"
            )
        elif name in seen:
            problems.error(
                place,
                f"env: the name '{name}' is taken by line {seen[name].line}",
                "variables, labels and dependencies share one set of names",
            )
        elif name:
            seen[name] = place


def _check_step_names(study: Study, environment: Environment, problems: Problems) -> None:
    seen: dict[str, Place] = {}
    for step in study.steps:
        if step.name in seen:
            problems.error(
                step.place,
                f"a second step named '{step.name}'; the first is in line {seen[step.name].line}",
                "Maestro would drop the second one without a word; give it a name of its own",
            )
        elif step.name:
            seen[step.name] = step.place
        if environment.apply(step.name) != step.name:
            problems.error(step.place, f"step '{step.name}': a step's name cannot hold env tokens")


def _check_edges(study: Study, environment: Environment, problems: Problems) -> None:
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(step.name for step in study.steps)
    places: dict[tuple[str, str], Place] = {}
    for step in study.steps:
        for written, place in zip(step.depends, step.depends_places, strict=True):
            target, _ = dependency_target(environment.apply(written))
            if target == step.name:
                problems.error(place, f"step '{step.name}' depends on itself")
            elif target not in graph:
                hint = nearest(target, [other.name for other in study.steps])
                if "$(" in target:
                    hint = "parameters cannot be used in depends; the rows of a sweep are matched by themselves"
                problems.error(place, f"step '{step.name}' depends on '{target}', which is no step of this study", hint)
            else:
                graph.add_edge(target, step.name)
                places[target, step.name] = place
    references: list[tuple[str, str]] = []
    for step in study.steps:
        for target in workspace_references(step, environment):
            if target == step.name:
                problems.error(
                    step.place, f"step '{step.name}' uses its own $({target}.workspace)", "its own is $(WORKSPACE)"
                )
            elif target in graph and not nx.has_path(graph, target, step.name):
                references.append((target, step.name))
                places.setdefault((target, step.name), step.place)
                problems.warn(
                    step.place,
                    f"step '{step.name}' uses $({target}.workspace) but does not depend on '{target}'",
                    f"without 'depends: [{target}]' it may start before '{target}' is done",
                )
    graph.add_edges_from(references)
    for component in nx.strongly_connected_components(graph):
        if len(component) > 1:
            circle = [str(edge[0]) for edge in nx.find_cycle(graph.subgraph(component))]  # pyright: ignore
            _report_circle(circle, places, references, problems)


def workspace_references(step: Step, environment: Environment) -> list[str]:
    """The steps whose workspace a step's cmd or restart names, in order, each once."""
    text = environment.apply(step.cmd) + " " + environment.apply(step.restart)
    return list(dict.fromkeys(WORKSPACE_TOKEN.findall(text)))


def _report_circle(
    circle: list[str],
    places: dict[tuple[str, str], Place],
    references: list[tuple[str, str]],
    problems: Problems,
) -> None:
    pairs = list(zip(circle, [*circle[1:], circle[0]], strict=True))
    hint = "remove one of these dependencies"
    for used, user in pairs:
        if (used, user) in references:
            hint = f"'{user}' is tied to '{used}' by its $({used}.workspace)"
    steps = " -> ".join([*circle, circle[0]])
    problems.error(max(places[pair] for pair in pairs), f"steps wait for each other in a circle: {steps}", hint)


def _check_parameters(study: Study, environment: Environment, problems: Problems) -> None:
    texts = [environment.apply(text) for step in study.steps for _, text in step_texts(step)]
    for parameter in study.parameters:
        if parameter.key in environment.names:
            problems.warn(
                parameter.place,
                f"parameter '{parameter.key}' is hidden by the env entry of the same name and sweeps nothing",
            )
        elif not any(uses_parameter(text, parameter.key) for text in texts):
            problems.warn(parameter.place, f"parameter '{parameter.key}' is used by no step")
        if len(set(parameter.labels)) < len(set(parameter.values)):
            problems.warn(
                parameter.place,
                f"parameter '{parameter.key}': different values share one label, so only the first of them runs",
                f"put %% where the value belongs, for example label: {parameter.key}.%%",
            )
        if not parameter.values:
            problems.warn(parameter.place, f"parameter '{parameter.key}' has no values: steps that use it never run")


def _check_tokens(study: Study, environment: Environment, source: SourceText, problems: Problems) -> None:
    """Warn of every $(WORD) that nothing will replace; the shell would run it as a command."""
    step_names = [step.name for step in study.steps]
    known: set[str] = {*environment.names, *_BUILT_IN, *(f"{name}.workspace" for name in step_names)}
    for parameter in study.parameters:
        known |= {parameter.key, f"{parameter.key}.label", f"{parameter.key}.name"}
    reported: set[tuple[str, str]] = set()
    for step in study.steps:
        for key, written in step_texts(step):
            text = environment.apply(written)
            shell_reads_it = key in ("cmd", "restart", "description")
            for word in words(text):
                if word in known or (step.name, word) in reported:
                    continue
                if not looks_meant(word, known, shell_reads_it):
                    continue
                reported.add((step.name, word))
                _report_token(step, key, word, known, source, problems)
        if "$(LAUNCHER)" in step.cmd and not (step.run.get("nodes") or step.run.get("procs")) and study.batch.is_slurm:
            place = source.find("$(LAUNCHER)", step.sources.get("cmd", (0, 0)))
            problems.warn(
                place,
                f"step '{step.name}' uses $(LAUNCHER) but asks for neither nodes nor procs",
                "it runs on this machine, where $(LAUNCHER) stays as it is; add procs: or remove the token",
            )


def _report_token(step: Step, key: str, word: str, known: set[str], source: SourceText, problems: Problems) -> None:
    stretch = step.sources.get(key)
    place = source.find(f"$({word}", stretch) if stretch else (step.place or NOWHERE)
    base, dot, attribute = word.rpartition(".")
    if dot and attribute == "workspace":
        steps = [name.removesuffix(".workspace") for name in known if name.endswith(".workspace")]
        message = f"step '{step.name}': $({word}) names no step of this study"
        # Maestro refuses such a study, and a path that is never made is of no use to anybody.
        problems.error(place, message, nearest(base, steps))
    else:
        problems.warn(
            place, f"step '{step.name}': nothing replaces $({word}); it is left as it stands", nearest(word, known)
        )
