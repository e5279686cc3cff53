"""The keys of a step's `run` block, and the values that each accepts (as in Maestro's schema)."""

from __future__ import annotations

from .fields import Fields
from .problems import nearest
from .resources import RESOURCES
from .study_spec import RunValue
from .tokens import ONLY_TOKEN
from .walltime import WALLTIME
from .yaml_tree import Mapping, Scalar, TreeNode, kind_of

# Keys that mtui uses, and keys of other schedulers. The latter are checked and have no effect, as in Maestro's Slurm
# adapter.
_COUNTS = {
    key: resource.form.least
    for key, resource in RESOURCES.items()
    if resource.form.least is not None and not resource.is_ours
}
_FOREIGN_COUNTS = {"tasks per rs": 1, "rs per node": 1, "cpus per rs": 1}
_TEXTS = ("reservation", "qos")
_FOREIGN_TEXTS = ("pre", "post", "bind", "bind gpus")
_FOREIGN_FLAGS = ("nested", "waitable")
_PRIORITIES = ("held", "minimal", "low", "medium", "high", "expedited")

FOREIGN_KEYS = frozenset((*_FOREIGN_COUNTS, *_FOREIGN_TEXTS, *_FOREIGN_FLAGS, "priority"))
RUN_KEYS = frozenset(("cmd", "restart", "depends", "walltime", "exclusive", *_COUNTS, *_TEXTS, *FOREIGN_KEYS))

_TOKEN_HINT = "a whole number, or one token such as $(NODES)"


def read_run_values(run: Fields) -> dict[str, RunValue]:
    """Read and check the values of all run keys except cmd, restart and depends."""
    values: dict[str, RunValue] = {}
    for key, node in run.node.items():
        value: RunValue | None = None
        if key in _COUNTS or key in _FOREIGN_COUNTS:
            value = _count(run, key, node, _COUNTS.get(key, 1))
        elif key == "walltime":
            value = _walltime(run, node)
        elif key in _TEXTS or key in _FOREIGN_TEXTS:
            value = run.text(key) or None
        elif key == "exclusive":
            value = _exclusive(run, node)
        elif key in _FOREIGN_FLAGS:
            value = run.flag(key)
        elif key == "priority":
            value = _priority(run, node)
        if value is not None:
            values[key] = value
    return values


def _count(run: Fields, key: str, node: TreeNode, least: int) -> RunValue | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool):
        value = None
    if isinstance(value, (int, float)) and value >= least and _is_whole(value):
        return value
    if isinstance(value, str) and ONLY_TOKEN.fullmatch(value):
        return value
    if isinstance(value, (int, float)):
        run.problems.error(node.place, f"{run.what}: '{key}' must be an integer of at least {least}, not {value}")
    elif isinstance(value, str) and value.strip().isdigit():
        run.problems.error(node.place, f"{run.what}: '{key}' is text, not a number", "remove the quotes")
    else:
        run.problems.error(node.place, f"{run.what}: '{key}' must be an integer, but is {_shown(node)}", _TOKEN_HINT)
    return None


def _shown(node: TreeNode) -> str:
    """Format a value for a message: text and numbers in quotes, anything else by its kind."""
    if isinstance(node, Scalar) and isinstance(node.value, (str, int, float)) and not isinstance(node.value, bool):
        return f"'{node.text}'"
    return kind_of(node)


def _is_whole(value: int | float) -> bool:
    """Return whether a value is an integer in the sense of JSON Schema: 2.0 is one."""
    return isinstance(value, int) or value.is_integer()


def _walltime(run: Fields, node: TreeNode) -> RunValue | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and value:
        if "$(" not in value and not WALLTIME.fullmatch(value.strip()):
            run.problems.warn(
                node.place,
                f"{run.what}: Slurm does not accept the walltime '{value}'",
                "use hours:minutes:seconds, for example 01:30:00",
            )
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 and _is_whole(value):
        return value
    run.problems.error(
        node.place,
        f"{run.what}: 'walltime' must be a time, but is {_shown(node)}",
        "use hours:minutes:seconds, for example 01:30:00, or a number of minutes",
    )
    return None


def _exclusive(run: Fields, node: TreeNode) -> RunValue | None:
    if isinstance(node, Mapping):
        chosen: dict[str, str | int | float | bool] = {}
        for key, item in node.items():
            if key not in ("allocation", "launcher"):
                run.problems.warn(
                    node.key_place(key),
                    f"{run.what}: 'exclusive' knows no '{key}'; it has no effect",
                    nearest(key, ("allocation", "launcher")),
                )
                continue
            value = _flag_or_token(item)
            if value is None:
                _not_a_flag(run, f"exclusive.{key}", item)
            else:
                chosen[key] = value
        return chosen
    value = _flag_or_token(node)
    if value is None:
        _not_a_flag(run, "exclusive", node)
    return value


def _flag_or_token(node: TreeNode) -> bool | str | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, bool) or (isinstance(value, str) and ONLY_TOKEN.fullmatch(value)):
        return value
    return None


def _not_a_flag(run: Fields, key: str, node: TreeNode) -> None:
    run.problems.error(node.place, f"{run.what}: '{key}' must be true or false, but is {kind_of(node)}")


def _priority(run: Fields, node: TreeNode) -> RunValue | None:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str) and any(value in (word, word.upper(), word.title()) for word in _PRIORITIES):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return value
    run.problems.error(
        node.place, f"{run.what}: 'priority' must be one of {', '.join(_PRIORITIES)}, or a number from 0 to 1"
    )
    return None
