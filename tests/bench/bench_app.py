"""The app on a large study, as its terminal sees it: times, bytes on the line, CPU time and memory.

    python -m tests.bench.bench_app [ROWS]

The study has ten steps for each row. It is opened in a pseudo-terminal while this process plays the driver: it holds
the lease and adds to the journal. At the end the app drives a study of ROWS / 5 short local instances itself.
"""

from __future__ import annotations

import os
import pty
import random
import shutil
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fcntl import ioctl
from pathlib import Path

from mtui.core.plan.model import Plan
from mtui.core.start import PlanOptions, create_study, plan_study
from mtui.core.store.checkpoint import load_state, write_checkpoint
from mtui.core.store.journal import Journal
from mtui.core.store.layout import StudyDirectory
from mtui.core.store.lease import Lease
from mtui.core.store.study_file import Settings, write_study_file
from mtui.core.study import events as ev
from mtui.core.study.causes import text_cause
from mtui.core.study.status import Status

COLUMNS, LINES = 160, 45
_BASE = ("s0", "s1", "s2")  # finished in every row
_FAN = ("s3", "s4", "s5", "s6", "s7", "s8")  # wait for s2
_CURSOR = b"48;5;24m"  # the background of the cursor in the dark theme
_QUIET = 0.25  # seconds without output after which a paint is over
_OVER = b"the study is over"
_MOST_KEYS = 300  # while the app drives


# --- the study


