"""Planning and laying out a large sweep: mtui against `maestro run --dry` and against merely writing the files.

    python -m tests.bench.bench_plan [ROWS]

The study is a set-up step, three chained steps for each row, and a funnel: 3 x ROWS + 2 instances.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

STUDY = """\
description: {{name: big, description: three chained steps and a funnel}}
batch: {{type: slurm, host: h, bank: b, queue: q}}
study:
- name: prep
  description: d
  run: {{cmd: "echo prep > $(WORKSPACE)/x"}}
- name: a
  description: d
  run: {{cmd: "echo $(A) $(B) $(prep.workspace)/x > $(WORKSPACE)/x", depends: [prep], procs: 1, walltime: "00:10:00"}}
- name: b
  description: d
  run: {{cmd: "cat $(a.workspace)/x > $(WORKSPACE)/x", depends: [a], procs: 1, walltime: "00:10:00"}}
- name: c
  description: d
  run: {{cmd: "cat $(b.workspace)/x > $(WORKSPACE)/x", depends: [b], procs: 1, walltime: "00:10:00"}}
- name: all
  description: d
  run: {{cmd: "cat $(c.workspace)/*/x", depends: [c_*]}}
global.parameters:
  A: {{values: [{a}], label: A.%%}}
  B: {{values: [{b}], label: B.%%}}
"""


@dataclass(frozen=True)
class Measured:
    """Wall time in seconds, CPU time in seconds, largest memory in MB of one command."""

    wall: float
    cpu: float
    memory: float


def measure(*command: str, cwd: Path) -> Measured:
    """Run a command and measure it alone: its children's figures are read before and after."""
    probe = (
        "import resource, subprocess, sys, time; t = time.monotonic();"
        "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode;"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(code, time.monotonic() - t, u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)"
    )
    env = {**os.environ, "USER": os.environ.get("USER") or "user"}  # Maestro's Slurm adapter needs it
    done = subprocess.run(
        [sys.executable, "-c", probe, *command], cwd=cwd, env=env, capture_output=True, text=True, check=True
    )
    code, wall, cpu, memory = done.stdout.split()
    if code != "0":
        raise SystemExit(f"{' '.join(command)} ended with code {code}")
    return Measured(float(wall), float(cpu), float(memory))


def floor(scripts: list[tuple[Path, str]]) -> Measured:
    """Make the directories and write the same scripts, nothing else."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    for path, text in scripts:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o744)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(time.monotonic() - began, cpu, 0.0)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None  # a disk's journal would be most of the figure
    folder = Path(tempfile.mkdtemp(prefix="mtui-bench-", dir=base))
    try:
        spec = folder / "big.yaml"
        a, b = (", ".join(str(row * factor) for row in range(rows)) for factor in (1, 2))
        spec.write_text(STUDY.format(a=a, b=b))
        mtui = (sys.executable, "-m", "mtui.tui")
        figures = {
            "mtui plan": measure(*mtui, "plan", str(spec), cwd=folder),
            "mtui --dry": measure(*mtui, "--dry", "-o", "mtui", str(spec), cwd=folder),
        }
        scripts = [(folder / "floor" / path.relative_to(folder / "mtui"), path.read_text())
                   for path in (folder / "mtui").glob("**/*.sh") if ".mtui" not in path.parts
                   and not path.parts[len((folder / "mtui").parts)].startswith(("a_", "b_", "c_"))]  # fmt: skip
        figures["floor: mkdir and write"] = floor(scripts)
        maestro = str(Path(sys.executable).with_name("maestro"))
        figures["maestro run --dry"] = measure(
            maestro, "run", "--dry", "-fg", "-y", "-o", "maestro", str(spec), cwd=folder
        )
        report(3 * rows + 2, figures)
    finally:
        shutil.rmtree(folder)


def report(instances: int, figures: dict[str, Measured]) -> None:
    base = figures["mtui --dry"].wall
    print(f"{instances} instances")
    print(f"{'':24}{'wall s':>9}{'CPU s':>9}{'MB':>7}{'of mtui --dry':>15}")
    for name, figure in figures.items():
        print(f"{name:24}{figure.wall:9.2f}{figure.cpu:9.2f}{figure.memory:7.0f}{figure.wall / base:14.2f}x")


if __name__ == "__main__":
    main()
