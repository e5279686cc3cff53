"""What a driver costs while 1,000 jobs run and nothing happens: requests to Slurm, CPU time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import studies
from tests.bench.maestro import run_words
from tests.bench.place import LONG, Place
from tests.bench.processes import SlurmCalls, cpu_seconds, memory
from tests.bench.table import Line, limited, note
from tests.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Steady:
    """Over a while: Slurm's programs called in a minute, per cent of a core; and the largest memory so far in MB."""

    calls: float
    cpu: float
    memory: float


def watch(pid: int, calls: SlurmCalls, seconds: float) -> Steady:
    """Let a while pass and report what the driver did in it. Its children count: they are what asks Slurm."""
    made, before = len(calls.made()), cpu_seconds(pid)
    threading.Event().wait(seconds)
    what, after = calls.made()[made:], cpu_seconds(pid)
    own, children = ((late - early) / seconds * 100 for early, late in zip(before, after, strict=True))
    found = Steady(len(what) * 60 / seconds, own + children, memory(pid))
    note(f"in {seconds:g} s {own:.2f} + {children:.2f} % of a core; called {' '.join(what) or 'nothing'}")
    return found


@dataclass(frozen=True, slots=True)
class Jobs:
    """A study whose jobs say that they run and then sleep."""

    spec: Path
    begun: Path
    count: int

    def all_run(self) -> bool:
        return sum(1 for _ in self.begun.iterdir()) == self.count


def make_jobs(place: Place, count: int) -> Jobs:
    begun = place.new("begun")
    begun.mkdir()
    spec = studies.fan(place.new("steady.yaml"), count, f"echo > {begun}/$(N); sleep 3600", walltime="01:30:00")
    return Jobs(spec, begun, count)


def of_mtui(place: Place, count: int, seconds: float) -> Steady:
    jobs = make_jobs(place, count)
    calls = SlurmCalls(place.new("calls"), place.env)
    with place.drive("-o", place.new("out"), jobs.spec, env=calls.env) as driver:
        driver.wait_for(lambda: driver.count("started") == count, f"{count} jobs run")
        found = watch(driver.process.pid, calls, seconds)
    place.cluster.cancel_all()
    return found


def of_maestro(place: Place, count: int, seconds: float, sleep: int) -> Steady:
    jobs = make_jobs(place, count)
    calls = SlurmCalls(place.new("calls"), place.env)
    words = run_words(place.maestro, jobs.spec, place.new("maestro-out"), sleep=sleep)
    with place.background(words, place.new("log"), calls.env) as process:
        wait_until(jobs.all_run, LONG, f"{count} jobs run")
        found = watch(process.pid, calls, seconds)
    place.cluster.cancel_all()
    return found


def run(place: Place) -> Iterator[Line]:
    count = place.count(1000, least=10)
    seconds, sleep = (3.0, 2) if place.small else (120.0, 60)
    ours = of_mtui(place, count, seconds)
    maestro = of_maestro(place, count, seconds, sleep)
    while_they_run = f"while {count:,} jobs run, over {seconds:g} s"
    name = f"Maestro -s {sleep}"
    yield limited(f"requests to Slurm {while_they_run}", ours.calls, 2, "a minute", f"{name}: {maestro.calls:.2f}")
    yield limited(f"driver and its children {while_they_run}", ours.cpu, 1, "% of a core", f"{name}: {maestro.cpu:.2f}")
    yield limited(f"driver's memory with {count:,} instances", ours.memory, 150, "MB", f"{name}: {maestro.memory:.0f}")
