"""What a view reads: the plan and the state of a study, without a lock and without writing."""

from __future__ import annotations

from pathlib import Path

from ..engine.state import StudyState
from ..file_reading import open_file
from ..plan.study_plan import Instance
from .checkpoint import load_state
from .study_directory import StudyDirectory
from .study_file import StudyFile, read_study_file


def read_study(directory: StudyDirectory) -> tuple[StudyFile, StudyState]:
    """Read a study and its current state. Raises StudyDirectoryError."""
    study = read_study_file(directory.study_file)
    state, _ = load_state(directory, study)
    return study, state


def read_last_output(directory: StudyDirectory, instance: Instance, count: int) -> tuple[Path, list[str]]:
    """The end of what an instance wrote to stderr, or to stdout if nothing to stderr, and the file in which it is."""
    for path in (directory.stderr(instance), directory.stdout(instance)):
        if lines := read_last_lines(path, count):
            return path, lines
    return directory.stderr(instance), []


def read_last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log that hold something; reads no more than its last 8 kB."""
    try:
        with open_file(path) as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 8192))
            text = file.read(8192).decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.split("\n") if line.strip()][-count:]
