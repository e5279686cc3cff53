"""Slurm's programs as a test wants them."""

from __future__ import annotations

import shutil
from pathlib import Path

from mtui.core.backends.backend import AttemptFiles, Job


class Fake:
    """Programs on a separate PATH; each records its arguments and input before it runs its script."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "bin"
        self.folder.mkdir()
        self.notes = root / "notes"
        self.log = root / "slurm.log"
        self.script = root / "a.slurm.sh"
        self.script.write_text("#!/bin/bash\n#SBATCH --time=5\ntrue\n")
        for name in ("sbatch", "squeue", "sacct", "scancel", "scontrol"):
            self.does(name, "true")
        for name in ("sh", "cat", "sleep", "env", "printf"):
            (self.folder / name).symlink_to(shutil.which(name) or f"/bin/{name}")

    def does(self, name: str, what: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\necho \"{name} $*\" >> '{self.notes}'\n{what}\n")
        path.chmod(0o755)

    def said(self, name: str) -> list[str]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def logged(self) -> list[str]:
        """The lines of the log of calls, without the head and the times."""
        return [line[20:] for line in self.log.read_text().splitlines()[1:]] if self.log.exists() else []

    def job(self) -> Job:
        return Job("1-1", "mt.x.1-1:a", (AttemptFiles("0.1", "/w d", str(self.script), "/w d/a.out", "/w d/a.err"),))
