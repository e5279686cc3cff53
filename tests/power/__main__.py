"""Cuts the power of a machine at random moments, and checks what its studies promise.

    python -m tests.power [--cuts N] [--seed S] [--fs ext4|xfs] [--at-once N] [--story FS:SEED:CUTS]

Needs root, loop devices, and the tools of the file systems. A story that fails prints its file system, seed
and cuts: --story plays it again.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.power.disk import KINDS, unavailable
from tests.power.story import BrokenPromise, Tally, play

MOST_CUTS = 5  # in one story


def plan_stories(cuts: int, seed: int, kinds: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """Kind of file system, seed and number of cuts of each story."""
    chance = random.Random(seed)
    stories: list[tuple[str, int, int]] = []
    while cuts > 0:
        count = min(cuts, chance.randint(1, MOST_CUTS))
        stories.append((kinds[len(stories) % len(kinds)], chance.randrange(1 << 32), count))
        cuts -= count
    return stories


def play_all(stories: list[tuple[str, int, int]], folder: Path, at_once: int) -> tuple[Tally, list[str]]:
    """Play stories; what happened, and what went wrong."""
    total, wrong = Tally(), list[str]()

    def play_one(number: int) -> None:
        kind, seed, cuts = stories[number]
        place = folder / f"story{number}"
        place.mkdir()
        try:
            tally = play(place, kind, seed, cuts)
        except (BrokenPromise, OSError, subprocess.SubprocessError) as error:
            wrong.append(f"story {number} ({kind}, seed {seed}, {cuts} cuts): {error}")
            print(wrong[-1], flush=True)
        else:
            total.add(tally)
            print(f"story {number}: {cuts} cuts on {kind}, well", flush=True)

    with ThreadPoolExecutor(at_once) as threads:
        list(threads.map(play_one, range(len(stories))))
    return total, wrong


def summary(total: Tally, wrong: list[str]) -> str:
    moments = ", ".join(f"{count} {kind}" for kind, count in sorted(total.moments.items()))
    return (
        f"{total.cuts} power cuts ({moments}): {total.cuts - total.not_created} studies resumed, {total.not_created} "
        f"reported as not created; {total.finished_before} cuts came after the end. The cuts left {total.torn} empty "
        f"files, and took the end of {total.lost_ends} runs; {total.again} instances began more than once, in "
        f"different lives. Broken promises: {len(wrong)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.power", description="Power cuts at random moments.")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--fs", choices=KINDS, help="only this file system (default: all in turn)")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="machines at a time (default: 2)")
    parser.add_argument("--story", metavar="FS:SEED:CUTS", help="play one story again, and keep its folder")
    given = parser.parse_args()
    kinds = (given.fs,) if given.fs else KINDS
    for kind in kinds:
        if why := unavailable(kind):
            print(f"no power cuts on {kind}: {why}", file=sys.stderr)
            return 2
    folder = Path(tempfile.mkdtemp(prefix="mtui-power-"))
    if given.story:
        kind, seed, cuts = given.story.split(":")
        stories = [(kind, int(seed), int(cuts))]
    else:
        seed = random.randrange(1 << 32) if given.seed is None else given.seed
        stories = plan_stories(given.cuts, seed, kinds)
        print(f"seed {seed}: {len(stories)} studies, in {folder}", flush=True)
    began = time.monotonic()
    total, wrong = play_all(stories, folder, given.at_once)
    print(f"{summary(total, wrong)}, in {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
