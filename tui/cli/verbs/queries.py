"""The verbs that only read: plan, status, why, log, report, studies, completion. Each returns the exit code."""

from __future__ import annotations

import argparse
import sys
from itertools import permutations
from typing import TYPE_CHECKING

from ....core.errors import EXIT_FINISHED, UsageError
from ...views.json_output import print_json
from ...views.study_opening import read_any_study
from ..arguments import has_terminal, open_target, plan_options, print_on_stderr, study_file

if TYPE_CHECKING:  # imported where it is used, to keep --help fast
    from ....core.engine.state import StudyState
    from ....core.plan.study_plan import Instance, Plan

_MOST_NAMES = 4  # instances of a step that a hint lists
_MOST_LABELS = 4  # labels of which all orders are tried


def studies(arguments: argparse.Namespace) -> int:
    from ...views.studies_text import studies_json, studies_text

    if arguments.json:
        print_json(studies_json())
        return EXIT_FINISHED
    if has_terminal():
        from ...app.run import run_app

        return run_app()
    print(studies_text())
    return EXIT_FINISHED


def plan(arguments: argparse.Namespace) -> int:
    from ....core.store.study_dependencies import path_warnings
    from ....core.study_creation import plan_study

    planned = plan_study(study_file(arguments.target), plan_options(arguments))
    warnings = [*planned.warnings, *path_warnings(planned.plan.dependencies)]
    if arguments.json:
        from ....core.plan.plan_json import plan_as_json

        for problem in warnings:
            print_on_stderr(problem.text(planned.study.file))
        print_json(plan_as_json(planned.plan))
        return EXIT_FINISHED
    from ...views.text import Paint
    from .plan_view import plan_text

    study = planned.study
    print(plan_text(planned.plan, study.file, warnings, Paint(sys.stdout), study.mtui, planned.profile))
    return EXIT_FINISHED


def status(arguments: argparse.Namespace) -> int:
    from ...views.status_view import status_json, status_text
    from ...views.text import Paint

    directory = open_target(arguments)
    study, state = read_any_study(directory)
    if arguments.json:
        print_json(status_json(directory, state, study.given))
    else:
        print(status_text(directory, state, Paint(sys.stdout), study.given))
    return EXIT_FINISHED


def why(arguments: argparse.Namespace) -> int:
    from ...views.text import Paint
    from ...views.why_text import why_json, why_text

    directory = open_target(arguments)
    study, state = read_any_study(directory)
    instance = _instance(state, arguments.instance)
    if arguments.json:
        print_json(why_json(directory, study, state, instance.index))
        return EXIT_FINISHED
    print(why_text(directory, study, state, instance.index, Paint(sys.stdout)))
    return EXIT_FINISHED


def log(arguments: argparse.Namespace) -> int:
    from .log import log_file, log_json, show_log

    if arguments.json and arguments.follow:
        raise UsageError("--json prints the logs once, so it cannot be used with -f", "omit -f")
    directory = open_target(arguments)
    _, state = read_any_study(directory)
    instance = _instance(state, arguments.instance)
    if arguments.json:
        print_json(log_json(directory, state, instance))
        return EXIT_FINISHED
    path = log_file(directory, state, instance, arguments)
    return show_log(directory, state, instance, path, follow=arguments.follow)


def report(arguments: argparse.Namespace) -> int:
    from ...report.write import print_report, write_report

    if arguments.json:
        if arguments.out or arguments.format or arguments.watch:
            raise UsageError("--json prints the report once, on stdout", "omit -o, --format and --watch")
        return print_report(open_target(arguments))
    return write_report(open_target(arguments), arguments.format, arguments.out, watch=arguments.watch)


def _instance(state: StudyState, name: str) -> Instance:
    from ....core.engine.status import BAD
    from ....core.spec.problems import nearest

    names = {instance.name: instance for instance in state.plan.instances}
    if name in names:
        return names[name]
    same = _in_another_order(state.plan, name)
    hint = f"did you mean '{same}'?" if same else nearest(name, names)
    for step in (step for step in state.plan.steps if step.name == name and step.instances):
        # List the instances that did not finish first.
        ordered = sorted(step.instances, key=lambda index: (state.status[index] not in BAD, index))
        shown = ", ".join(state.plan.instances[index].name for index in ordered[:_MOST_NAMES])
        more = ", ..." if len(ordered) > _MOST_NAMES else ""
        hint = f"this is a step; its instances are {shown}{more}"
    raise UsageError(f"no instance named '{name}'", hint)


def _in_another_order(plan: Plan, name: str) -> str:
    """Return the instance that has the labels of `name` in another order; empty if there is none."""
    for instance in plan.instances:
        step = plan.step_of(instance)
        if len(name) == len(instance.name) and name.startswith(f"{step.name}_") and len(step.used) <= _MOST_LABELS:
            labels = (plan.parameters.labels[plan.parameters.keys.index(key)][instance.row] for key in step.used)
            if name in (f"{step.name}_{'.'.join(order)}" for order in permutations(labels)):
                return instance.name
    return ""


def completion(arguments: argparse.Namespace) -> int:
    from .completion import shell_code

    print(shell_code(arguments.shell))
    return EXIT_FINISHED
