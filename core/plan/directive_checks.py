"""Reports the options in `#SBATCH` lines of a plan's steps that mtui cannot honour, with their places in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..spec.problems import NOWHERE, Place, Problems
from ..spec.resources import RESOURCES
from ..spec.retry_keys import factor_of
from ..spec.sbatch_objections import Objection, foreign_lines, objections, unread_lines
from ..spec.sbatch_options import (
    PREFIX,
    SbatchOption,
    burst_buffer_lines,
    directive_lines,
    directive_texts,
    has_escaped_blank,
    has_open_quote,
    parse_options,
)
from ..spec.study_spec import Step, StudySpec
from ..spec.tokens import SourceText
from .instance_script import directives_of, further_options, header_resources, requested_by_keys
from .job_request import job_request
from .study_plan import Instance, Plan, PlannedStep

# What a step on this machine may carry without a warning: where a job would run, and a walltime, as in many old specs.
_NOT_OF_SIZE = frozenset(("walltime", "nodes", "procs", *(key for key, known in RESOURCES.items() if known.is_place)))
_LINE = re.compile(rf"^[^\S\n]*{PREFIX}", re.MULTILINE)


def check_directives(plan: Plan, study: StudySpec, problems: Problems) -> None:
    """Add a problem for each option that mtui cannot honour: an error if nothing can run with it, else a warning."""
    source = SourceText(study.text)
    written = {step.name: step for step in study.steps}
    for step in plan.steps:
        step_written = written[step.name]
        for key, cmd in (("cmd", step.cmd), ("restart", step.restart)):
            for objection in _of_job(plan, step, cmd) if step.scheduled else _of_local_step(plan, cmd):
                place = _place(source, study.text, step_written, key, objection)
                message = f"step '{step.name}': {objection.message}"
                (problems.error if objection.refused else problems.warn)(place, message, objection.hint)
        if step.scheduled:
            _check_lists(plan, step, step_written, problems)
            _check_factors(plan, step, step_written, problems)
        elif study.batch.is_scheduled and not plan.local:
            _check_requests(step_written, source, problems)


def _of_job(plan: Plan, step: PlannedStep, cmd: str) -> Iterator[Objection]:
    """Yield each objection to the lines of a cmd once, whatever the number of instances."""
    yield from foreign_lines(cmd)
    yield from unread_lines(cmd)
    if PREFIX not in cmd:
        return
    texts = directive_texts(cmd)
    varies = any("$(" in text for text in texts)
    seen: set[tuple[str, ...]] = set()
    reported: set[tuple[int, str]] = set()
    for index in step.instances if varies else step.instances[:1]:
        replaced = directives_of(plan, plan.instances[index], cmd)
        if tuple(replaced) in seen:
            continue
        seen.add(tuple(replaced))
        given = parse_options(replaced)
        fewer = _fewer_nodes(plan, plan.instances[index], given)
        for objection in (*_quotes(replaced), *objections(given), *fewer):
            kind = (objection.line, re.sub(r"^'.*?' ", "", objection.message))
            if kind not in reported:
                reported.add(kind)
                yield objection


def _fewer_nodes(plan: Plan, instance: Instance, given: list[SbatchOption]) -> Iterator[Objection]:
    """Yield a warning if the job gets fewer nodes than a line requests, because the header has `--ntasks`."""
    asked = {option.name: option for option in given}
    if "nodes" not in asked:
        return
    values = requested_by_keys(header_resources(plan, instance), given)
    procs = asked["ntasks"].value if "ntasks" in asked else values.get("procs", "")
    least = re.match(r"\d+", asked["nodes"].value)
    if least and procs.isdecimal() and int(least.group()) > int(procs):
        option = asked["nodes"]
        tasks = "1 task" if procs == "1" else f"{procs} tasks"
        message = f"'{PREFIX} {option.text}' has no full effect: Slurm gives a job of {tasks} no more nodes than that"
        yield Objection(option.line, message, f"write 'nodes: {option.value}' in the step's run block, or more procs")


def _quotes(texts: list[str]) -> Iterator[Objection]:
    for number, text in enumerate(texts):
        if has_open_quote(text):
            message = f"'{PREFIX} {text}' has an unmatched quotation mark; sbatch rejects it"
            yield Objection(number, message, "add the missing quotation mark, or escape it with a backslash")
        if has_escaped_blank(text):
            message = f"'{PREFIX} {text}' has a backslash before a blank; versions of Slurm read that differently"
            yield Objection(number, message, "put the value into quotation marks")


def _of_local_step(plan: Plan, cmd: str) -> Iterator[Objection]:
    if plan.local:  # --local: the user wants no step in a job
        return
    hint = "give the step 'nodes' or 'procs' to run it in a Slurm job"
    if directive_lines(cmd):
        yield Objection(0, f"its {PREFIX} lines have no effect, because it runs on this machine", hint)
    for line in burst_buffer_lines(cmd):
        yield Objection(0, f"'{line}' has no effect, because it runs on this machine", hint, written=line)


def _check_requests(written: Step, source: SourceText, problems: Problems) -> None:
    """Warn of a step that requests what only a job can get, but runs on this machine."""
    keys = [key for key in written.run if key in RESOURCES and key not in _NOT_OF_SIZE and written.run[key]]
    if keys:
        first = written.sources.get(keys[0])
        message = f"step '{written.name}': {', '.join(map(repr, keys))} without effect, because it runs on this machine"
        place = source.place(first[0]) if first else written.place
        problems.warn(place, message, "give the step 'nodes' or 'procs' to run it in a Slurm job")


def _check_lists(plan: Plan, step: PlannedStep, written: Step, problems: Problems) -> None:
    """Check the `sbatch` lists for what only has no effect; what is refused there was reported with its place."""
    first: Instance | None = plan.instances[step.instances[0]] if step.instances else None
    for objection in objections(parse_options(further_options(plan, first))) if first else ():
        message = f"step '{step.name}': {objection.message.replace(f'{PREFIX} ', '')}, in 'sbatch'"
        problems.warn(written.place, message, objection.hint)


def _check_factors(plan: Plan, step: PlannedStep, written: Step, problems: Problems) -> None:
    """Warn of retry rules that multiply what the step does not request: the retry would change nothing."""
    if not step.instances or not step.retry:
        return
    requested = job_request(plan, plan.instances[step.instances[0]])
    for cause, rule in step.retry.items():
        for key in (key for key, value in rule.changes if factor_of(value) is not None and key not in requested.values):
            options = [
                option.text for option in requested.own if key == "gpus" and "gpu" in f"{option.name} {option.value}"
            ]
            other = f", only '{options[-1]}'" if options else ""
            message = (
                f"step '{step.name}': retry: {cause}: '{key}' has no effect, because the step has no '{key}'{other}"
            )
            problems.warn(written.place, message, f"give the step a value of '{key}' that a retry can multiply")


def _place(source: SourceText, text: str, step: Step, key: str, objection: Objection) -> Place:
    """Return the place of an objection in a cmd; of the cmd if its text is written otherwise."""
    start, end = step.sources.get(key, (0, 0))
    if not end:
        return step.place or NOWHERE
    if objection.written:
        return source.find(objection.written, (start, end))
    found = [match.end() - len(PREFIX) for match in _LINE.finditer(text, start, end)]
    return source.place(found[objection.line]) if objection.line < len(found) else source.find(PREFIX, (start, end))
