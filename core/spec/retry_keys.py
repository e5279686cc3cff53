"""Reads the key `retry` of the `mtui` block and of its steps: how often, and how, failed instances are retried.

    retry: 2                                          # twice, for any cause
    retry:
      TIMEOUT: {times: 2, walltime: x1.5}             # multiply the previous walltime by 1.5 each time
      OUT_OF_MEMORY: {times: 2, mem: x2, queue: big}
      NODE_FAIL: 3
      75: 1                                           # an exit code

A rule of the study applies to each step that has no rule for that cause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Values
from dataclasses import replace

from .fields import Fields, shown
from .problems import nearest
from .resources import RESOURCES, is_word
from .study_spec import RetryRule
from .yaml_tree import Mapping, Scalar, TreeNode, kind_of

CAUSES = ("TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "PREEMPTED", "FAILED")
# Amounts first, then places: the order in which a rule is shown.
IN_RULES = tuple(
    sorted((key for key, resource in RESOURCES.items() if resource.in_rules), key=lambda key: RESOURCES[key].is_place)
)
_KEYS = ("times", "restart", "exclude")
_FACTOR = re.compile(r"x([0-9]+(?:\.[0-9]+)?)")
_MOST = 1000


def factor_of(value: str) -> float | None:
    """Return the factor of a value like `x1.5`; None for any other value."""
    match = _FACTOR.fullmatch(value)
    return float(match.group(1)) if match else None


def read_retry(fields: Fields) -> dict[str, RetryRule]:
    """Read the rules of the key `retry`, by cause."""
    node = fields.node.get("retry")
    if node is None or (isinstance(node, Scalar) and node.value is False):
        return {}
    if not isinstance(node, Mapping):
        times = _times(fields, node, "'retry'")
        return {cause: _rule(cause, times) for cause in CAUSES} if times else {}
    rules: dict[str, RetryRule] = {}
    for cause, item in node.items():
        what = f"{fields.what}: retry: {cause}"
        if cause not in CAUSES and not (cause.isdecimal() and 1 <= int(cause) <= 255):
            hint = nearest(cause.upper(), (*CAUSES, "an exit code from 1 to 255"))
            fields.problems.error(node.key_place(cause), f"{fields.what}: retry: '{cause}' is not a cause", hint)
        elif isinstance(item, Mapping):
            rules[cause] = replace(_read_rule(Fields(item, what, fields.problems), cause), named=True)
        else:
            rules[cause] = replace(_rule(cause, _times(fields, item, f"retry: '{cause}'")), named=True)
    return {cause: rule for cause, rule in rules.items() if rule.times}


def merged(of_study: Values[str, RetryRule], of_step: Values[str, RetryRule]) -> dict[str, RetryRule]:
    """Return the rules of a step: its own, and the study's for all other causes."""
    return {**of_study, **of_step}


def _rule(cause: str, times: int) -> RetryRule:
    return RetryRule(times, exclude=cause == "NODE_FAIL")


def _read_rule(fields: Fields, cause: str) -> RetryRule:
    fields.check_keys((*_KEYS, *IN_RULES), ("times",), why="the number of retries")
    changes: list[tuple[str, str]] = []
    for key in IN_RULES:
        node = fields.node.get(key)
        if node is not None and (value := _change(fields, key, node)):
            changes.append((key, value))
    times = _times(fields, fields.node.entries["times"], "'times'") if fields.has("times") else 0
    restart = fields.flag("restart")
    exclude = fields.flag("exclude")
    return RetryRule(times, restart, cause == "NODE_FAIL" if exclude is None else exclude, tuple(changes))


def _times(fields: Fields, node: TreeNode, what: str) -> int:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    message = f"{fields.what}: {what} must be an integer from 0 to {_MOST:,}, but is {shown(node)}"
    fields.problems.error(node.place, message, "2, or {times: 2, walltime: x1.5}")
    return 0


def _change(fields: Fields, key: str, node: TreeNode) -> str:
    """Read the value that a rule sets for a resource: a factor, or a value it accepts; empty after a problem."""
    resource = RESOURCES[key]
    text = node.text.strip() if isinstance(node, Scalar) and not isinstance(node.value, bool) else ""
    factor = factor_of(text)
    message, hint = "", ""
    if not is_word(text):
        given = f"'{text[:60]}'" if text else kind_of(node)
        message = f"'{key}' must be one word, but is {given}"
    elif text.startswith("x") and resource.grows and (factor is None or factor <= 1):
        message, hint = f"'{key}: {text}' does not increase it", f"write for example {key}: x1.5"
    elif factor is not None and not resource.grows:
        message = f"'{key}' cannot be multiplied"
    elif factor is None and (refusal := resource.refuse(key, text)):
        if resource.form.least is not None:
            message = f"'{key}' must be an integer or a factor, not '{text}'"
        else:
            message, hint = refusal.message, f"{key}: x1.5, or {resource.example}"
    else:
        return text
    fields.problems.error(node.place, f"{fields.what}: {message}", hint)
    return ""
