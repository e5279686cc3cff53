"""What the benches print: runs in turns, medians, ratios beside their targets, a table in Markdown."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

HEAD = ("work", "mtui", "peer", "result", "target", "met")


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison. `met` is None where there is nothing to judge."""

    work: str
    ours: str
    peer: str
    result: str
    target: str = ""
    met: bool | None = None

    def unjudged(self) -> Line:
        return replace(self, met=None)

    def cells(self) -> tuple[str, ...]:
        return self.work, self.ours, self.peer, self.result, self.target, {True: "yes", False: "NO", None: ""}[self.met]


Task = Callable[[], float]


def in_turns(rounds: int, tasks: Mapping[str, Task]) -> dict[str, list[float]]:
    """What each task measured, round by round: whatever slows the machine for a while slows all of them.

    Every second round goes the other way, so that none has always the same one before it.
    """
    found: dict[str, list[float]] = {name: [] for name in tasks}
    names = list(tasks)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(tasks[name]())
            note(f"{name}: {found[name][-1]:.3f} s")
    return found


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began


def note(text: str) -> None:
    """For whoever waits for the table."""
    print(f"  {text}", file=sys.stderr, flush=True)


def median(times: Sequence[float]) -> float:
    return statistics.median(times)


def seconds(times: Sequence[float]) -> str:
    """The median, and between which times it lies."""
    digits = 3 if median(times) < 1 else 2 if median(times) < 100 else 0
    spread = f" ({min(times):.{digits}f} to {max(times):.{digits}f})" if len(times) > 1 else ""
    return f"{median(times):.{digits}f} s{spread}"


def times_faster(work: str, ours: Sequence[float], name: str, peer: Sequence[float], least: float) -> Line:
    """The peer has to take at least so many times as long."""
    ratio = median(peer) / median(ours)
    target = f"at least {least:g}x faster"
    return Line(work, seconds(ours), f"{name}: {seconds(peer)}", f"{ratio:.1f}x faster", target, ratio >= least)


def at_most(work: str, ours: Sequence[float], name: str, peer: Sequence[float], most: float) -> Line:
    """We may take at most so many times as long as the peer."""
    ratio = median(ours) / median(peer)
    return Line(work, seconds(ours), f"{name}: {seconds(peer)}", f"{ratio:.2f}x", f"at most {most:g}x", ratio <= most)


def format_line(work: str, ours: Sequence[float], name: str, peer: Sequence[float]) -> Line:
    """A ratio that has no target."""
    return Line(work, seconds(ours), f"{name}: {seconds(peer)}", f"{median(ours) / median(peer):.2f}x")


def within(work: str, ours: Sequence[float], name: str, peer: Sequence[float], most: float) -> Line:
    """We may take at most so many seconds longer than the peer."""
    more = median(ours) - median(peer)
    result, target = f"{more:+.2f} s", f"within {most:g} s of it"
    return Line(work, seconds(ours), f"{name}: {seconds(peer)}", result, target, more <= most)


def limited(work: str, ours: float, limit: float, unit: str, peer: str = "") -> Line:
    """A figure of ours that has a separate limit; the peer's is beside it."""
    digits = 2 if limit < 10 else 0
    result = f"{ours:.{digits}f} {unit}"
    return Line(work, result, peer, result, f"at most {limit:g} {unit}", ours <= limit)


def markdown(lines: Sequence[Line]) -> str:
    rows = [HEAD, tuple("---" for _ in HEAD), *(line.cells() for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
