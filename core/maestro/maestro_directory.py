"""The directory of a Maestro study: how it is recognized, and where its files are."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ..plan.study_plan import Instance
from ..store.study_directory import StudyDirectory


class MaestroDirectory(StudyDirectory):
    """A study directory with Maestro's names of output files; never written to."""

    is_ours = False

    @cached_property
    def driver_log(self) -> Path:
        """The log of Maestro's conductor."""
        logs = sorted((self.root / "logs").glob("*.log"))
        return logs[0] if logs else self.root / "logs"

    def stdout(self, instance: Instance) -> Path:
        return self._output(instance, "out")

    def stderr(self, instance: Instance) -> Path:
        return self._output(instance, "err")

    def _output(self, instance: Instance, ending: str) -> Path:
        """Return NAME.out of a job, or the latest NAME.PID.out of a local step, which has one per attempt."""
        folder = self.workspace(instance)
        named = folder / f"{instance.stem}.{ending}"
        try:
            found = [path for path in folder.iterdir() if path.name.endswith(f".{ending}")]
        except OSError:
            found = []
        ours = [path for path in found if path.name.startswith(f"{instance.stem}.")]
        latest = max(ours, key=_modified, default=named)
        return named if named in found else latest


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def find_maestro_study(path: Path) -> MaestroDirectory | None:
    """Return the Maestro study in a directory; None if there is none, or if it is a study of mtui."""
    root = path.absolute()
    signs = (root / "status.csv", root / "batch.info")
    if not (root / ".mtui").exists() and all(sign.is_file() for sign in signs):
        return MaestroDirectory(root)
    return None
