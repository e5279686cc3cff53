"""The checkpoint beside the journal: a study's state up to some place in it. Readers continue from there.

It saves time and nothing else. It is written by the driver, after the journal was synced, in one move; whoever
finds that it does not fit the journal reads the journal from its beginning.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..durable_files import temporary_name
from ..engine.state import Impossible, StudyState
from ..engine.state_codec import Damaged, from_lines, to_lines
from ..errors import StudyDirectoryError
from ..file_reading import open_file, read_rest
from .journal import read_events
from .study_directory import StudyDirectory
from .study_file import StudyFile, without_collection


def write_checkpoint(directory: StudyDirectory, study: StudyFile, state: StudyState, read: Mapping[str, int]) -> None:
    """Write the state; `read` is how many bytes of each journal segment it contains. Raises OSError."""
    temporary = temporary_name(directory.checkpoint)
    with temporary.open("w", encoding="ascii") as file:
        file.write(json.dumps({"study_id": study.study_id, "read": dict(read)}) + "\n")
        for line in to_lines(state):
            file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory.checkpoint)


def load_state(directory: StudyDirectory, study: StudyFile) -> tuple[StudyState, dict[str, int]]:
    """Load the current state of a study from checkpoint and journal, and how much of each segment was read.

    Raises StudyDirectoryError for a journal that cannot be parsed, or that is missing although instances have run.
    """
    with without_collection():
        state, read = _kept(directory, study) or (StudyState(study.plan), {})
        for event in read_events(directory.journal, read):
            with suppress(Impossible):  # it was an anomaly when it was written, too
                state.apply(event)
        if not read and _has_run(directory):  # else everything would run a second time
            raise StudyDirectoryError(
                f"the journal of the study is missing, but instances have run: {directory.journal}",
                "restore .mtui/journal from a backup; or start a new study of study.yaml, in another directory",
            )
        gc.freeze()  # it stays: looking through it for garbage would hold everything up, again and again
        return state, read


def _has_run(directory: StudyDirectory) -> bool:
    """Whether an attempt has begun: each is in the journal before it can take its claim."""
    with suppress(OSError):
        return any((directory.home / "claims").iterdir())
    return False


def read_further(directory: StudyDirectory, state: StudyState, read: dict[str, int]) -> None:
    """Apply to a state what was written to the journal since it was loaded. Raises StudyDirectoryError."""
    for event in read_events(directory.journal, read):
        with suppress(Impossible):
            state.apply(event)


def is_usable(directory: StudyDirectory, study: StudyFile) -> bool:
    """Whether there is a checkpoint that readers of the study use."""
    return _kept(directory, study) is not None


def _kept(directory: StudyDirectory, study: StudyFile) -> tuple[StudyState, dict[str, int]] | None:
    """The state of the checkpoint, if there is one that fits."""
    try:
        with open_file(directory.checkpoint) as file:
            head: dict[str, Any] = json.loads(file.readline())
            read: dict[str, int] = head["read"]
            if head["study_id"] != study.study_id or not _fits(directory.journal, read):
                return None
            return from_lines(study.plan, file), dict(read)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, Damaged):
        return None


def _fits(journal: Path, read: Mapping[str, int]) -> bool:
    """Whether the journal still holds what was read, and has grown at its end only.

    A driver that lost its lease may have written a little more into a segment that is no longer the last one.
    """
    for name, size in read.items():
        with open_file(journal / name) as file:
            if file.seek(0, 2) < size:
                return False
            if name != max(read):
                file.seek(size)
                if b"\n" in read_rest(file, name):
                    return False
    return True
