"""The app on a large study, as its terminal sees it: times, bytes on the line, CPU time and memory.

    python -m tests.bench.bench_app [ROWS]

The study has ten steps for each row. It is opened in a pseudo-terminal while this process plays the driver: it holds
the lease and adds to the journal. At the end the app drives a study of ROWS / 5 short local instances itself.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.app_terminal import COLUMNS, LINES, Terminal
from tests.bench.large_study import FAN, Large, make_large, make_small

_CURSOR = b"48;5;24m"  # the background of the cursor in the dark theme
_OVER = b"no driver: study "
_MOST_KEYS = 300  # while the app drives


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    target: str
    measured: str


def _spread(values: list[float], unit: str) -> str:
    ordered = sorted(values)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{statistics.median(ordered):.0f} median, {last:.0f} p99, {ordered[-1]:.0f} max {unit}"


def key_times(terminal: Terminal, keys: list[bytes], pause: float) -> list[float]:
    """Milliseconds from each key until the cursor is painted."""
    times: list[float] = []
    waiting = threading.Event()
    for key in keys:
        mark, begun = terminal.mark(), time.monotonic()
        terminal.press(key)
        times.append((terminal.when(_CURSOR, 20, mark) - begun) * 1000)
        waiting.wait(pause)
    return times


def spent(terminal: Terminal, act: Callable[[], object], seconds: float) -> tuple[int, float]:
    """Bytes written and CPU milliseconds used, from an act until a while after it."""
    terminal.settle()
    mark, cpu = terminal.mark(), terminal.cpu()
    act()
    threading.Event().wait(seconds)
    return len(terminal.output(mark)), (terminal.cpu() - cpu) * 1000


def measure_start(terminal: Terminal, what: str, target: str) -> list[Figure]:
    painted = terminal.when(b"Instances", 120) - terminal.began
    read = terminal.when("✓ done".encode(), 120) - terminal.began
    cpu = terminal.cpu()
    terminal.settle(1.0)
    return [
        Figure(f"start, {what}: first screen", "", f"{painted:.2f} s"),
        Figure("  first screen with states", target, f"{read:.2f} s, {cpu:.2f} s CPU"),
        Figure("  memory", "", f"{terminal.memory():.0f} MB, {terminal.memory('VmHWM'):.0f} at most"),
    ]


def measure_keys(terminal: Terminal) -> list[Figure]:
    terminal.settle()
    before = terminal.mark()
    down = key_times(terminal, [b"j", b"k"] * 25, 0.05)
    terminal.settle()
    moved = len(terminal.output(before)) / 50
    pages: list[float] = []
    sizes: list[float] = []
    for key in (b"\x1b[6~", b"\x1b[5~") * 5:
        mark = terminal.mark()
        pages += key_times(terminal, [key], 0)
        terminal.settle()
        sizes.append(len(terminal.output(mark)))
    terminal.press(b"g")
    terminal.settle()
    return [
        Figure("key to paint, 50 x j and k", "< 50 ms", f"{_spread(down, 'ms')}; {moved:.0f} bytes each"),
        Figure("page down and up", "", f"{_spread(pages, 'ms')}; {statistics.median(sizes):.0f} bytes each"),
    ]


def measure_changes(terminal: Terminal, large: Large) -> list[Figure]:
    rng = random.Random(1)
    rows = len(large.plan.parameters.values[0])
    by_name = {step.name: step.by_row for step in large.plan.steps}
    near = [(row, name) for row in range(min(15, rows)) for name in FAN[1:]]
    far = [(row, name) for row in range(rows) if row >= 60 and (row < 100 or row % 25 == 7) for name in FAN[1:]]
    rng.shuffle(near)
    rng.shuffle(far)

    def start(cells: list[tuple[int, str]], count: int) -> Callable[[], None]:
        chosen = [cells.pop() for _ in range(min(count, len(cells)))]
        return lambda: large.report_events(*(large.started(by_name[name][row]) for row, name in chosen))

    def other_reason() -> None:
        large.report_events(*(large.queued(by_name[name][row], "Resources") for row, name in far[:100]))

    idle = spent(terminal, lambda: None, 10 if rows >= 1000 else 1)
    ones = [spent(terminal, start(near, 1), 2) for _ in range(5)]
    reasons = [spent(terminal, other_reason, 2)]
    offs = [spent(terminal, start(far, 100), 2) for _ in range(3)]
    many = [spent(terminal, start(near, 70), 2)]

    def words(found: list[tuple[int, float]]) -> str:
        sizes, cpu = zip(*found, strict=True)
        most = f" ({max(sizes)} at most)" if len(found) > 1 else ""
        return f"{statistics.median(sizes):.0f} bytes{most}, {statistics.median(cpu):.0f} ms CPU"

    return [
        Figure("idle for 10 s", "0 bytes", words([idle])),
        Figure("1 visible cell, with all counts", "< 300 bytes", words(ones)),
        Figure("100 off screen, no count changed", "< 100 bytes", words(reasons)),
        Figure("100 off screen, with all counts", "", words(offs)),
        Figure("70 visible cells, with all counts", "", words(many)),
    ]


def measure_busy(terminal: Terminal) -> list[Figure]:
    """Keys while the app's own driver works hard, for as long as it does."""
    terminal.when(_CURSOR, 60)
    mark = terminal.mark()
    cpu, begun = terminal.cpu(), time.monotonic()
    times: list[float] = []
    while not times or (len(times) < _MOST_KEYS and _OVER not in terminal.output(mark)):
        times += key_times(terminal, [b"j", b"k"], 0.03)
    load = (terminal.cpu() - cpu) / (time.monotonic() - begun)
    return [
        Figure(f"key to paint while it drives, {len(times)} keys", "< 100 ms", _spread(times, "ms")),
        Figure("  its CPU meanwhile", "", f"{load * 100:.0f} %, {terminal.memory():.0f} MB"),
    ]


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="mtui-bench-", dir=base))
    try:
        begun = time.monotonic()
        large = make_large(folder, rows)
        print(f"{len(large.plan.instances):,} instances, {large.events:,} events; "
              f"made in {time.monotonic() - begun:.0f} s; {COLUMNS}x{LINES}; "
              f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs", flush=True)  # fmt: skip
        terminal = Terminal(large.directory.root, folder / "home")
        report(measure_start(terminal, "from the checkpoint", "< 1.5 s"))
        report(measure_keys(terminal))
        report(measure_changes(terminal, large))
        report([Figure("memory at the end", "", f"{terminal.memory():.0f} MB")])
        terminal.leave()
        large.directory.checkpoint.unlink()
        terminal = Terminal(large.directory.root, folder / "home")
        report(measure_start(terminal, "from the journal alone", ""))
        terminal.leave()
        busy = Terminal(make_small(folder, max(100, rows // 5)).root, folder / "home")
        report(measure_busy(busy))
        busy.leave()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report(figures: list[Figure]) -> None:
    for figure in figures:
        print(f"{figure.what:40}{figure.target:14}{figure.measured}", flush=True)


if __name__ == "__main__":
    main()
