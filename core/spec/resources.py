"""The resources that a job can request: one table for study files, `--set`, retry rules and script headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..errors import Refusal
from .walltime import WALLTIME

_LONGEST = 200  # characters of a value that is one word


@dataclass(frozen=True, slots=True)
class Form:
    """The values that a resource accepts, as text.

    `problem` and `hint` are the message for any other value, with placeholders {key}, {value} and {example}.
    If `problem` is empty, the pattern applies to study files only; elsewhere any word is accepted and Slurm checks it.
    """

    pattern: re.Pattern[str]
    problem: str = ""
    hint: str = "{key}={example}, for example"
    least: int | None = None  # of a whole number; 0 if it may be zero

    def refuse(self, key: str, value: str, example: str) -> Refusal | None:
        """Return why `key` does not accept `value`; None if it does."""
        if not self.problem:
            # It becomes one word of a header line: a character that ends the word or line would add another option.
            message = f"'{key}' must be one word without quotes, not {value[:60]!r}"
            return None if is_word(value) else Refusal(message)
        if self.pattern.fullmatch(value):
            return None
        return Refusal(self.problem.format(key=key, value=value), self.hint.format(key=key, example=example))


def _count(pattern: str, least: int) -> Form:
    problem = f"'{{key}}' must be an integer of at least {least}, not '{{value}}'"
    return Form(re.compile(pattern), problem, least=least)


_FROM_ONE = _count("[1-9][0-9]{0,8}", 1)
_FROM_ZERO = _count("0|[1-9][0-9]{0,8}", 0)
_TIME = Form(
    WALLTIME,
    "Slurm does not accept the walltime '{value}'",
    "use hours:minutes:seconds, for example 01:30:00",
)
FLAG = Form(re.compile("true|false|yes|no", re.IGNORECASE), "'{key}' must be true or false, not '{value}'")
_MEMORY = Form(re.compile("[0-9]+[KMGT]?", re.IGNORECASE), "'{key}' must be an amount of memory, not '{value}'")
_GPUS = Form(re.compile(r"([\w.-]+:)?[1-9][0-9]*(,([\w.-]+:)?[1-9][0-9]*)*"))
_TEXT = Form(re.compile(".+"))
_JOBS = Form(re.compile(r"(after(any|ok|notok|corr|burstbuffer)?:[0-9_+:]+|singleton)([,?](after|singleton).*)?"))
_MAIL = "NONE|ALL|BEGIN|END|FAIL|REQUEUE|INVALID_DEPEND|STAGE_OUT|TIME_LIMIT(_(50|80|90))?|ARRAY_TASKS"
_MAILS = Form(re.compile(f"({_MAIL})(,({_MAIL}))*", re.IGNORECASE))


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that a job can request."""

    option: str  # of sbatch; {} is replaced by the value
    form: Form
    example: str = ""  # a value as written in a study file
    grows: bool = False  # a retry rule may multiply it
    is_place: bool = False  # it selects where a job runs, not how much it uses
    in_batch: bool = True  # the batch block may set it for all steps
    in_rules: bool = True  # a retry rule may change it
    by_hand: bool = True  # the user may change it in a retry
    is_list: bool = False  # it may be written as a list
    is_ours: bool = False  # a key that Maestro does not have

    def refuse(self, key: str, value: str) -> Refusal | None:
        """Return why a retry cannot set it to `value`; None if it can."""
        return self.form.refuse(key, value, self.example)


def _ours(option: str, form: Form, example: str, **values: bool) -> Resource:
    return Resource(option, form, example, is_ours=True, **values)


# In the order in which they are shown and offered in the app.
RESOURCES: Mapping[str, Resource] = MappingProxyType(
    {
        "walltime": Resource("--time={}", _TIME, '"02:00:00"', grows=True, in_batch=False),
        "nodes": Resource("--nodes={}", _FROM_ONE, "4", grows=True),
        "procs": Resource("--ntasks={}", _FROM_ONE, "4", grows=True),
        "cores per task": Resource("--cpus-per-task={}", _FROM_ONE, "8", grows=True, in_batch=False),
        "gpus": Resource("--gres=gpu:{}", _FROM_ZERO, "4", grows=True, in_batch=False),
        "exclusive": Resource("--exclusive", FLAG, "true", in_batch=False, in_rules=False),
        "queue": Resource("--partition={}", _TEXT, "one word", is_place=True),
        "bank": Resource("--account={}", _TEXT, "one word", is_place=True),
        "qos": Resource("--qos={}", _TEXT, is_place=True),
        "reservation": Resource('--reservation="{}"', _TEXT, is_place=True),
        "constraint": _ours("--constraint={}", _TEXT, "gpu&hbm80g", is_place=True),
        "mem": _ours("--mem={}", _MEMORY, "16G", grows=True),
        "mem per cpu": _ours("--mem-per-cpu={}", _MEMORY, "2G", grows=True),
        "gpus per node": _ours("--gpus-per-node={}", _GPUS, "4, or a100:4"),
        "gpus per task": _ours("--gpus-per-task={}", _GPUS, "1"),
        "licenses": _ours("--licenses={}", _TEXT, "scratch,cfs", is_place=True, in_rules=False, is_list=True),
        "exclude": _ours("--exclude={}", _TEXT, "nid001,nid002", is_place=True, in_rules=False, is_list=True),
        "dependency": _ours("--dependency={}", _JOBS, "afterok:1234567", in_rules=False, by_hand=False),
        "mail user": _ours("--mail-user={}", _TEXT, "ada@example.org", is_place=True, in_rules=False, by_hand=False),
        "mail type": _ours(
            "--mail-type={}", _MAILS, "END,FAIL", is_place=True, in_rules=False, by_hand=False, is_list=True
        ),
    }
)
OURS = tuple(key for key, resource in RESOURCES.items() if resource.is_ours)


def is_word(text: str) -> bool:
    """Return whether a text can be one word of a `#SBATCH` line without quotes."""
    return 0 < len(text) <= _LONGEST and text.isprintable() and not re.search(r"[\s\"'\\#]", text)
