"""Processes under measurement: their time, CPU time and memory, and what they ask of Slurm."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_SLURM = ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo", "srun", "sstat", "sprio", "sacctmgr")
_PROBE = """
import os, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
wall, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(2, done.stderr[-2000:])
print(done.returncode, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Wall time in seconds, CPU time in seconds, largest memory in MB of one command."""

    wall: float
    cpu: float
    memory: float


def measure(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> Measured:
    """Run a command to its end, as the only child of a small process: a fork inherits its parent's memory figure."""
    words = [sys.executable, "-c", _PROBE, *map(str, command)]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=True)
    code, wall, cpu, memory = done.stdout.split()
    if code != "0":
        raise RuntimeError(f"{shlex.join(map(str, command))} ended with code {code}: {done.stderr}")
    return Measured(float(wall), float(cpu), float(memory))


def cpu_seconds(pid: int) -> tuple[float, float]:
    """CPU time of a living process, and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, system, children, their_system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:15])
    return own + system, children + their_system


def memory(pid: int, what: str = "VmHWM") -> float:
    """The largest memory so far of a living process, in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith(what)).split()[1]) / 1024


class SlurmCalls:
    """Is put before Slurm's programs on the PATH and counts how often each is called."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        folder.mkdir()
        self._log = folder / "calls"
        self._log.touch()
        for name in _SLURM:
            if real := shutil.which(name, path=env["PATH"]):
                program = folder / name
                program.write_text(f'#!/bin/sh\necho {name} >> {self._log}\nexec {real} "$@"\n')
                program.chmod(0o755)
        self.env = {**env, "PATH": f"{folder}{os.pathsep}{env['PATH']}"}

    def made(self) -> list[str]:
        """The programs that were called so far, in order."""
        return self._log.read_text().split()
