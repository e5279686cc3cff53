"""The queue of an allocation: attempts that were dispatched to it and have not started."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable

from .protocol import Dispatch, ResourceRequest, WorkItem


def _smallness(ask: ResourceRequest) -> tuple[int, ...]:
    """Return a sort key: bigger requests first, the longest of the same size first."""
    return (-ask.nodes, -ask.exclusive, -ask.tasks * ask.cpus, -ask.gpus, -ask.memory, -ask.seconds)


class Queue:
    """Ready attempts, by their resource request (shape), and attempts that wait for others.

    There is one line for each shape, so the cost of a scheduling step depends on the number of shapes only.
    """

    def __init__(self) -> None:
        self._lines: dict[ResourceRequest, OrderedDict[str, WorkItem]] = {}  # by shape, then by attempt
        self._shapes: list[ResourceRequest] = []  # of all lines, biggest first
        self._known: set[str] = set()  # all attempts ever dispatched, so that none is added twice
        self._waiting: dict[str, WorkItem] = {}
        self._unmet: dict[str, int] = {}  # number of unfinished parents, by attempt or barrier
        self._children: dict[str, list[str]] = {}  # dependents, by attempt or barrier
        self._met: set[str] = set()  # finished attempts and barriers
        self._barriers: dict[str, str] = {}  # name in the latest dispatch -> unique name

    def add(self, gift: Dispatch) -> None:
        """Add the attempts and barriers of a dispatch."""
        for name, attempts in gift.barriers.items():
            # Another dispatch may reuse the name.
            barrier = self._barriers[f"={name}"] = f"={len(self._barriers)} {gift.submission} {name}"
            self._wait(barrier, attempts)
        for item in gift.items:
            if item.attempt in self._known:
                continue
            self._known.add(item.attempt)
            self._waiting[item.attempt] = item
            self._wait(item.attempt, (self._barriers.get(name, name) for name in item.waits))

    def _wait(self, name: str, waits: Iterable[str]) -> None:
        unmet = set(waits) - self._met
        self._unmet[name] = len(unmet)
        for parent in unmet:
            self._children.setdefault(parent, []).append(name)
        if not unmet:
            self._be_met([name], first=False)

    def succeeded(self, attempt: str) -> None:
        """Mark an attempt as finished. Dependents without other unfinished parents move to the front of their lines."""
        self._met.add(attempt)
        ready: list[str] = []
        for child in self._children.pop(attempt, ()):
            self._unmet[child] -= 1
            if not self._unmet[child]:
                ready.append(child)
        self._be_met(reversed(ready), first=True)

    def _be_met(self, names: Iterable[str], *, first: bool) -> None:
        """Make attempts ready, and mark barriers as met, whose parents have all finished."""
        for name in names:
            del self._unmet[name]
            if name.startswith("="):
                self.succeeded(name)
            elif item := self._waiting.pop(name, None):  # unless it was cancelled
                self._stand(item, first=first)

    def _stand(self, item: WorkItem, *, first: bool) -> None:
        line = self._lines.get(item.ask)
        if line is None:
            line = self._lines[item.ask] = OrderedDict()
            insort(self._shapes, item.ask, key=_smallness)
        line[item.attempt] = item
        if first:
            line.move_to_end(item.attempt, last=False)

    def put_back(self, item: WorkItem) -> None:
        """Put an attempt that was removed by `pop` back, to the front of its line."""
        self._stand(item, first=True)

    @property
    def shapes(self) -> list[ResourceRequest]:
        """The requests of ready attempts, biggest first."""
        return self._shapes.copy()

    def __contains__(self, ask: ResourceRequest) -> bool:
        return ask in self._lines

    def pop(self, ask: ResourceRequest) -> WorkItem:
        """Remove and return the first attempt of this shape."""
        line = self._lines[ask]
        _, item = line.popitem(last=False)
        self._drop_if_empty(ask)
        return item

    def cancel(self, attempt: str) -> None:
        """Remove an attempt, if it is queued."""
        if self._waiting.pop(attempt, None):
            return
        for ask, line in self._lines.items():
            if line.pop(attempt, None):
                self._drop_if_empty(ask)
                return

    def _drop_if_empty(self, ask: ResourceRequest) -> None:
        if not self._lines[ask]:
            del self._lines[ask]
            self._shapes.remove(ask)
