"""The top-level `mtui:` block. Maestro ignores it, so that studies stay portable."""

from __future__ import annotations

from .fields import Fields, shown
from .problems import NOWHERE, closest
from .study_spec import MtuiBlock, PackingOptions
from .walltime import WALLTIME, walltime_seconds
from .yaml_tree import Mapping, Scalar, kind_of

_KEYS = (
    *("submit_ahead", "array", "pack", "on_end", "on_failure", "site", "confirm"),
    *("retry", "steps"),  # read in step_keys.py
    *("sweep", "parameters"),  # read in parameters.py
)
_PACK_KEYS = ("steps", "nodes", "walltime", "allocations", "cores", "gpus", "more_after", "idle")
_TIME_HINT = 'write it as "hours:minutes:seconds", in quotes'


def read_mtui_block(top: Fields, steps: tuple[str, ...]) -> MtuiBlock:
    """Read and check the block, with defaults for missing keys. `steps` are the names of the study's steps."""
    if not top.has("mtui"):
        return MtuiBlock()
    block = top.mapping("mtui", "mtui")
    if block is None:
        return MtuiBlock()
    block.check_keys(_KEYS, warn=True)
    default = MtuiBlock()
    submit_ahead = block.flag("submit_ahead")
    return MtuiBlock(
        submit_ahead=default.submit_ahead if submit_ahead is None else submit_ahead,
        array=_count(block, "array", default.array, hint="1: no job arrays"),
        pack=_pack(block, steps),
        site=block.text("site"),
        site_place=block.place("site") if block.has("site") else NOWHERE,
        confirm=_node_hours(block),
        on_end=block.text("on_end"),
        on_failure=block.text("on_failure"),
    )


def _node_hours(block: Fields) -> float:
    node = block.node.get("confirm")
    value = node.value if isinstance(node, Scalar) else None
    if node is None:
        return 0.0
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return float(value)
    message = f"{block.what}: 'confirm' must be a number of node-hours above 0, but is {shown(node)}"
    block.problems.error(node.place, message, "for example confirm: 100; -y starts a study without the question")
    return 0.0


def _pack(block: Fields, steps: tuple[str, ...]) -> PackingOptions | None:
    """Read `pack`: true or a mapping; None if it is false or missing."""
    if not block.has("pack"):
        return None
    if not isinstance(block.node.get("pack"), Mapping):
        return PackingOptions() if block.flag("pack", or_else=" or a mapping") else None
    fields = block.mapping("pack", "mtui: pack")
    assert fields is not None
    fields.check_keys(_PACK_KEYS, warn=True)
    default = PackingOptions()
    return PackingOptions(
        steps=_steps(fields, steps),
        nodes=_count(fields, "nodes", default.nodes),
        walltime=_duration(fields, "walltime", "a finite time"),
        allocations=_count(fields, "allocations", default.allocations),
        cores=_count(fields, "cores", default.cores),
        gpus=_count(fields, "gpus", default.gpus),
        more_after=walltime_seconds(_duration(fields, "more_after")) or default.more_after,
        idle=walltime_seconds(_duration(fields, "idle")) or default.idle,
    )


def _steps(fields: Fields, known: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    if fields.has("steps") and not list(fields.items("steps", "mtui: pack: 'steps'")):
        fields.problems.error(fields.place("steps"), "mtui: pack: 'steps' names no step", "without it all are packed")
    for item in fields.items("steps", "mtui: pack: 'steps'") if fields.has("steps") else ():
        name = item.text if isinstance(item, Scalar) else ""
        if name in known:
            found.append(name)
        else:
            shown = f"'{name}'" if name else kind_of(item)
            meant = closest(name, known)
            hint = f"did you mean '{meant}'?" if meant else f"the steps are {', '.join(known)}"
            fields.problems.error(item.place, f"mtui: pack: 'steps' names {shown}, which is not a step", hint)
    return tuple(found)


def _count(block: Fields, key: str, default: int, *, hint: str = "") -> int:
    node = block.node.get(key)
    if node is None:
        return default
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    message = f"{block.what}: '{key}' must be an integer of 1 or more, but is {shown(node)}"
    block.problems.error(node.place, message, hint)
    return default


def _duration(fields: Fields, key: str, what: str = "a time") -> str:
    """Return a time in one of Slurm's formats, as written; empty after a problem or if the key is missing."""
    node = fields.node.get(key)
    if node is None:
        return ""
    text = node.text if isinstance(node, Scalar) and node.value is not None else ""
    if WALLTIME.fullmatch(text) and walltime_seconds(text):
        return text
    message = f"{fields.what}: '{key}' must be {what}, but is {shown(node) if text else kind_of(node)}"
    fields.problems.error(node.place, message, _TIME_HINT)
    return ""
