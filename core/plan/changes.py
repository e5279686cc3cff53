"""Resources that a retry may change: which keys there are, and what each accepts. Values are text.

An empty value takes a change back: the study's own word counts again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ..spec.problems import closest
from ..spec.walltime import WALLTIME

CHANGEABLE = (
    "walltime",
    "nodes",
    "procs",
    "cores per task",
    "gpus",
    "exclusive",
    "queue",
    "bank",
    "qos",
    "reservation",
    "constraint",
    "mem",
    "mem per cpu",
    "gpus per node",
    "gpus per task",
    "licenses",
    "exclude",
)
RESTART = "restart"  # changed as well: whether the restart command runs instead of cmd
UNCHANGED: Mapping[str, str] = MappingProxyType({})

_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")
_LEAST = {"nodes": 1, "procs": 1, "cores per task": 1, "gpus": 0}
_YES_NO = ("true", "false", "yes", "no")
_LONGEST = 200
_MEMORY = re.compile(r"[0-9]+[KMGT]?", re.IGNORECASE)
_KNOWN = f"it can change {', '.join(CHANGEABLE)}, {RESTART}"


def problem_of(key: str, value: str) -> tuple[str, str]:
    """Why a change cannot be made, and a hint; two empty texts if it can."""
    if key not in (*CHANGEABLE, RESTART):
        meant = next((known for known in CHANGEABLE if key and known.startswith(key)), "") or closest(key, CHANGEABLE)
        return f"a retry cannot change '{key}'", f"did you mean '{meant}'?" if meant else _KNOWN
    if not value:
        return "", ""
    if key in _LEAST:
        if _WHOLE.fullmatch(value) and int(value) >= _LEAST[key]:
            return "", ""
        return f"'{key}' has to be a whole number of at least {_LEAST[key]}, not '{value}'", f"{key}=4, for example"
    if key == "walltime":
        if WALLTIME.fullmatch(value):
            return "", ""
        return f"Slurm will not understand the walltime '{value}'", "use hours:minutes:seconds, for example 01:30:00"
    if key in ("exclusive", RESTART):
        if value.lower() in _YES_NO:
            return "", ""
        return f"'{key}' has to be true or false, not '{value}'", f"{key}=true, for example"
    if key in ("mem", "mem per cpu"):
        if _MEMORY.fullmatch(value):
            return "", ""
        return f"'{key}' has to be an amount of memory, not '{value}'", f"{key}=16G, for example"
    # It becomes one word of a header line: what could end the word or the line would be another option.
    if len(value) > _LONGEST or not value.isprintable() or re.search(r"[\s\"'\\#]", value):
        return f"'{key}' has to be one word without quotes, not {value[:60]!r}", ""
    return "", ""


def in_words(changes: Mapping[str, str]) -> str:
    """`walltime=01:00:00, nodes=2`: changes as a person writes them."""
    return ", ".join(f"{key}={value}" if value else f"{key} as in the study" for key, value in changes.items())


def restarts(changes: Mapping[str, str]) -> bool:
    """Whether an attempt with these changes runs the restart command."""
    return changes.get(RESTART, "").lower() in ("true", "yes")
