"""Builds a `StudySpec` from the tree of a spec file, and reports all problems of the file at once.

Accepts and rejects the same files as Maestro; the deliberate differences are listed in
tests/conformance/deviations.py. What Maestro silently ignores is a warning.
"""

from __future__ import annotations

import re
from pathlib import Path

from . import cross_checks
from .command_line_values import NO_VALUES, CommandLineValues, set_entries
from .fields import Fields, plain, warn_of_clock
from .mtui_block import read_mtui_block
from .parameters import read_parameters
from .problems import NOWHERE, Place, Problem, Problems, SpecError, nearest
from .resources import RESOURCES
from .run_keys import FOREIGN_KEYS, RUN_KEYS, read_run_values
from .slurm_keys import BATCH_KEYS, hints_in_batch, hints_in_run, read_slurm_values
from .step_keys import read_step_blocks
from .study_spec import (
    BATCH_SYSTEMS,
    OTHER_SCHEDULERS,
    Batch,
    Dependency,
    DependencyKind,
    EnvEntry,
    RunValue,
    Step,
    StudySpec,
)
from .text_files import ReadText, UnreadableFile, read_nothing, read_text
from .yaml_tree import Mapping, Scalar, Sequence, TreeNode, kind_of, read_tree

_TOP_KEYS = ("description", "env", "batch", "study", "global.parameters", "mtui")
_BATCH_KEYS = ("type", "shell", "host", "bank", "queue", "nodes", "procs", "qos", "reservation")
_SLURM_REQUIRED = ("host", "bank", "queue")


def load_study(path: Path, given: CommandLineValues = NO_VALUES) -> tuple[StudySpec, Problems]:
    """Read a spec file, with values of the command line in place of the file's. Return it and its warnings.

    Raises SpecError with every problem of the file, or if the file cannot be read.
    """
    problems = Problems(str(path))
    text = read_text(str(path), "a study file", pipes=True)
    if isinstance(text, UnreadableFile):
        raise SpecError(str(path), [_whole(text.why)])
    return parse_study(text, problems, given, read_text), problems


_SCRIPT = re.compile(r"#!.*\b(\w*sh|python[\d.]*|perl|Rscript|julia)\b")  # `#!/usr/bin/env mtui` is a study's


def _whole(message: str) -> Problem:
    return Problem(NOWHERE, message)


def parse_study(
    text: str, problems: Problems, given: CommandLineValues = NO_VALUES, read: ReadText = read_nothing
) -> StudySpec:
    """Parse a study in a YAML text; `read` reads the CSV files that it names.

    Warnings are added to `problems`. Raises SpecError if there are errors.
    """
    text = text.removeprefix("\ufeff")  # a byte order mark, which PyYAML's offsets do not count
    if _SCRIPT.match(text):
        hint = "put it into the 'cmd' of a step, as 'mtui init' and docs/from-sbatch.md show"
        problems.error(Place(1, 1), "this is a script; a study file is YAML with 'description' and 'study'", hint)
        problems.raise_if_any()
    root = read_tree(text, problems)
    problems.raise_if_any()
    if root is None or (isinstance(root, Scalar) and root.value is None):
        raise SpecError(problems.file, [_whole("the file is empty: a study needs 'description' and 'study'")])
    top = Fields.of(root, "the study file", problems, root.place, odd_keys=True)
    if top is None:
        raise SpecError(problems.file, problems.found)
    top.check_keys(_TOP_KEYS, ("description", "study"), warn=True)
    name, description = _description(top)
    entries, dependencies = _environment(top)
    entries = set_entries(entries, given, problems)
    batch = _batch(top)
    steps = read_step_blocks(top, _steps(top))
    study = StudySpec(
        name=name,
        description=description,
        steps=steps,
        batch=batch,
        environment=entries,
        dependencies=dependencies,
        parameters=read_parameters(top, given, read),
        mtui=read_mtui_block(top, tuple(step.name for step in steps)),
        output_path=next((entry.value for entry in entries if entry.name == "OUTPUT_PATH"), ""),
        file=problems.file,
        text=text,
    )
    cross_checks.check(study, problems)
    problems.raise_if_any()
    return study


def _description(top: Fields) -> tuple[str, str]:
    fields = top.mapping("description", "description")
    if fields is None:
        return "", ""
    fields.check_keys(fields.node.entries, ("name", "description"))
    return fields.text("name"), fields.text("description")


# --- env


