"""1,000 local steps that take no time: mtui with two at once, `make -j2`, Maestro."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench import studies
from tests.bench.place import Place
from tests.bench.table import Line, at_most, format_line, in_turns, timed, times_faster


def run(place: Place) -> Iterator[Line]:
    rows = place.count(1000, least=10)
    spec = studies.fan(place.new("fan.yaml"), rows, "echo $(N) > x", slurm=False)

    def mtui() -> float:
        out = place.new("out")
        taken = timed(lambda: place.run_mtui("--local-jobs", "2", "-o", out, spec))
        assert len(list((out / "fan").glob("*/x"))) == rows
        return taken

    def make(shell: str) -> float:
        folder = place.new("make")
        folder.mkdir()
        names = " ".join(f"x{row}" for row in range(rows))
        (folder / "Makefile").write_text(f"SHELL = {shell}\nall: {names}\nx%:\n\t@echo $* > $@\n")
        taken = timed(lambda: place.call(["make", "-s", "-j2"], folder))
        assert len(list(folder.glob("x*"))) == rows
        return taken

    def maestro() -> float:
        return timed(lambda: place.run_maestro(spec, 1))

    tasks = {
        "mtui": mtui,
        "make": lambda: make("/bin/bash"),
        "make with sh": lambda: make("/bin/sh"),
        "Maestro": maestro,
    }
    found = in_turns(place.rounds(5), tasks)
    work = f"{rows:,} trivial local steps"
    # The steps' scripts are bash's, whose start takes longer than that of a /bin/sh which is dash.
    yield at_most(work, found["mtui"], "`make -j2`, recipes in bash", found["make"], 2)
    yield format_line(work, found["mtui"], "`make -j2`, recipes in /bin/sh", found["make with sh"])
    yield times_faster(work, found["mtui"], "Maestro -s 1", found["Maestro"], 2)
