"""Instances that share an allocation: against the same by hand, against arrays, against what the cores could do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from mtui.core.store import inbox
from mtui.core.store.study_directory import StudyDirectory
from tests.bench import bench_sweep, studies
from tests.bench.place import LONG, Place
from tests.bench.processes import SlurmCalls
from tests.bench.table import Line, at_most, in_turns, limited, note, timed, times_faster
from tests.waiting import wait_until

_CORES = 16  # of the node that the sweep shares
_NODES, _EACH = 4, 8  # nodes, and cores of each, for the many short ones
_SECONDS = 0.1  # that each of these takes

_BY_HAND = """\
#!/bin/bash
ls $PWD/a/*.sh | xargs -P {cores} -n 1 bash
ls $PWD/b/*.sh | xargs -P {cores} -n 1 bash
bash all.sh
"""


def run(place: Place) -> Iterator[Line]:
    place.cluster.restore()  # it is there before the first is timed
    yield from _sweep(place)
    yield from _short_ones(place)


def _packed(spec: Path, pack: str) -> Path:
    spec.write_text(f"{spec.read_text()}mtui: {{pack: {{{pack}}}}}\n")
    return spec


def _sweep(place: Place) -> Iterator[Line]:
    rows = place.count(1000, least=10)
    spec = _packed(studies.sweep(place.new("packed.yaml"), rows), f"cores: {_CORES}")

    def mtui() -> float:
        out = place.new("out")
        taken = timed(lambda: place.run_mtui("-o", out, spec, env=place.env))
        assert int((out / "all" / "total").read_text()) == rows
        return taken

    tasks: dict[str, Callable[[], float]] = {"mtui": mtui, "by hand": lambda: _by_hand(place, rows)}
    found = in_turns(place.rounds(5), tasks)
    work = f"2 chained steps x {rows:,} rows + funnel in one allocation of {_CORES} cores, the job included"
    yield at_most(work, found["mtui"], f"xargs -P {_CORES} in one job, by hand", found["by hand"], 1.5)
    arrays = in_turns(place.rounds(2), {"arrays": lambda: bench_sweep.by_hand(place, rows)})["arrays"]
    yield times_faster(work, found["mtui"], "arrays by hand, aftercorr and afterok", arrays, 8)


def _by_hand(place: Place, rows: int) -> float:
    folder = place.new("hand")
    for step in "ab":
        (folder / step).mkdir(parents=True)
    for row in range(rows):
        workspace = folder / "a" / str(row)
        workspace.mkdir()
        (folder / "a" / f"{row}.sh").write_text(f"#!/bin/bash\ncd {workspace}\necho {row} > x\n")
        (folder / "b" / f"{row}.sh").write_text(f"#!/bin/bash\ncd {workspace}\ncat x > y\n")
    total = folder / "total"
    (folder / "all.sh").write_text(f"#!/bin/bash\ncat {folder}/a/*/y | wc -l > all && mv all {total}\n")
    (folder / "job.sh").write_text(_BY_HAND.format(cores=_CORES))

    def submit_and_wait() -> None:
        place.sbatch(folder, f"--cpus-per-task={_CORES}", "job.sh")
        wait_until(total.exists, LONG, "the funnel ran")

    taken = timed(submit_and_wait)
    assert int(total.read_text()) == rows
    return taken


def _short_ones(place: Place) -> Iterator[Line]:
    count = place.count(10_000, least=20)
    spec = studies.fan(place.new("short.yaml"), count, f"sleep {_SECONDS}; : $(N)", walltime="00:01:00")
    _packed(spec, f"cores: {_EACH}, nodes: {_NODES}")
    calls = SlurmCalls(place.new("calls"), place.env)
    out = place.new("out")
    answers: list[float] = []
    with place.drive("-o", out, spec, env=calls.env) as driver:
        driver.wait_for(lambda: driver.count("allocation_began") == 1, "the allocation began")
        while not answers or driver.process.poll() is None:
            answers.append(_answer_time(driver.process.poll, StudyDirectory(out)))
        driver.read()
    assert driver.process.returncode == 0
    ends = [event["at"] for event in driver.events if event["type"] == "ended"]
    assert len(ends) == count
    whole = max(ends) - driver.began
    ideal = count * _SECONDS / (_NODES * _EACH)
    work = f"{count:,} instances of {_SECONDS} s in one allocation of {_NODES} nodes of {_EACH} cores"
    yield at_most(work, [whole], "work / cores", [ideal], 1.3)
    made = calls.made()
    note(f"called {' '.join(made)}")
    yield limited("the same: calls of Slurm's programs", len(made), 19, "calls")
    work = "the same: from a command to the driver's answer, 95 % of them within"
    slow = sorted(answers)[int(0.95 * (len(answers) - 1))]
    yield limited(work, slow * 1000, 500, "ms")


def _answer_time(ended: Callable[[], int | None], directory: StudyDirectory) -> float:
    """Seconds until the driver has carried a command out."""

    def send_and_wait() -> None:
        command = inbox.send_command(directory.inbox, "update", (), {"local_jobs": 2})
        pending = directory.inbox / "new" / command
        wait_until(lambda: not pending.exists() or ended() is not None, LONG, "the command is carried out")

    return timed(send_and_wait)
