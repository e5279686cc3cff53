"""1,000 local steps that take no time: mtui with two at once, `make -j2`, Maestro."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench import studies
from tests.bench.place import Place
from tests.bench.table import Line, at_most, in_turns, timed, times_faster


def run(place: Place) -> Iterator[Line]:
    rows = place.count(1000, least=10)
    spec = studies.fan(place.new("fan.yaml"), rows, "echo $(N) > x", slurm=False)

    def mtui() -> float:
        out = place.new("out")
        taken = timed(lambda: place.run_mtui("--local-jobs", "2", "-o", out, spec))
        assert len(list((out / "fan").glob("*/x"))) == rows
        return taken

    def make() -> float:
        folder = place.new("make")
        folder.mkdir()
        names = " ".join(f"x{row}" for row in range(rows))
        (folder / "Makefile").write_text(f"all: {names}\nx%:\n\t@echo $* > $@\n")
        taken = timed(lambda: place.call(["make", "-s", "-j2"], folder))
        assert len(list(folder.glob("x*"))) == rows
        return taken

    def maestro() -> float:
        return timed(lambda: place.run_maestro(spec, 1))

    found = in_turns(place.rounds(5), {"mtui": mtui, "make": make, "Maestro": maestro})
    work = f"{rows:,} trivial local steps"
    yield at_most(work, found["mtui"], "`make -j2`", found["make"], 2)
    yield times_faster(work, found["mtui"], "Maestro -s 1", found["Maestro"], 2)
