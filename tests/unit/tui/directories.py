"""Study directories that are written without a driver."""

from __future__ import annotations

from pathlib import Path

from mtui.core.engine import events as ev
from mtui.core.engine.event_codec import to_line
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from tests.unit.planning import SLURM, plan_of


def write_slurm_study(
    root: Path, steps: str, rows: str, created: float, name: str = "t", settings: Settings | None = None
) -> StudyDirectory:
    """The directory of a study on Slurm that nobody has driven yet, without asking for Slurm."""
    text = f"description: {{name: {name}, description: d}}\n{SLURM}study:\n{steps}\nglobal.parameters:\n{rows}\n"
    directory = create_directory(root, text, [])
    study = StudyFile("0a1b2c3d", created, "study.yaml", settings or Settings(), plan_of(text))
    write_study_file(directory.study_file, study)
    return directory


def append(directory: StudyDirectory, *events: ev.Event, epoch: int = 1) -> None:
    """Write events as the driver of an epoch would."""
    with (directory.journal / f"{epoch:06d}.jsonl").open("a", encoding="utf-8") as journal:
        journal.writelines(to_line(event) + "\n" for event in events)
