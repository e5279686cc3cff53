"""Change the product in one place at a time, and see whether its tests notice.

python -m tests.mutants [--packages core/engine,core/store] [--sample N] [--seed S]

A sample of all mutations of the packages is tested, each in a copy of the tree: first with the unit tests of its
package, then with those of the packages above. What no test notices is printed with its place and the change, at the
end the score. A mutant whose tests take far longer than without it counts as noticed.
"""

from __future__ import annotations

import argparse
import queue
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.copies import ROOT, Copy
from tests.mutants.mutations import Mutation, find_mutations

_AT_ONCE = 2  # a mutant uses one core
_SLOWER, _LEAST = 5.0, 60.0  # of the time without a mutant, and seconds: the machine may be busy
# The tests that follow those of the package itself: what its users rely on.
_WIDER = {
    "core/engine": ("tests/property/test_state_machine.py", "tests/unit/store", "tests/unit/driver"),
    "core/store": ("tests/unit/driver", "tests/unit/doctor"),
    "core/packing": ("tests/unit/driver", "tests/unit/plan"),
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutation of one file."""

    package: str
    name: str  # of the file, from the top of the tree
    source: str
    mutation: Mutation

    @property
    def place(self) -> str:
        return f"{self.name}:{self.mutation.line}"


def find_mutants(packages: Sequence[str]) -> list[Mutant]:
    """All mutants of the Python files in these folders."""
    mutants: list[Mutant] = []
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            name = str(path.relative_to(ROOT))
            mutants += [Mutant(package, name, source, mutation) for mutation in find_mutations(source)]
    return mutants


def suites_of(package: str) -> list[list[str]]:
    """The tests for mutants of a package, the narrow ones first."""
    narrow = f"tests/unit/{Path(package).name}"
    suites = [[narrow], list(_WIDER.get(package, ()))]
    return [found for suite in suites if (found := [name for name in suite if (ROOT / name).exists()])]


def is_noticed(copy: Copy, mutant: Mutant, limits: dict[str, list[float]]) -> bool:
    """Whether the tests fail, or do not end, with the mutant."""
    with copy.changed(mutant.name, mutant.mutation.apply(mutant.source)):
        suites = zip(suites_of(mutant.package), limits[mutant.package], strict=True)
        return any(copy.run_tests(suite, seconds) != 0 for suite, seconds in suites)


def measure_limits(copy: Copy, packages: Sequence[str]) -> dict[str, list[float]]:
    """Seconds that each suite of each package may take.

    Raises RuntimeError if a suite fails without a mutant, since it could show nothing.
    """
    limits: dict[str, list[float]] = {}
    for package in packages:
        limits[package] = []
        for suite in suites_of(package):
            began = time.monotonic()
            if code := copy.run_tests(suite):
                raise RuntimeError(f"without a mutant, pytest ends with exit code {code}: {' '.join(suite)}")
            limits[package].append(max(_SLOWER * (time.monotonic() - began), _LEAST))
    return limits


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="A mutation run.")
    parser.add_argument("--packages", default="core/engine,core/store", help="folders, with commas between them")
    parser.add_argument("--sample", type=int, default=100, help="how many mutants; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="draws another sample")
    arguments = parser.parse_args()
    packages = arguments.packages.split(",")
    mutants = find_mutants(packages)
    if 0 < arguments.sample < len(mutants):
        mutants = random.Random(arguments.seed).sample(mutants, arguments.sample)
    with tempfile.TemporaryDirectory(prefix="mutants.") as folder, ThreadPoolExecutor(_AT_ONCE) as pool:
        copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for number in range(_AT_ONCE):
            copies.put(Copy.create(Path(folder) / str(number)))
        first = copies.get()
        limits = measure_limits(first, packages)
        copies.put(first)

        def test(mutant: Mutant) -> bool:
            copy = copies.get()
            try:
                return is_noticed(copy, mutant, limits)
            finally:
                copies.put(copy)

        noticed = 0
        for mutant, was_noticed in zip(mutants, pool.map(test, mutants), strict=True):
            noticed += was_noticed
            if not was_noticed:
                print(f"\nsurvived: {mutant.place}\n{mutant.mutation.diff(mutant.source)}", flush=True)
    print(f"\n{noticed} of {len(mutants)} mutants were noticed ({noticed / max(len(mutants), 1):.0%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
