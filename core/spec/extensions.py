"""The top-level `mtui:` block: what Maestro passes over, so that a study stays portable."""

from __future__ import annotations

from .fields import Fields
from .model import Extensions
from .reading import Scalar, kind_of

_KEYS = ("submit_ahead", "array")


def read_extensions(top: Fields) -> Extensions:
    """The block's values, each checked; defaults where it says nothing."""
    if not top.has("mtui"):
        return Extensions()
    block = top.mapping("mtui", "mtui")
    if block is None:
        return Extensions()
    block.check_keys(_KEYS, warn=True)
    default = Extensions()
    return Extensions(
        submit_ahead=_flag(block, "submit_ahead", default.submit_ahead),
        array=_count(block, "array", default.array),
    )


def _flag(block: Fields, key: str, default: bool) -> bool:
    node = block.node.get(key)
    if node is None:
        return default
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    block.problems.error(node.place, f"mtui: '{key}' has to be true or false, but is {kind_of(node)}")
    return default


def _count(block: Fields, key: str, default: int) -> int:
    node = block.node.get(key)
    if node is None:
        return default
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    shown = f"'{node.text}'" if isinstance(node, Scalar) and value is not None else kind_of(node)
    block.problems.error(
        node.place, f"mtui: '{key}' has to be a whole number from 1 up, but is {shown}", "1: no job arrays"
    )
    return default
