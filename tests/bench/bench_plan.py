"""Planning and laying out a large sweep: mtui, `maestro run --dry`, and merely writing the files.

The study is three chained steps for each of 10,000 rows, and a funnel.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.bench import studies
from tests.bench.maestro import run_words
from tests.bench.place import Place
from tests.bench.processes import measure, memory
from tests.bench.table import Line, at_most, in_turns, limited, timed, times_faster
from tests.mtui import COMMAND


def scripts_of(out: Path) -> list[tuple[Path, str]]:
    """Every script of a study limited its directory; the links to the workspaces are passed over."""
    found: list[tuple[Path, str]] = []
    for step in out.iterdir():
        if step.is_dir() and not step.is_symlink() and step.name != ".mtui":
            found += [(path.relative_to(out), path.read_text()) for path in step.rglob("*.sh")]
    return found


def write(scripts: list[tuple[Path, str]], root: Path) -> None:
    """Make the directories and write the scripts, nothing else."""
    for name, text in scripts:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o744)


def run(place: Place) -> Iterator[Line]:
    rows = place.count(10_000, least=20)
    instances = 3 * rows + 1
    spec = studies.large(place.new("large.yaml"), rows)
    maestro_memory: list[float] = []

    out = place.new("out")
    place.run_mtui("--dry", "-o", out, spec)
    scripts = scripts_of(out)
    assert len(scripts) == instances
    shutil.rmtree(out)

    def first_submission() -> float:
        out = place.new("out")
        with place.drive("-o", out, spec) as driver:
            taken = driver.wait_accepted(1)
        place.cluster.cancel_all()
        shutil.rmtree(out)
        return taken

    def dry() -> float:
        out = place.new("out")
        taken = measure([*COMMAND, "--dry", "-o", out, spec], place.folder, place.local_env).wall
        shutil.rmtree(out)
        return taken

    def floor() -> float:
        root = place.new("floor")
        taken = timed(lambda: write(scripts, root))
        shutil.rmtree(root)
        return taken

    def maestro() -> float:
        out = place.new("maestro-out")
        found = measure(run_words(place.maestro, spec, out, dry=True), place.folder, place.local_env)
        shutil.rmtree(out)
        maestro_memory.append(found.memory)
        return found.wall

    def driver_memory() -> float:
        out = place.new("out")
        submitted = place.count(1000)
        with place.drive("-t", str(submitted), "-o", out, spec) as driver:
            driver.wait_accepted(submitted)
            found = memory(driver.process.pid)
        place.cluster.cancel_all()
        shutil.rmtree(out)
        return found

    tasks = {"first submission": first_submission, "--dry": dry, "floor": floor, "Maestro --dry": maestro}
    with place.drained():
        found = in_turns(place.rounds(3), tasks)
        ours = driver_memory()
    of = f"of 3 x {rows:,} rows + funnel"
    name = "`maestro run --dry`"
    yield times_faster(f"plan and first submission {of}", found["first submission"], name, found["Maestro --dry"], 15)
    yield times_faster(f"all scripts {of}", found["--dry"], name, found["Maestro --dry"], 15)
    yield at_most(f"all scripts {of}", found["--dry"], "mkdir, write and chmod alone", found["floor"], 2.5)
    peer = f"{name}: {max(maestro_memory):.0f} MB"
    yield limited(f"driver's largest memory, {instances:,} instances", ours, 150, "MB", peer)
