"""Run studies on a private Slurm cluster while something breaks every few seconds, and compare traces at the end.

python -m tests.soak [--minutes M] [--seed S] [--keep]

Rounds follow each other until the time is up. In a round, three studies run at once: plain jobs, arrays bound to each
other, and instances that share allocations; each has local steps as well. Every few seconds a random fault hits them.
When the faults stop, everything is healed, failed instances are retried, and each study has to finish. Then the trace
of its scripts is compared with its journal. The exit code is 1 if anything was lost or run twice.

The seed decides which faults come when; what they hit depends on the machine. With --keep the studies stay on disk.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.slurm.cluster import Cluster
from tests.soak.faults import Faults
from tests.soak.small_disk import SmallDisk
from tests.soak.studies import KINDS, SoakStudy
from tests.soak.trace import find_faults
from tests.waiting import wait_until

PAUSES = (1.0, 4.0)  # seconds between two faults
FAULTS_FOR = 60.0  # seconds of faults in a round; then all is healed
FINISH_WITHIN = 300.0  # seconds that the studies of a round have without faults


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Studies among random faults.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="which faults come when (default: 1)")
    parser.add_argument("--keep", action="store_true", help="keep the studies")
    arguments = parser.parse_args()
    return soak(arguments.minutes * 60, arguments.seed, keep=arguments.keep)


def soak(seconds: float, seed: int, *, keep: bool = False) -> int:
    """Run rounds for that long; return the exit code."""
    rng = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="mtui-soak-"))
    cluster = Cluster().start()
    disk = SmallDisk(folder / "disk")
    for missing in disk.missing:
        print(f"left out: {missing}", flush=True)
    end, rounds, hits, bad = time.monotonic() + seconds, 0, Counter[str](), 0
    totals: Counter[str] = Counter()
    try:
        while rounds == 0 or time.monotonic() < end:
            rounds += 1
            found = _round(rounds, rng, cluster, disk, folder, hits, totals)
            for line in found:
                print(f"WRONG in round {rounds}: {line}", flush=True)
            bad += len(found)
            if found:
                keep = True
            cluster.restore()
            if not found:
                disk.clear()
    finally:
        if not keep:
            disk.unmount()
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"kept: {folder}")
        cluster.stop()
    faults = ", ".join(f"{count} {name}" for name, count in sorted(hits.items()))
    print(f"seed {seed}: {rounds} rounds in {seconds / 60:g} min, {sum(hits.values())} faults ({faults})")
    print(", ".join(f"{count} {name}" for name, count in sorted(totals.items())))
    print(f"{bad} wrong" if bad else "nothing lost, nothing run twice")
    return 1 if bad else 0


def _round(
    number: int,
    rng: random.Random,
    cluster: Cluster,
    disk: SmallDisk,
    folder: Path,
    hits: Counter[str],
    totals: Counter[str],
) -> list[str]:
    """Play one round; return what was wrong, a line each."""
    print(f"round {number}", flush=True)
    studies = [SoakStudy(kind, number, rng, folder, disk.folder, cluster) for kind in KINDS]
    faults = Faults(rng, cluster, disk, studies)
    wait_until(lambda: all(study.has_begun for study in studies), 60, "all studies have begun")
    stop, next_fault = time.monotonic() + FAULTS_FOR, time.monotonic() + rng.uniform(*PAUSES)

    def turn() -> bool:
        nonlocal next_fault
        now = time.monotonic()
        for study in studies:
            study.keep_driven(now)
        faults.heal(now)
        if now >= next_fault:
            name = faults.strike(now)
            print(f"  {FAULTS_FOR - (stop - now):5.1f} s  {name}", flush=True)
            hits[name.partition(":")[0]] += 1
            next_fault = now + rng.uniform(*PAUSES)
        return now >= stop or all(study.is_over for study in studies)

    found: list[str] = []
    try:
        wait_until(turn, FAULTS_FOR + 120, "the faults of a round are over")
        faults.heal_all()
        for study in studies:
            study.end_faults()

        def finished() -> bool:
            return all([study.is_finished() for study in studies])  # each must be driven

        wait_until(finished, FINISH_WITHIN, "all studies have finished")
    except TimeoutError as error:
        found.append(str(error))
        found += [f"{study.out.name}: {study.describe()}" for study in studies if not study.has_finished]
    finally:
        faults.heal_all()
        for study in studies:
            study.kill_drivers()
    for study in studies:
        found += [f"{study.out.name}: {line}" for line in find_faults(study, totals)]
    return found


if __name__ == "__main__":
    sys.exit(main())
