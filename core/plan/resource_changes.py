"""Changes of resources in a retry, and the values that each accepts (from the table in spec/resources.py). All text.

An empty value removes a change, which restores the study's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import Refusal
from ..spec.problems import closest
from ..spec.resources import FLAG, RESOURCES

CHANGEABLE = tuple(key for key, resource in RESOURCES.items() if resource.by_hand)
RESTART = "restart"  # a retry can change this too: whether the restart command runs instead of cmd
UNCHANGED: Mapping[str, str] = MappingProxyType({})

_KNOWN = f"it can change {', '.join(CHANGEABLE)}, {RESTART}"


def check_change(key: str, value: str) -> Refusal | None:
    """Return why a retry cannot change `key` to `value`; None if it can."""
    if key not in (*CHANGEABLE, RESTART):
        meant = next((known for known in CHANGEABLE if key and known.startswith(key)), "") or closest(key, CHANGEABLE)
        return Refusal(f"a retry cannot change '{key}'", f"did you mean '{meant}'?" if meant else _KNOWN)
    if not value:
        return None
    return FLAG.refuse(key, value, "true") if key == RESTART else RESOURCES[key].refuse(key, value)


def in_words(changes: Mapping[str, str]) -> str:
    """Format changes as on the command line: `walltime=01:00:00, nodes=2`."""
    return ", ".join(f"{key}={value}" if value else f"{key} as in the study" for key, value in changes.items())


def restarts(changes: Mapping[str, str]) -> bool:
    """Return whether an attempt with these changes runs the restart command."""
    return changes.get(RESTART, "").lower() in ("true", "yes")
