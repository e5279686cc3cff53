"""Handing 1,000 equal instances to Slurm: mtui, Maestro, and one array by hand. No job may start meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.bench import studies
from tests.bench.maestro import answers, run_words, submissions
from tests.bench.place import Place
from tests.bench.table import Line, in_turns, note, timed, times_faster, within
from tests.waiting import wait_until


def run(place: Place) -> Iterator[Line]:
    rows = place.count(1000, least=10)
    spec = studies.fan(place.new("fan.yaml"), rows, "echo $(N) > x")
    first_to_last: list[float] = []

    def mtui() -> float:
        with place.drive("-o", place.new("out"), spec) as driver:
            taken = driver.wait_accepted(rows)
        place.cluster.cancel_all()
        return taken

    def maestro() -> float:
        out, log = place.new("maestro-out"), place.new("log")
        words = run_words(place.maestro, spec, out)
        began = time.time()
        with place.background(words, log, place.env):
            wait_until(lambda: answers(log) >= rows, 300, f"Maestro submitted {rows} jobs")
        times = submissions(out)
        first_to_last.append(times[-1] - times[0])
        note(f"of it from the first to the last sbatch: {first_to_last[-1]:.3f} s")
        place.cluster.cancel_all()
        return times[-1] - began

    def by_hand() -> float:
        folder = place.new("hand")
        folder.mkdir()
        (folder / "job.sh").write_text("#!/bin/sh\necho $SLURM_ARRAY_TASK_ID > x\n")
        taken = timed(lambda: place.sbatch(folder, f"--array=1-{rows}", "job.sh"))
        place.cluster.cancel_all()
        return taken

    with place.drained():
        found = in_turns(place.rounds(3), {"mtui": mtui, "Maestro": maestro, "array": by_hand})
    work = f"submit {rows:,} instances, start to last accepted"
    yield times_faster(work, found["mtui"], "Maestro", found["Maestro"], 15)
    yield times_faster(work, found["mtui"], "Maestro, first to last sbatch alone", first_to_last, 15)
    yield within(work, found["mtui"], "one `sbatch --array` by hand", found["array"], 1)
