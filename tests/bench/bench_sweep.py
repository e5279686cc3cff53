"""1,000 rows of two chained steps and a funnel on the cluster: mtui and three sbatch calls by hand."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench import studies
from tests.bench.place import LONG, Place
from tests.bench.table import Line, at_most, in_turns, timed
from tests.waiting import wait_until

_SCRIPTS = {
    "a.sh": "echo $SLURM_ARRAY_TASK_ID > $SLURM_ARRAY_TASK_ID.x",
    "b.sh": "cat $SLURM_ARRAY_TASK_ID.x > $SLURM_ARRAY_TASK_ID.y",
    "all.sh": "cat *.y | wc -l > all && mv all total",
}


def run(place: Place) -> Iterator[Line]:
    rows = place.count(1000, least=10)
    spec = studies.sweep(place.new("sweep.yaml"), rows)

    def mtui() -> float:
        out = place.new("out")
        taken = timed(lambda: place.run_mtui("-o", out, spec, env=place.env))
        assert int((out / "all" / "total").read_text()) == rows
        return taken

    found = in_turns(place.rounds(5), {"mtui": mtui, "by hand": lambda: by_hand(place, rows)})
    work = f"2 chained steps x {rows:,} rows + funnel, start to end of the driver"
    yield at_most(work, found["mtui"], "arrays by hand, aftercorr and afterok", found["by hand"], 1.1)


def by_hand(place: Place, rows: int) -> float:
    """The seconds that the same takes as three calls of sbatch."""
    folder = place.new("hand")
    folder.mkdir()
    for name, text in _SCRIPTS.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
    total = folder / "total"

    def submit_and_wait() -> None:
        first = place.sbatch(folder, f"--array=1-{rows}", "a.sh")
        second = place.sbatch(folder, f"--array=1-{rows}", f"--dependency=aftercorr:{first}", "b.sh")
        place.sbatch(folder, f"--dependency=afterok:{second}", "all.sh")
        wait_until(total.exists, LONG, "the funnel ran")

    taken = timed(submit_and_wait)
    assert int(total.read_text()) == rows
    return taken
