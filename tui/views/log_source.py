"""Selects the file of an instance that is shown as its log."""

from __future__ import annotations

from pathlib import Path

from ...core.engine.status import OVER, UNSUCCESSFUL, Status
from ...core.plan.study_plan import Instance, Plan
from ...core.store.study_directory import StudyDirectory

DRIVER_LOG = "driver log"
SOURCES = ("stdout", "stderr", "script", DRIVER_LOG)


def usual_source(directory: StudyDirectory, instance: Instance, status: Status) -> str:
    """Return stderr if the instance failed and stderr is not empty, else stdout."""
    if status not in UNSUCCESSFUL:
        return "stdout"
    try:
        said = directory.stderr(instance).stat().st_size
    except OSError:
        said = 0
    return "stderr" if said else "stdout"


def source_path(directory: StudyDirectory, plan: Plan, instance: Instance | None, source: str) -> Path | None:
    """Return the path of one of `SOURCES`; None for a file of an instance without an instance."""
    if source == DRIVER_LOG:
        return directory.driver_log
    if instance is None:
        return None
    match source:
        case "stdout":
            return directory.stdout(instance)
        case "stderr":
            return directory.stderr(instance)
        case _:
            return directory.workspace(instance) / plan.script_name(instance)


def missing_words(source: str, status: Status) -> str:
    """Return the text that is shown if the file does not exist."""
    if source == DRIVER_LOG:
        return "none: a driver without the app writes to its terminal"
    if status in OVER and status is not Status.BLOCKED:
        return f"{status.value}: no such file"
    return f"{status.value}: nothing yet"
