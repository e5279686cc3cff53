"""Opens the directory of a study: one of mtui, or one of Maestro, which is read-only."""

from __future__ import annotations

from pathlib import Path

from ...core.engine.state import StudyState
from ...core.errors import UsageError
from ...core.store.study_directory import StudyDirectory, is_searchable, open_study
from ...core.store.study_file import StudyFile
from ...core.store.study_reader import read_study

READ_ONLY = "Maestro drives this study; mtui only shows it"


def open_any_study(path: Path) -> StudyDirectory:
    """Return the study in a directory; raise StudyDirectoryError if there is none."""
    if is_searchable(path) and not (path / ".mtui").exists() and (path / "batch.info").is_file():
        from ...core.maestro import find_maestro_study

        if found := find_maestro_study(path):
            return found
    return open_study(path)


def is_maestros(directory: StudyDirectory) -> bool:
    """Return whether Maestro created the study: then mtui neither writes to it nor drives it."""
    return not directory.is_ours


def read_any_study(directory: StudyDirectory) -> tuple[StudyFile, StudyState]:
    """Read the study and its current state. Raises StudyDirectoryError."""
    if is_maestros(directory):
        from ...core.maestro import MaestroDirectory, read_maestro_study

        return read_maestro_study(MaestroDirectory(directory.root))
    return read_study(directory)


def require_ours(directory: StudyDirectory, verb: str) -> None:
    """Raise UsageError for a study of Maestro; `verb` is the verb that is not supported for it."""
    if is_maestros(directory):
        instead = {"cancel": "maestro cancel", "update": "maestro update"}.get(verb)
        hint = f"{instead} {directory.root}" if instead else "to run it with mtui, start a new study: mtui STUDY.yaml"
        raise UsageError(f"{READ_ONLY}, and cannot {verb} it", hint)
