"""Keys for Slurm options that Maestro does not have: in `batch`, and per step in `mtui: steps:`.

Each becomes a line of the job's header (plan/instance_script.py). Options without a key are written in the list
`sbatch`, as on sbatch's command line.
"""

from __future__ import annotations

import re

from .fields import Fields
from .resources import OURS, RESOURCES
from .sbatch_objections import objections
from .sbatch_options import PREFIX, parse_options
from .study_spec import RunValue
from .yaml_tree import Scalar, Sequence, TreeNode, kind_of

BATCH_KEYS = (*OURS, "cores per task", "sbatch")
STEP_KEYS = (*OURS, "queue", "bank", "sbatch")

# The keys of mtui for options that sbatch calls otherwise.
_OF_SBATCH = {
    "partition": "queue",
    "account": "bank",
    "time": "walltime",
    "ntasks": "procs",
    "tasks": "procs",
    "cpus-per-task": "cores per task",
    "cpus per task": "cores per task",
    "mem-per-cpu": "mem per cpu",
    "gpus-per-node": "gpus per node",
    "gpus-per-task": "gpus per task",
}

# Options that mtui sets itself, or that would change how it tracks a job and finds its output.
_OURS = frozenset(
    ("job-name", "output", "error", "chdir", "parsable", "wrap", "array", "wait", "open-mode", "test-only", "input")
)


def hints_in_run(step: str) -> dict[str, str]:
    """Return what to write for keys that are not allowed in the `run` block of a step, by key."""
    hints = {
        key: f"write it in the block mtui: {{steps: {{{step}: {{{key}: ...}}}}}}, or in batch" for key in STEP_KEYS
    }
    return hints | {name: hints.get(key) or f"the key is '{key}'" for name, key in _OF_SBATCH.items()}


def hints_in_batch() -> dict[str, str]:
    """Return what to write for keys that are not allowed in the `batch` block, by key."""
    in_batch = {key for key, resource in RESOURCES.items() if resource.in_batch} | {"cores per task"}
    hints = {key: f"write '{key}' in the run block of each step" for key in RESOURCES if key not in in_batch}
    return hints | {name: hints.get(key) or f"the key is '{key}'" for name, key in _OF_SBATCH.items()}


def read_slurm_values(fields: Fields, known: tuple[str, ...]) -> dict[str, RunValue]:
    """Return the values of the `known` keys that are given, as text; report wrong ones."""
    values: dict[str, RunValue] = {}
    for key in known:
        node = fields.node.get(key)
        if node is None or (isinstance(node, Scalar) and node.value in (None, "")):
            continue
        value = _options(fields) if key == "sbatch" else _value(fields, key, node)
        if value:
            values[key] = value
    if "mail user" in values and "mail type" not in values:
        place = fields.place("mail user")
        fields.problems.warn(
            place, f"{fields.what}: 'mail user' alone sends nothing", "add for example mail type: FAIL"
        )
    return values


def _value(fields: Fields, key: str, node: TreeNode) -> str:
    if RESOURCES[key].is_list and isinstance(node, Sequence):
        return ",".join(filter(None, (_text(fields, key, item) for item in node.items)))
    return _text(fields, key, node)


def _text(fields: Fields, key: str, node: TreeNode) -> str:
    resource = RESOURCES[key]
    example = f"{key}: {resource.example}"
    text = node.text.strip() if isinstance(node, Scalar) and not isinstance(node.value, bool) else ""
    if not text:
        fields.problems.error(node.place, f"{fields.what}: '{key}' must be text, but is {kind_of(node)}", example)
    elif not text.isprintable() or '"' in text:
        fields.problems.error(node.place, f"{fields.what}: '{key}' must be one line without quotes")
    elif "$(" in text or resource.form.pattern.fullmatch(text):
        return text
    else:
        message = f"{fields.what}: '{key}' cannot be '{text}'"
        fields.problems.error(node.place, message, f"write for example {example}")
    return ""


def _options(fields: Fields) -> str:
    """Return the items of `sbatch`, one per line."""
    found: list[str] = []
    what = f"{fields.what}: 'sbatch'"
    for item in fields.items("sbatch", what):
        text = item.text.strip() if isinstance(item, Scalar) and isinstance(item.value, str) else ""
        if not text:
            fields.problems.error(
                item.place, f"{what} holds {kind_of(item)}", "write for example '--hint=nomultithread'"
            )
        elif not text.isprintable():
            fields.problems.error(item.place, f"{what}: an option must be one line")
        elif not re.match(r"--?[a-zA-Z]", text):
            fields.problems.error(item.place, f"{what}: '{text}' is not an option", "an option begins with '-' or '--'")
        elif problem := _problem(text):
            message, hint = problem
            fields.problems.error(item.place, f"{what}: {message}", hint)
        else:
            found.append(text)
    return "\n".join(found)


def _problem(text: str) -> tuple[str, str] | None:
    """Return why an item of `sbatch` cannot be given, and what to write instead; None if it can."""
    options = parse_options([text])
    objection = next(iter(objections(options)), None)
    if any(option.name in _OURS for option in options):
        message = f"'{text}' cannot be given here; mtui sets it to find jobs and their output"
        return message, objection.hint if objection else "a line '#SBATCH ...' at the top of cmd is passed unchanged"
    if objection and objection.refused:
        return objection.message.replace(f"'{PREFIX} ", "'"), objection.hint
    return None