def spec_of(rows: int) -> str:
    steps = []
    for number in range(10):
        name = f"s{number}"
        depends = {0: [], 1: ["s0"], 2: ["s1"], 9: list(_FAN)}.get(number, ["s2"])
        run = f"cmd: 'echo $(SIZE) $(SEED) $(CASE)', depends: [{', '.join(depends)}], procs: 1, walltime: '00:10:00'"
        steps.append(f"- {{name: {name}, description: d, run: {{{run}}}}}")
    values = {
        "SIZE": ", ".join(str(row // 100) for row in range(rows)),
        "SEED": ", ".join(str(row % 100) for row in range(rows)),
        "CASE": ", ".join(f"case-{row:05d}" for row in range(rows)),
    }
    parameters = "\n".join(f"  {key}: {{values: [{text}], label: {key}.%%}}" for key, text in values.items())
    return "\n".join(
        [
            "description: {name: large, description: ten steps a row}",
            "batch: {type: slurm, host: h, bank: b, queue: q}",
            "study:",
            *steps,
            "global.parameters:",
            parameters,
            "",
        ]
    )


def through(index: int, at: float, *, end: Status | None = Status.FINISHED) -> Iterator[ev.Event]:
    """What happens to an instance until it ends, or until it waits in Slurm's queue."""
    job = str(1_000_000 + index)
    yield ev.SubmitIntended(at=at, submission=f"1-{index}", backend="slurm", members=((index, 1),))
    yield ev.Submitted(at=at + 1, submission=f"1-{index}", job=job)
    if end is None:
        yield ev.Observed(at=at + 2, instance=index, attempt=1, status=Status.PENDING, reason="Priority")
        return
    yield ev.Started(at=at + 30, instance=index, attempt=1, job=job, node="nid001234")
    code = 0 if end is Status.FINISHED else 1
    cause = "" if end is Status.FINISHED else "its script ended with exit code 1"
    yield ev.Ended(
        at=at + 90, instance=index, attempt=1, status=end, exit_code=code, cause=text_cause(cause), node="nid001234"
    )


def history(plan: Plan, began: float) -> Iterator[ev.Event]:
    """Most rows are through; in every 50th one instance failed; of every 25th the middle steps are queued."""
    by_name = {step.name: step.by_row for step in plan.steps}
    rows = len(plan.parameters.values[0])
    yield ev.DriverStarted(at=began, epoch=1, host="login1", pid=1, version="0")
    for row in range(rows):
        at = began + row * 0.3
        queued = row < 100 or row % 25 == 7
        running = row < 40  # its s3
        for name in _BASE:
            yield from through(by_name[name][row], at)
        for name in _FAN:
            failed = row % 50 == 3 and name == "s5"
            end = None if queued else Status.FAILED if failed else Status.FINISHED
            yield from through(by_name[name][row], at + 100, end=end)
            if running and name == "s3":
                yield ev.Started(at=at + 130, instance=by_name[name][row], attempt=1, job="1", node="nid001234")
        if not queued and row % 50 != 3:
            yield from through(by_name["s9"][row], at + 200)
    yield ev.DriverStopped(at=began + rows * 0.3 + 300, reason="asked to")


@dataclass
class Large:
    """The study, and the driver that is played."""

    directory: StudyDirectory
    plan: Plan
    events: int
    journal: Journal

    def tell(self, *events: ev.Event) -> None:
        for event in events:
            self.journal.append(event)
        self.journal.flush()

    def started(self, index: int) -> ev.Event:
        return ev.Started(at=time.time(), instance=index, attempt=1, job=str(1_000_000 + index), node="nid000001")

    def queued(self, index: int, reason: str) -> ev.Event:
        return ev.Observed(at=time.time(), instance=index, attempt=1, status=Status.PENDING, reason=reason)


def make_large(folder: Path, rows: int) -> Large:
    spec = folder / "large.yaml"
    spec.write_text(spec_of(rows))
    options = PlanOptions(out=str(folder / "large"))
    directory, study = create_study(plan_study(spec, options), options, Settings())
    began = time.time() - rows * 0.3 - 330
    write_study_file(directory.study_file, replace(study, created=began))
    first = Lease.take(directory.owner)
    past = Journal(directory.journal, first.owner.epoch)
    count = 0
    for event in history(study.plan, began):
        past.append(event)
        count += 1
    past.close()
    write_checkpoint(directory, study, *load_state(directory, study))  # as a driver leaves it
    first.release()
    lease = Lease.take(directory.owner)
    journal = Journal(directory.journal, lease.owner.epoch)
    large = Large(directory, study.plan, count, journal)
    owner = lease.owner
    large.tell(ev.DriverStarted(at=time.time(), epoch=owner.epoch, host=owner.host, pid=owner.pid, version="0"))
    return large


def make_small(folder: Path, instances: int) -> StudyDirectory:
    """Local instances that take no time."""
    values = ", ".join(str(number) for number in range(instances))
    spec = folder / "busy.yaml"
    spec.write_text(
        "description: {name: busy, description: d}\n"
        "study:\n- {name: a, description: d, run: {cmd: 'true $(I)'}}\n"
        f"global.parameters:\n  I: {{values: [{values}], label: I.%%}}\n"
    )
    options = PlanOptions(out=str(folder / "busy"))
    directory, _ = create_study(plan_study(spec, options), options, Settings(local_jobs=2))
    return directory


# --- the app in its terminal


class Terminal:
    """The app in a pseudo-terminal that is read on a thread; every piece of output is kept with its time."""

    def __init__(self, root: Path, home: Path) -> None:
        env = {
            **{
                key: value
                for key, value in os.environ.items()
                if key not in ("COLORTERM", "NO_COLOR", "LC_ALL", "TEXTUAL_THEME")
            },
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
        }
        self.pieces: list[tuple[float, bytes]] = []
        self._changed = threading.Condition()
        self.began = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "mtui.tui", str(root)], env)
        ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:
                return
            now = time.monotonic()
            if b"\x1b[?2026$p" in data:
                os.write(self._fd, b"\x1b[?2026;2$y")  # synchronised output is known here
            with self._changed:
                self.pieces.append((now, data))
                self._changed.notify_all()

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def mark(self) -> int:
        """Where the output stands now, to be asked what came after."""
        return len(self.pieces)

    def output(self, mark: int = 0) -> bytes:
        return b"".join(data for _, data in self.pieces[mark:])

    def when(self, what: bytes, seconds: float, mark: int = 0) -> float:
        """The time at which these bytes were there."""
        deadline = time.monotonic() + seconds
        seen = b""
        at = mark
        with self._changed:
            while True:
                while at < len(self.pieces):
                    moment, data = self.pieces[at]
                    at += 1
                    seen = seen[-len(what) :] + data
                    if what in seen:
                        return moment
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"after {seconds:g} s there was no {what!r}")
                self._changed.wait(left)

    def settle(self, quiet: float = _QUIET, longest: float = 30.0) -> None:
        """Wait until nothing was written for a while."""
        deadline = time.monotonic() + longest
        with self._changed:
            while time.monotonic() < deadline:
                before = len(self.pieces)
                if not self._changed.wait(quiet) and len(self.pieces) == before:
                    return

    def cpu(self) -> float:
        """CPU seconds of all threads so far."""
        return sum(
            int(path.read_text().split()[0]) / 1e9 for path in Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        )

    def memory(self, what: str = "VmRSS") -> float:
        """In MB."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith(what)).split()[1]) / 1024

    def leave(self) -> None:
        self.press(b"q")
        deadline = time.monotonic() + 60
        pause = threading.Event()
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            pause.wait(0.05)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise TimeoutError("the app did not leave")


# --- what is measured


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
    near = [(row, name) for row in range(min(15, rows)) for name in _FAN[1:]]
    far = [(row, name) for row in range(rows) if row >= 60 and (row < 100 or row % 25 == 7) for name in _FAN[1:]]
    rng.shuffle(near)
    rng.shuffle(far)

    def start(cells: list[tuple[int, str]], count: int) -> Callable[[], None]:
        chosen = [cells.pop() for _ in range(min(count, len(cells)))]
        return lambda: large.tell(*(large.started(by_name[name][row]) for row, name in chosen))

    def other_reason() -> None:
        large.tell(*(large.queued(by_name[name][row], "Resources") for row, name in far[:100]))

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