def _environment(top: Fields) -> tuple[tuple[EnvEntry, ...], tuple[Dependency, ...]]:
    env = top.mapping("env", "env")
    if env is None:
        return (), ()
    env.check_keys(("variables", "labels", "sources", "dependencies"))
    variables = env.mapping("variables", "env.variables")
    labels = env.mapping("labels", "env.labels")
    entries = [*_variables(variables), *_labels(labels)]
    for item in env.items("sources", "env.sources"):
        if not (isinstance(item, Scalar) and isinstance(item.value, str)):
            top.problems.error(item.place, f"env.sources: each source must be text, but this is {kind_of(item)}")
    if env.has("sources"):
        top.problems.warn(
            env.place("sources"),
            "env.sources has no effect, as in Maestro: nothing is sourced",
            "write 'source FILE' at the top of each step's cmd, below its #SBATCH lines",
        )
    return tuple(entries), tuple(_dependencies(env))


def _variables(fields: Fields | None) -> list[EnvEntry]:
    entries: list[EnvEntry] = []
    for key, node in fields.node.items() if fields else ():
        assert fields is not None
        value = node.value if isinstance(node, Scalar) else None
        good = isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""
        if not key:
            fields.problems.error(fields.place(key), "env.variables: a name is empty")
        elif good and isinstance(node, Scalar):
            warn_of_clock(node, f"env.variables.{key}", fields.problems)
            entries.append(EnvEntry(key, value, fields.place(key)))
        else:
            kind = "empty" if value == "" else kind_of(node)
            fields.problems.error(
                node.place,
                f"env.variables: '{key}' must be text or a number, but is {kind}",
                "put it in quotes" if isinstance(value, bool) else "",
            )
    return entries


def _labels(fields: Fields | None) -> list[EnvEntry]:
    entries: list[EnvEntry] = []
    for key, node in fields.node.items() if fields else ():
        assert fields is not None
        if isinstance(node, Scalar) and node.value is None:
            fields.problems.error(fields.place(key), f"env.labels: '{key}' is empty")
        elif not key:
            fields.problems.error(fields.place(key), "env.labels: a name is empty")
        else:
            entries.append(EnvEntry(key, plain(node), fields.place(key)))
    return entries


def _dependencies(env: Fields) -> list[Dependency]:
    fields = env.mapping("dependencies", "env.dependencies", odd_keys=True)
    if fields is None:
        return []
    if fields.has("spack"):
        fields.problems.error(
            fields.place("spack"), "env.dependencies: spack is not supported", "Maestro fails on it as well"
        )
    fields.check_keys(("paths", "git", "spack"), warn=True)
    found: list[Dependency] = []
    for kind, key, required in (
        (DependencyKind.PATH, "paths", ("name", "path")),
        (DependencyKind.GIT, "git", ("name", "path", "url")),
    ):
        what = f"env.dependencies.{key}"
        for node in fields.items(key, what):
            item = Fields.of(node, f"an item of {what}", env.problems, node.place)
            if item is None:
                continue
            git = kind is DependencyKind.GIT
            item.check_keys(("tag", "branch", "hash") if git else (), required, warn=git)
            texts = {name: item.text(name) for name in ("name", "path", "url", "tag", "branch", "hash")}
            chosen = [name for name in ("hash", "tag", "branch") if texts[name]]
            if len(chosen) > 1:
                env.problems.error(node.place, f"{what}: only one of {', '.join(chosen)} can be given")
            checkout = texts[chosen[0]] if chosen else ""
            if chosen == ["tag"]:
                checkout = f"tags/{checkout}"
            if "$(" in texts["path"] and not git:
                place = item.node.entries["path"].place
                env.problems.warn(
                    place, f"{what}: tokens are not replaced in '{texts['path']}'", "write the path itself"
                )
            found.append(Dependency(kind, texts["name"], texts["path"], texts["url"], checkout, node.place))
    return found


# --- batch


