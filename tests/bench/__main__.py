"""Runs the benches against their peers and prints a table of ratios beside their targets.

    python -m tests.bench [--size FACTOR | --small] [--write] [NAME ...]

The whole takes about three quarters of an hour. Slurm must be installed; Maestro is, if it can be.
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

ON_SLURM = ("submit", "sweep", "chain", "plan", "steady", "resume", "limit", "pack")
BENCHES = (*ON_SLURM, "local")
RESULTS = Path(__file__).with_name("RESULTS.md")


def lines_of(name: str, place: Place) -> Iterator[Line]:
    """What a bench found; nothing is judged at the small size."""
    if name in ON_SLURM:
        place.start_cluster()
    for line in importlib.import_module(f"tests.bench.bench_{name}").run(place):
        yield line.unjudged() if place.small else line


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def machine(place: Place) -> str:
    maestro = place.call([str(place.maestro), "--version"]).strip()
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}; {os.cpu_count()} cores; CPython {platform.python_version()}; "
        f"{place.slurm_version() or 'no Slurm'}; {maestro}"
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
        before = load()
        for name in given.names or BENCHES:
            note(f"--- {name}")
            try:
                lines += lines_of(name, place)
            except Exception:  # the others are worth their time anyway
                traceback.print_exc()
                failed.append(name)
                place.recover()
        head = f"{machine(place)}; load {before} before and {load()} after"
    finally:
        place.close()
    size = "" if given.size == 1 else f"\n\nSizes are {given.size:g} of the full ones."
    gap = f"\n\nDid not run to their end: {', '.join(failed)}." if failed else ""
    text = f"{head}{size}{gap}\n\n{markdown(lines)}\n"
    print(text)
    if given.write:
        RESULTS.write_text(
            f"# mtui and its peers\n\n`python -m tests.bench --write`, medians of runs in turns.\n\n{text}"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
