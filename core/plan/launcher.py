"""Replaces `$(LAUNCHER)` and `$(LAUNCHER)[2n, 4p]` by the srun command line that starts a parallel program.

Deliberate differences from Maestro: the bracket ends at the first `]`, one cmd can have launchers with and without
brackets, counts may come from tokens, a launcher without brackets does not need procs, and the counts of several
launchers are not added up.
"""

from __future__ import annotations

import re

_LAUNCHER = re.compile(r"\$\(LAUNCHER\)(?:\[([^\]\n]*)\])?")
_LEGACY = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*")  # [nodes, procs]
_TASKS = re.compile(r"(\d+)\s*p")
_NODES = re.compile(r"(\d+)\s*n")


class LauncherError(ValueError):
    """A launcher (`written` is its text) that is invalid, or needs more than the step requests."""

    def __init__(self, written: str, message: str, hint: str) -> None:
        super().__init__(f"{written} {message}")
        self.written = written
        self.hint = hint


def replace_launchers(text: str, procs: str, nodes: str, cores_per_task: str) -> str:
    """Replace every launcher by its srun command. Raises LauncherError."""

    def command(match: re.Match[str]) -> str:
        bracket = match.group(1)
        if bracket is None:
            return srun(procs, nodes, cores_per_task)
        wanted_procs, wanted_nodes = _allocation(match.group(0), bracket)
        _check(match.group(0), wanted_procs, procs, "procs")
        _check(match.group(0), wanted_nodes, nodes, "nodes")
        return srun(wanted_procs, wanted_nodes, cores_per_task)

    return _LAUNCHER.sub(command, text)


def remove_launchers(text: str) -> str:
    """Remove launchers: the programs run as plain processes."""
    return _LAUNCHER.sub("", text)


def srun(procs: str, nodes: str, cores_per_task: str) -> str:
    """Return the srun command line; empty values add no option."""
    words = ["srun"]
    for flag, value in (("-n", procs), ("-N", nodes), ("-c", cores_per_task)):
        if value:
            words += [flag, value]
    return " ".join(words)


def _allocation(written: str, bracket: str) -> tuple[str, str]:
    legacy = _LEGACY.fullmatch(bracket)
    if legacy:
        return legacy.group(2), legacy.group(1)
    tasks, nodes = _TASKS.findall(bracket), _NODES.findall(bracket)
    if len(tasks) != 1 or len(nodes) > 1:
        raise LauncherError(written, "does not set the number of tasks", "write $(LAUNCHER)[4p] or $(LAUNCHER)[2n, 4p]")
    return tasks[0], nodes[0] if nodes else ""


def _check(written: str, wanted: str, available: str, what: str) -> None:
    if wanted and available.isdigit() and int(wanted) > int(available):
        raise LauncherError(written, f"uses {wanted} {what}, but the step requests {available}", f"raise '{what}:'")