def _batch(top: Fields) -> Batch:
    node = top.node.get("batch")
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return Batch()
    fields = top.mapping("batch", "batch")
    if fields is None:
        return Batch()
    kind = fields.text("type") if fields.has("type") else "local"
    place = fields.node.entries["type"].place if fields.has("type") else fields.node.place
    if kind and kind not in ("local", *BATCH_SYSTEMS, *OTHER_SCHEDULERS):
        hint = nearest(kind.lower(), ("local", *BATCH_SYSTEMS))
        fields.problems.error(place, f"batch: unknown type '{kind}'", hint)
    required = _SLURM_REQUIRED if kind == "slurm" else ()
    fields.check_keys(
        (*_BATCH_KEYS, *BATCH_KEYS),
        required,
        warn=True,
        why="a slurm batch requires it; '' uses Slurm's default",
        hints=hints_in_batch(),
    )
    values: dict[str, RunValue] = dict(read_slurm_values(fields, BATCH_KEYS))
    for key, item in fields.node.items():
        if key in BATCH_KEYS:
            if key in values and "$(" in str(values[key]):
                fields.problems.warn(item.place, f"batch: tokens are not replaced in '{key}'", "give it in a step")
        elif not isinstance(item, Scalar):
            if key in _BATCH_KEYS:
                fields.problems.error(item.place, f"batch: '{key}' must be one value, but is {kind_of(item)}")
        elif isinstance(item.value, (str, int, float)):
            values[key] = item.value
            if "$(" in item.text:
                fields.problems.warn(item.place, f"batch: tokens are not replaced in '{item.text}'")
            elif key in ("nodes", "procs") and item.text:
                _warn_of_count(fields, key, item)
    return Batch(kind or "local", str(values.get("shell") or "/bin/bash"), values, place)


def _warn_of_count(fields: Fields, key: str, item: Scalar) -> None:
    """Warn of a number of nodes or tasks that sbatch would refuse; Maestro does not check it."""
    refusal = RESOURCES[key].refuse(key, str(item.value))
    if refusal:
        fields.problems.warn(item.place, f"batch: {refusal.message}; sbatch refuses it")


# --- study


def _steps(top: Fields) -> tuple[Step, ...]:
    study = top.node.get("study")
    if isinstance(study, Sequence) and not study.items:
        top.problems.error(top.place("study"), "study has no steps", "a study needs at least one '- name: ...' step")
    return tuple(_step(node, number, top.problems) for number, node in enumerate(top.items("study", "study"), 1))


def _step(node: TreeNode, number: int, problems: Problems) -> Step:
    """Read a step; after an error with the keys that could be read, so that other steps can still refer to it."""
    named = node.get("name") if isinstance(node, Mapping) else None
    name = named.value if isinstance(named, Scalar) and isinstance(named.value, str) else ""
    what = f"step '{name}'" if name else f"step {number}"
    fields = Fields.of(node, what, problems, node.place)
    if fields is None:
        return Step("", "", "", place=node.place)
    misplaced = [key for key in fields.node.entries if key in RUN_KEYS]
    if misplaced:
        keys = ", ".join(f"'{key}'" for key in misplaced)
        problems.error(fields.place(misplaced[0]), f"{what}: {keys} outside of 'run'", "indent it below 'run:'")
    required = ("name", "description") if misplaced else ("name", "description", "run")
    fields.check_keys((*misplaced, "run"), required)
    name, description = fields.text("name"), fields.text("description")
    given = fields.node.get("run")
    empty = given is None or (isinstance(given, Scalar) and given.value is None)
    run = fields.mapping("run", f"{what}: run") if not (misplaced and empty) else None
    if run is None:
        return Step(name, description, "", place=node.place)
    run.what = what
    run.check_keys(RUN_KEYS, () if "cmd" in misplaced else ("cmd",), hints=hints_in_run(name or "STEP"))
    for key in FOREIGN_KEYS & run.node.entries.keys():
        problems.warn(run.place(key), f"{what}: '{key}' has no effect on Slurm or local steps")
    depends, places = _depends(run)
    return Step(
        name=name,
        description=description,
        cmd=run.text("cmd"),
        restart=run.text("restart"),
        depends=depends,
        run=read_run_values(run),
        place=node.place,
        depends_places=places,
        sources={key: (item.start, item.end) for key, item in (*fields.node.items(), *run.node.items())},
    )


def _depends(run: Fields) -> tuple[tuple[str, ...], tuple[Place, ...]]:
    names: list[str] = []
    places: list[Place] = []
    for item in run.items("depends", f"{run.what}: depends"):
        if not (isinstance(item, Scalar) and isinstance(item.value, str) and item.value):
            kind = "an empty one" if isinstance(item, Scalar) and item.value == "" else kind_of(item)
            run.problems.error(item.place, f"{run.what}: depends must list step names, but holds {kind}")
        elif item.value in names:
            run.problems.error(item.place, f"{run.what}: depends names '{item.value}' twice")
        else:
            names.append(item.value)
            places.append(item.place)
    return tuple(names), tuple(places)
