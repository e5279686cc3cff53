"""The verbs that change a study: cancel, retry, done, update ... Each returns the exit code."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ....core.errors import UsageError
from ...views.study_opening import require_ours
from ..arguments import open_target

if TYPE_CHECKING:
    from ....core.store.study_directory import StudyDirectory


def _ours(arguments: argparse.Namespace, verb: str = "") -> StudyDirectory:
    """Open the study; raise UsageError for one of Maestro."""
    directory = open_target(arguments)
    require_ours(directory, verb or arguments.verb)
    return directory


def order(arguments: argparse.Namespace) -> int:
    from ....core.engine.commands import ALL, FAILED, HOST_GONE
    from .send_command import send_and_print

    whole = not arguments.targets
    targets = tuple(arguments.targets) or ((FAILED,) if arguments.verb == "retry" else (ALL,))
    ask = whole and arguments.verb == "cancel" and not arguments.yes
    options = _changes(arguments.changes)
    if arguments.restart:
        options["restart"] = "true"
    if arguments.host_gone:
        options[HOST_GONE] = "true"
    if arguments.because:
        options["reason"] = arguments.because
    return send_and_print(_ours(arguments), arguments.verb, targets, options, yes=not ask, as_json=arguments.json)


def _changes(words: Sequence[str]) -> dict[str, str]:
    """Parse the values of `--set KEY=VALUE`. Raises UsageError for a value without `=`."""
    changes: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--set {word} has no value", f"use --set {word}=VALUE")
        key = key.strip()
        changes["cores per task" if key in ("cores-per-task", "cores_per_task") else key] = value.strip()
    return changes


def update(arguments: argparse.Namespace) -> int:
    from .send_command import send_and_print

    given = {"throttle": arguments.throttle, "local_jobs": arguments.local_jobs, "poll": arguments.sleep}
    given["rlimit"] = arguments.rlimit
    options = {key: value for key, value in given.items() if value is not None}
    if not options:
        raise UsageError(
            "update changes nothing without an option", "give --throttle N, --local-jobs N, --sleep SEC or --rlimit N"
        )
    return send_and_print(_ours(arguments, "update"), "update", (), options, as_json=arguments.json)


def extend(arguments: argparse.Namespace) -> int:
    from ....core.study_creation import PlanOptions
    from .extend import extend

    options = PlanOptions(
        pgen=arguments.pgen,
        pargs=arguments.pargs,
        python=arguments.python,
        params=arguments.params,
        entries=arguments.entries,
    )
    return extend(_ours(arguments, "extend"), Path(arguments.spec) if arguments.spec else None, options)


def detach(arguments: argparse.Namespace) -> int:
    from .send_command import send_and_print

    return send_and_print(_ours(arguments), arguments.verb, (), {}, as_json=arguments.json)
