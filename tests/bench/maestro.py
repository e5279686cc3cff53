"""The Maestro to compare with: the one that $MTUI_MAESTRO names, the one beside this Python, or one made for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WANTED = "maestrowf==1.2.1"


class MaestroMissing(RuntimeError):
    """There is no Maestro, and none could be installed."""


def find_maestro(folder: Path) -> Path:
    """The `maestro` command; if need be in a new environment in that folder."""
    named = os.environ.get("MTUI_MAESTRO")
    candidate = Path(named) if named else Path(sys.executable).with_name("maestro")
    if named or candidate.exists():
        return candidate
    steps = (
        [sys.executable, "-m", "venv", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", WANTED],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MaestroMissing(f"no Maestro ($MTUI_MAESTRO may name it): {done.stderr.strip()[-300:]}")
    return folder / "bin" / "maestro"


def run_words(maestro: Path, spec: Path, out: Path, *, sleep: int = 60, dry: bool = False) -> list[str]:
    """The command line that runs a study to its end."""
    words = [str(maestro), "run", "-fg", "-y", "-s", str(sleep), "-o", str(out)]
    return [*words, *(["--dry"] if dry else []), str(spec)]


def answers(log: Path) -> int:
    """How many submissions Slurm took so far, by what Maestro prints."""
    return log.read_bytes().count(b"Submission returned status OK")


def submissions(out: Path) -> list[float]:
    """When each submission began, in seconds since 1970: Maestro writes a script just before it submits it."""
    return sorted(path.stat().st_mtime for path in out.rglob("*.slurm.sh"))
