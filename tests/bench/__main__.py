"""Runs the benches against their peers and prints a table of ratios beside their targets.

    python -m tests.bench [--size FACTOR | --small] [--write] [NAME ...]

The whole takes about three quarters of an hour. Slurm has to be installed; Maestro is, if it can be.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from tests.bench.place import SMALL, Place
from tests.bench.table import Line, markdown, note

BENCHES = ("submit", "sweep", "chain", "plan", "local", "steady", "resume", "limit")
RESULTS = Path(__file__).with_name("RESULTS.md")


def lines_of(name: str, place: Place) -> Iterator[Line]:
    """What a bench found; nothing is judged at the small size."""
    for line in importlib.import_module(f"tests.bench.bench_{name}").run(place):
        yield line.unjudged() if place.small else line


def machine(place: Place) -> str:
    slurm = place.call(["sbatch", "--version"]).strip()
    maestro = place.call([str(place.maestro), "--version"]).strip()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, CPython {platform.python_version()}, "
        f"{slurm}, {maestro}; load {load} before"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="mtui against its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {' '.join(BENCHES)}")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--size", type=float, default=1.0, metavar="FACTOR", help="of the full sizes, up to 1")
    size.add_argument("--small", dest="size", action="store_const", const=SMALL, help="only whether they work")
    parser.add_argument("--write", action="store_true", help=f"put the table into {RESULTS.name}")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    if not 0 < given.size <= 1:
        parser.error("the size is above 0 and at most 1")
    return given


def main() -> int:
    given = arguments()
    place = Place(given.size)
    lines: list[Line] = []
    failed: list[str] = []
    try:
        head = machine(place)
        for name in given.names or BENCHES:
            note(f"--- {name}")
            try:
                lines += lines_of(name, place)
            except Exception:  # the others are worth their time all the same
                traceback.print_exc()
                failed.append(name)
    finally:
        place.close()
    size = "" if given.size == 1 else f"\n\nSizes are {given.size:g} of the full ones."
    text = f"{head}, {os.getloadavg()[0]:.1f} after{size}\n\n{markdown(lines)}\n"
    print(text)
    if given.write:
        RESULTS.write_text(
            f"# mtui and its peers\n\n`python -m tests.bench --write`, medians of runs in turns.\n\n{text}"
        )
    if failed:
        print(f"did not run to their end: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
