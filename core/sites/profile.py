"""Reads a site profile, a small YAML file; every problem in it has its line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..spec.fields import Fields
from ..spec.problems import NOWHERE, Problems, SpecError
from ..spec.walltime import walltime_seconds
from ..spec.yaml_tree import Scalar, kind_of, read_tree

_KEYS = ("name", "recognise", "required", "partition", "default_qos", "nodes", "qos", "confirm")
_NODE_KEYS = ("threads", "memory", "gpus", "account_ends")
_QOS_KEYS = ("walltime", "least_walltime", "nodes", "submit", "factor")
_REQUIRED = ("constraint", "account", "walltime", "qos")
_SIZE = re.compile(r"(\d+)([MGT])")
_MEGABYTES = {"M": 1, "G": 1024, "T": 1024 * 1024}


@dataclass(frozen=True, slots=True)
class NodeType:
    """The nodes of one constraint; 0 or empty if not specified."""

    threads: int = 0
    memory: int = 0  # MB
    gpus: int = 0
    account_ends: str = ""  # suffix of the accounts that are charged for these nodes


@dataclass(frozen=True, slots=True)
class Qos:
    """The limits of one QOS; 0: no limit. Times in seconds."""

    walltime: int = 0
    least_walltime: int = 0
    nodes: int = 0
    submit: int = 0  # jobs per user in the queue
    factor: float = 1.0  # the charge factor


@dataclass(frozen=True, slots=True)
class Profile:
    """A site: its nodes, its QOS limits, and the options that its jobs need."""

    name: str
    file: str = ""
    recognise: Mapping[str, str] = field(default_factory=dict[str, str])  # environment variables that identify it
    required: tuple[str, ...] = ()
    no_partition: bool = False
    default_qos: str = ""
    nodes: Mapping[str, NodeType] = field(default_factory=dict[str, NodeType])
    qos: Mapping[str, Qos] = field(default_factory=dict[str, Qos])
    confirm: float = 0.0  # node-hours above which a start needs confirmation; 0: never


def read_profile(text: str, file: str) -> Profile:
    """Parse a profile. Raises SpecError with every problem in it."""
    problems = Problems(file)
    root = read_tree(text, problems)
    problems.raise_if_any()
    top = Fields.of(root, "the site's profile", problems, root.place) if root else None
    if top is None:
        if not problems.found:
            problems.error(NOWHERE, "a profile needs at least a name")
        raise SpecError(file, problems.found)
    top.check_keys(_KEYS, ("name",))
    profile = Profile(
        name=top.text("name"),
        file=file,
        recognise=_texts(top, "recognise"),
        required=_required(top),
        no_partition=_no_partition(top),
        default_qos=top.text("default_qos"),
        nodes={name: _node(item) for name, item in _blocks(top, "nodes", _NODE_KEYS).items()},
        qos={name: _qos(item) for name, item in _blocks(top, "qos", _QOS_KEYS).items()},
        confirm=_number(top, "confirm", 0.0),
    )
    problems.raise_if_any()
    return profile


def _texts(top: Fields, key: str) -> dict[str, str]:
    block = top.mapping(key, key)
    return {name: block.text(name) for name in block.node.entries} if block else {}


def _required(top: Fields) -> tuple[str, ...]:
    found: list[str] = []
    for item in top.items("required", "required"):
        text = item.text if isinstance(item, Scalar) else ""
        if text in _REQUIRED:
            found.append(text)
        else:
            shown = f"'{text}'" if text else kind_of(item)
            top.problems.error(item.place, f"required: {shown} is none of {', '.join(_REQUIRED)}")
    return tuple(found)


def _no_partition(top: Fields) -> bool:
    text = top.text("partition")
    if text not in ("", "empty"):
        node = top.node.entries["partition"]
        top.problems.error(node.place, f"partition: the only word is 'empty', not '{text}'")
    return text == "empty"


def _blocks(top: Fields, key: str, known: tuple[str, ...]) -> dict[str, Fields]:
    block = top.mapping(key, key)
    found: dict[str, Fields] = {}
    for name, node in block.node.items() if block else ():
        item = Fields.of(node, f"{key}: {name}", top.problems, node.place)
        if item:
            item.check_keys(known)
            found[name] = item
    return found


def _node(item: Fields) -> NodeType:
    return NodeType(
        threads=int(_number(item, "threads", 0)),
        memory=_memory(item),
        gpus=int(_number(item, "gpus", 0)),
        account_ends=item.text("account_ends"),
    )


def _qos(item: Fields) -> Qos:
    return Qos(
        walltime=_time(item, "walltime"),
        least_walltime=_time(item, "least_walltime"),
        nodes=int(_number(item, "nodes", 0)),
        submit=int(_number(item, "submit", 0)),
        factor=_number(item, "factor", 1.0),
    )


def _number(item: Fields, key: str, default: float) -> float:
    node = item.node.get(key)
    value = node.value if isinstance(node, Scalar) else None
    if node is None:
        return default
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    item.problems.error(node.place, f"{item.what}: '{key}' must be a number, but is {kind_of(node)}")
    return default


def _time(item: Fields, key: str) -> int:
    node = item.node.get(key)
    seconds = walltime_seconds(node.text) if isinstance(node, Scalar) else None
    if node is not None and not seconds:
        item.problems.error(node.place, f"{item.what}: '{key}' must be a time", 'walltime: "48:00:00"')
    return seconds or 0


def _memory(item: Fields) -> int:
    node = item.node.get("memory")
    match = _SIZE.fullmatch(node.text) if isinstance(node, Scalar) else None
    if node is not None and not match:
        item.problems.error(node.place, f"{item.what}: 'memory' must be an amount", "memory: 502G")
    return int(match.group(1)) * _MEGABYTES[match.group(2)] if match else 0
