"""Descriptions of a step that several outputs share: its dependencies, and the retries of its failures."""

from __future__ import annotations

from collections.abc import Mapping

from ...core.plan.resource_changes import in_words
from ...core.plan.study_plan import Plan, PlannedStep
from ...core.spec.study_spec import RetryRule


def above_words(plan: Plan, step: PlannedStep) -> list[str]:
    """Return each dependency of a step as text: `a`, `all of b`, `all of c with the same SIZE`."""
    words = [(index, plan.steps[index].name) for index in step.parents]
    words += [(index, f"all of {plan.steps[index].name}") for index in step.funnels]
    for index in step.groups:
        shared = ", ".join(key for key in step.used if key in plan.steps[index].used)
        words.append((index, f"all of {plan.steps[index].name} with the same {shared}"))
    return [f"{text} (done or failed)" if index in step.after else text for index, text in words]


def retry_words(rules: Mapping[str, RetryRule], *, has_restart: bool) -> list[str]:
    """Return the retry rules of a step as text: `TIMEOUT: 2 times with its restart command, walltime=x1.5`."""
    lines: list[str] = []
    by_rule: dict[tuple[int, str], list[str]] = {}
    for cause, rule in rules.items():
        name = f"exit code {cause}" if cause.isdecimal() else cause
        by_rule.setdefault((rule.times, _how(cause, rule, has_restart)), []).append(name)
    for (times, how), names in by_rule.items():
        often = "without limit" if times >= 1_000_000 else "once" if times == 1 else f"up to {times:,} times"
        lines.append(f"{', '.join(names)}: {often}{how}")
    return lines


def _how(cause: str, rule: RetryRule, has_restart: bool) -> str:
    words: list[str] = []
    if has_restart and (cause == "TIMEOUT" if rule.restart is None else rule.restart):
        words.append("its restart command")
    if rule.changes:
        words.append(in_words(dict(rule.changes)))
    with_what = f" with {' and '.join(words)}" if words else ""
    return with_what + (", not on the node where it failed" if rule.exclude else "")
