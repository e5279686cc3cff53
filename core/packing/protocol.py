"""The protocol between a driver and the leader of an allocation: two text files in `.mtui/allocations`.

NAME.list     orders of the driver: fields separated by tabs, so that a shell can read them too
NAME.records  reports of the leader: one JSON record per line, as in the spool

The list is append-only. A dispatch is a `give` line with the number of lines that follow. An incomplete one is ignored:
each write begins with the control character CAN, which invalidates the line that contains it.

    give   SUBMISSION  NUMBER
    all    BARRIER     ATTEMPT,ATTEMPT,...             a barrier: all of these have to finish; several lines add up
    run    ATTEMPT NODES TASKS CPUS GPUS MEMORY SECONDS EXCLUSIVE WORKSPACE SCRIPT STEM WAITS
    cancel ATTEMPT
    end                                                nothing more will be dispatched
    abort                                              Slurm has ended this allocation: kill all attempts
    left   QUESTION                                    report how many seconds are left: clocks of hosts may differ

An ATTEMPT is INSTANCE.NUMBER. CPUS are per task, GPUS and MEMORY (MB) per node, SECONDS is the walltime; 0: not
specified. WORKSPACE is relative to the study directory, SCRIPT and STEM are file names in it. WAITS are attempts and
barriers (`=BARRIER`) that have to finish first, `-` if there are none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """What one instance needs of an allocation; 0: not specified."""

    nodes: int = 1
    tasks: int = 1  # in total
    cpus: int = 1  # per task
    gpus: int = 0  # per node
    memory: int = 0  # MB per node
    seconds: int = 0  # the walltime
    exclusive: bool = False  # whole nodes


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One attempt that is dispatched to an allocation."""

    attempt: str
    ask: ResourceRequest
    workspace: str
    script: str
    stem: str
    waits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    """The driver cancels an attempt."""

    attempt: str


@dataclass(frozen=True, slots=True)
class End:
    """The driver will dispatch nothing more."""


@dataclass(frozen=True, slots=True)
class Abort:
    """The allocation has ended for Slurm and the driver; a node that was disconnected may still run attempts."""


@dataclass(frozen=True, slots=True)
class TimeQuestion:
    """A driver asks how much time is left; the answer names the question."""

    question: str


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Attempts that the driver assigns to the allocation, and their barriers."""

    submission: str
    items: tuple[WorkItem, ...]
    barriers: Mapping[str, tuple[str, ...]]


NOT_BEGUN = "not begun"  # verdict of a worker on an attempt that it could not start now and may start later

_ATTEMPTS_IN_LINE = 500

_CAN = "\x18"
# The start of each write. Without it, a truncated line could be read as a complete one with fewer WAITS.
_CUT = f"{_CAN}\n"


def dispatch_text(submission: str, items: Sequence[WorkItem], barriers: Mapping[str, Sequence[str]]) -> str:
    """Return the lines of a dispatch, to be appended to a list in one write."""
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


def time_question_text(question: str) -> str:
    return f"{_CUT}left\t{question}\n"


Order = Dispatch | Cancel | End | Abort | TimeQuestion


class ListReader:
    """Parses a list incrementally."""

    def __init__(self) -> None:
        self._rest = ""
        self._submission = ""
        self._left = 0  # missing lines of the current dispatch
        self._items: list[WorkItem] = []
        self._barriers: dict[str, tuple[str, ...]] = {}

    def feed(self, text: str) -> list[Order]:
        """Parse appended text. Return the orders that are complete; an invalid line cancels its dispatch."""
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
            case ["left", question]:
                self._left = 0
                return TimeQuestion(question)
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
