"""Combines the lists of values of a sweep into rows.

Parameters form groups. Those of one group are combined row by row (zip), as all parameters in Maestro; the rows are the
product of the groups, like nested loops in the order of the file, so that the last group changes fastest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from . import yaml_tree
from .fields import Fields
from .problems import nearest
from .yaml_tree import Scalar, kind_of

MOST_ROWS = 200_000  # of a product, a range or a table: more than any real sweep, and fits into memory

Columns = Mapping[str, Sequence[str]]  # values or labels, by parameter
Group = tuple[str, ...]

_FORM = "write product, or {zip: [[A, B], [C]]} for groups that are combined row by row"


def combine(columns: Columns, groups: Sequence[Group]) -> dict[str, tuple[str, ...]]:
    """Expand columns to all rows of the product of the groups. Columns of one group need the same length."""
    lengths = [len(columns[group[0]]) for group in groups]
    combined: dict[str, tuple[str, ...]] = {}
    for number, group in enumerate(groups):
        before, behind = math.prod(lengths[:number]), math.prod(lengths[number + 1 :])
        for key in group:
            combined[key] = tuple(text for text in columns[key] for _ in range(behind)) * before
    return {key: combined[key] for key in columns}


def count_rows(columns: Columns, groups: Iterable[Group]) -> int:
    """Return the number of rows that `combine` would create."""
    return math.prod(len(columns[group[0]]) for group in groups)


def read_groups(block: Fields | None, keys: Sequence[str], tables: Iterable[Group]) -> list[Group]:
    """Read `mtui: sweep`. Return the groups of parameters in file order; none after a problem.

    Without the key there is one group, as in Maestro. The columns of a table are always in one group.
    """
    node = block.node.get("sweep") if block else None
    word = node.value if isinstance(node, Scalar) else None
    if block is None or node is None or word == "zip":
        return [tuple(keys)] if keys else []
    together = {key: table for table in tables for key in table}
    groups: list[Group] = []
    if isinstance(node, yaml_tree.Mapping):
        before = len(block.problems.errors)
        groups = _named_groups(Fields(node, "mtui: sweep", block.problems), keys, together)
        if len(block.problems.errors) > before:
            return []
    elif word != "product":
        shown = f"'{node.text}'" if isinstance(node, Scalar) and word is not None else kind_of(node)
        meant = nearest(word, ("product", "zip")) if isinstance(word, str) else ""
        hint = meant if meant.startswith("did") else _FORM
        block.problems.error(node.place, f"mtui: 'sweep' must be product, zip or a mapping, but is {shown}", hint)
        return []
    group_of = {key: (key,) for key in keys} | together | {key: group for group in groups for key in group}
    return list(dict.fromkeys(group_of[key] for key in keys))


def _named_groups(sweep: Fields, keys: Sequence[str], together: Mapping[str, Group]) -> list[Group]:
    """Read the groups of `zip`; a column of a table adds all columns of that table."""
    sweep.check_keys((), ("zip",))
    groups: list[Group] = []
    for item in sweep.items("zip", "mtui: sweep: 'zip'"):
        if not isinstance(item, yaml_tree.Sequence):
            message = f"mtui: sweep: 'zip' must list groups of parameters, but holds {kind_of(item)}"
            sweep.problems.error(item.place, message, "a group is a nested list: [[A, B]]")
            continue
        if not item.items:
            sweep.problems.error(item.place, "mtui: sweep: a group of 'zip' is empty")
        group: dict[str, None] = {}
        named: set[str] = set()
        for node in item.items:
            key = node.text if isinstance(node, Scalar) else ""
            if key not in keys:
                shown = f"'{key}'" if key else kind_of(node)
                sweep.problems.error(node.place, f"mtui: sweep: {shown} is not a parameter", nearest(key, keys))
            elif key in named or any(key in other for other in groups):
                hint = (
                    f"the columns of one file are combined row by row: {', '.join(together[key])}"
                    if key in together
                    else ""
                )
                sweep.problems.error(node.place, f"mtui: sweep: '{key}' is in a group already", hint)
            else:
                named.add(key)
                group |= dict.fromkeys(together.get(key, (key,)))
        groups.append(tuple(group))
    return groups
