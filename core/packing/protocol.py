"""How a driver and the leader of an allocation write to each other: two files of lines in `.mtui/allocations`.

NAME.list     what the driver gives: fields between tabs, so that a shell can read them too
NAME.records  what happened, one JSON record a line, as jobs drop them into the spool

The list only grows. A gift is a `give` line with the number of lines that follow; what is cut short does not count,
for each write begins with the sign CAN, which voids the line that it ends up in:

    give   SUBMISSION  NUMBER
    all    BARRIER     ATTEMPT,ATTEMPT,...             all of these have to finish; several lines add up
    run    ATTEMPT NODES TASKS CPUS GPUS MEMORY SECONDS EXCLUSIVE WORKSPACE SCRIPT STEM WAITS
    cancel ATTEMPT
    end                                                nothing more will be given
    abort                                              for Slurm this allocation is over: kill what runs

An ATTEMPT is INSTANCE.NUMBER. CPUS are for each task, GPUS and MEMORY (MB) on each node, SECONDS is its walltime;
0 says nothing. WORKSPACE is relative to the study directory, SCRIPT and STEM are file names in it. WAITS are attempts
and barriers (`=BARRIER`) that have to finish first, `-` if there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """What one instance needs of an allocation; 0 says nothing."""

    nodes: int = 1
    tasks: int = 1  # on all nodes together
    cpus: int = 1  # for each task
    gpus: int = 0  # on each node
    memory: int = 0  # MB on each node
    seconds: int = 0  # its walltime
    exclusive: bool = False  # whole nodes


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One attempt as it is given to an allocation."""

    attempt: str
    ask: ResourceRequest
    workspace: str
    script: str
    stem: str
    waits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    attempt: str


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more will be given."""


@dataclass(frozen=True, slots=True)
class Abort:
    """For Slurm the allocation is over, and so it is for the driver: a node that was cut off may not know."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    submission: str
    items: tuple[WorkItem, ...]
    barriers: Mapping[str, tuple[str, ...]]


_ATTEMPTS_IN_LINE = 500

_CAN = "\x18"
# Begins a write. Without it, a line whose end is missing could pass for a whole one with fewer WAITS.
_CUT = f"{_CAN}\n"


def dispatch_text(submission: str, items: Sequence[WorkItem], barriers: Mapping[str, Sequence[str]]) -> str:
    """The lines of a gift, to be appended to a list in one write."""
    lines: list[str] = []
    for barrier, attempts in barriers.items():
        for first in range(0, len(attempts), _ATTEMPTS_IN_LINE):
            lines.append(f"all\t{barrier}\t{','.join(attempts[first : first + _ATTEMPTS_IN_LINE])}\n")
    lines += map(_run_line, items)
    return f"{_CUT}give\t{submission}\t{len(lines)}\n{''.join(lines)}"


def _run_line(item: WorkItem) -> str:
    ask = item.ask
    numbers = (ask.nodes, ask.tasks, ask.cpus, ask.gpus, ask.memory, ask.seconds, int(ask.exclusive))
    words = (*map(str, numbers), item.workspace, item.script, item.stem, ",".join(item.waits) or "-")
    return f"run\t{item.attempt}\t" + "\t".join(words) + "\n"


def cancel_text(attempts: Iterable[str]) -> str:
    return _CUT + "".join(f"cancel\t{attempt}\n" for attempt in attempts)


END_TEXT = f"{_CUT}end\n"
ABORT_TEXT = f"{_CUT}abort\n"

Order = Dispatch | Cancel | End | Abort


class ListReader:
    """Reads a list as it grows: `feed` it what was added, and it returns the orders that are whole."""

    def __init__(self) -> None:
        self._rest = ""
        self._submission = ""
        self._left = 0  # lines of the open gift that are still to come
        self._items: list[WorkItem] = []
        self._barriers: dict[str, tuple[str, ...]] = {}

    def feed(self, text: str) -> list[Order]:
        """The orders that are whole by now; lines that cannot be understood end the gift that they stand in."""
        *lines, self._rest = (self._rest + text).split("\n")
        found: list[Order] = []
        for line in lines:
            if _CAN in line:
                self._left = 0
            elif order := self._line(line.split("\t")):
                found.append(order)
        return found

    def _line(self, words: list[str]) -> Order | None:
        match words:
            case [""]:
                return None
            case ["give", submission, number] if number.isdecimal():
                self._submission, self._left = submission, int(number)
                self._items, self._barriers = [], {}
                return None
            case ["cancel", attempt]:
                self._left = 0
                return Cancel(attempt)
            case ["end"]:
                self._left = 0
                return End()
            case ["abort"]:
                self._left = 0
                return Abort()
            case _ if self._left:
                return self._line_of_dispatch(words)
            case _:
                return None

    def _line_of_dispatch(self, words: list[str]) -> Dispatch | None:
        match words:
            case ["all", barrier, attempts]:
                self._barriers[barrier] = (*self._barriers.get(barrier, ()), *attempts.split(","))
            case ["run", attempt, *numbers, workspace, script, stem, waits] if len(numbers) == 7:
                try:
                    nodes, tasks, cpus, gpus, memory, seconds, exclusive = map(int, numbers)
                except ValueError:
                    self._left = 0
                    return None
                ask = ResourceRequest(
                    max(1, nodes), max(1, tasks), max(1, cpus), gpus, memory, seconds, bool(exclusive)
                )
                names = () if waits == "-" else tuple(waits.split(","))
                self._items.append(WorkItem(attempt, ask, workspace, script, stem, names))
            case _:
                self._left = 0
                return None
        self._left -= 1
        return None if self._left else Dispatch(self._submission, tuple(self._items), self._barriers)
