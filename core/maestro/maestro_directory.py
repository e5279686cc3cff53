"""The directory of a study of Maestro: how it is recognised, and where its files stand."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ..plan.study_plan import Instance
from ..store.study_directory import StudyDirectory


class MaestroDirectory(StudyDirectory):
    """As that of a study of ours, but for the names of output files, and that nothing is ever written."""

    @cached_property
    def driver_log(self) -> Path:
        """What Maestro's conductor had to say."""
        logs = sorted((self.root / "logs").glob("*.log"))
        return logs[0] if logs else self.root / "logs"

    def stdout(self, instance: Instance) -> Path:
        return self._output(instance, "out")

    def stderr(self, instance: Instance) -> Path:
        return self._output(instance, "err")

    def _output(self, instance: Instance, ending: str) -> Path:
        """Of a job NAME.out; of a local step NAME.PID.out, of which there is one for each attempt."""
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
    """The study of Maestro in a directory, if there is one and it is none of ours."""
    root = path.absolute()
    signs = (root / "status.csv", root / "batch.info")
    if not (root / ".mtui").exists() and all(sign.is_file() for sign in signs):
        return MaestroDirectory(root)
    return None
