"""Helpers for parsed arguments that several verbs share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import UsageError

if TYPE_CHECKING:  # imported where it is used, to keep --help fast
    from ...core.store.study_directory import StudyDirectory
    from ...core.study_creation import PlanOptions


def print_on_stderr(text: str) -> None:
    """Print text on stderr without control characters, because it may quote a study file.

    If stderr cannot be written, only the exit code is left to report the error.
    """
    from ..views.text import safe_lines

    with suppress(OSError):
        print(safe_lines(text), file=sys.stderr, flush=True)


def has_terminal() -> bool:
    """Return whether the app can be shown: it reads stdin and draws on stderr."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def open_target(arguments: argparse.Namespace) -> StudyDirectory:
    from ..views.study_opening import open_any_study

    target = Path(arguments.target)
    if not target.exists():
        raise UsageError(f"no such directory: {target}", "'mtui studies' lists your studies")
    return open_any_study(target)


def study_file(target: str) -> Path:
    """Return the path of the study file; raise UsageError with a suggestion if it does not exist."""
    path = Path(target)
    if not path.exists():
        from ...core.spec.problems import closest

        there = sorted(file.name for file in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        near = closest(path.name, there)
        hint = f"did you mean '{path.with_name(near)}'?" if near else "'mtui init' writes an example study"
        raise UsageError(f"{target}: no such file", hint)
    return path


def plan_options(arguments: argparse.Namespace) -> PlanOptions:
    from ...core.plan.step_selection import StepSelection
    from ...core.study_creation import PlanOptions

    return PlanOptions(
        out=arguments.out,
        pgen=arguments.pgen,
        pargs=arguments.pargs,
        python=arguments.python,
        hashws=arguments.hashws,
        local=arguments.local,
        part=StepSelection(_names(arguments.only), _names(getattr(arguments, "from")), _names(arguments.until)),
        params=arguments.params,
        entries=arguments.entries,
    )


def _names(words: Sequence[str]) -> tuple[str, ...]:
    """Split the values of options that can be repeated or hold a comma-separated list."""
    return tuple(name for word in words for name in word.split(",") if name)
