"""Plans and problems of study texts, for the tests of spec and plan."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from mtui.core.plan import Plan
from mtui.core.plan.expand import make_plan
from mtui.core.plan.instance_script import render
from mtui.core.spec import Problem, Problems, SpecError
from mtui.core.spec.study_parser import parse_study

HEAD = "description: {name: t, description: d}\n"
SLURM = "batch: {type: slurm, host: h, bank: '', queue: ''}\n"


def plan_and_problems(text: str, **options: Any) -> tuple[Plan | None, list[Problem]]:
    """The plan of a study (None if it is refused), and everything that is said of it, in order of place."""
    problems = Problems("study.yaml")
    try:
        study = parse_study(dedent(text), problems)
        plan = make_plan(study, out="/out", spec_root="/specs", cwd="/cwd", problems=problems, **options)
    except SpecError as error:
        return None, error.problems
    return plan, sorted(problems.found, key=lambda problem: problem.place)


def plan_of(text: str, **options: Any) -> Plan:
    """The plan of a study that must be good."""
    plan, problems = plan_and_problems(text, **options)
    assert plan is not None, problems
    return plan


def problem_lines(text: str, **options: Any) -> list[str]:
    """What is said of a study, as `line:column: message`."""
    _, problems = plan_and_problems(text, **options)
    return [problem.text("").partition("\n")[0].removeprefix(": ").removeprefix(":") for problem in problems]


def hints(text: str, **options: Any) -> list[str]:
    """The hints of everything that is said of a study."""
    return [problem.hint for problem in plan_and_problems(text, **options)[1]]


def names(plan: Plan) -> list[str]:
    return [instance.name for instance in plan.instances]


def edges(plan: Plan) -> dict[str, list[str]]:
    """The parents of each instance."""
    return {
        instance.name: sorted(plan.instances[parent].name for parent in plan.parents(instance))
        for instance in plan.instances
    }


def commands(plan: Plan) -> dict[str, str]:
    """The command of each instance, without the header and the last line end."""
    return {
        instance.name: render(plan, instance).body.partition("\n\n")[2].removesuffix("\n")
        for instance in plan.instances
    }


def headers(plan: Plan) -> dict[str, list[str]]:
    """The options in each instance's header, without `#SBATCH `."""
    return {
        instance.name: [
            line.removeprefix("#SBATCH ") for line in render(plan, instance).body.partition("\n\n")[0].split("\n")[1:]
        ]
        for instance in plan.instances
    }
