"""A request that does not fit waits for a bounded time only, even if others fit into the space that is left."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

from mtui.core.packing.protocol import Dispatch, ResourceRequest, WorkItem
from mtui.core.packing.queue import Queue
from mtui.core.packing.slots import Node, Placement, Slots

SMALL = ResourceRequest()
WHOLE = ResourceRequest(tasks=8)
TWO = ResourceRequest(nodes=2, tasks=16)


class Simulation:
    """A leader's choice in simulated time, on four nodes of eight cores."""

    def __init__(self) -> None:
        self.queue, self.slots, self.now = Queue(), Slots(4), 0.0
        for number in range(4):
            self.slots.add(Node(f"n{number}", 8))
        self.started: dict[str, float] = {}
        self.placed: dict[str, tuple[Placement, ...]] = {}
        self._ends: list[tuple[float, int, tuple[Placement, ...]]] = []

    def add(self, ask: ResourceRequest, *names: str) -> None:
        items = tuple(WorkItem(name, ask, "w", "s", "t") for name in names)
        self.queue.add(Dispatch(f"{len(self.started)}.{names[0]}", items, {}))

    def run(self, seconds: Callable[[str], float]) -> None:
        self._start(seconds)
        while self._ends:
            self.now, _, shares = heapq.heappop(self._ends)
            self.slots.release(shares)
            self._start(seconds)

    def _start(self, seconds: Callable[[str], float]) -> None:
        self.slots.keep_reserved(self.queue.__contains__)
        for ask in self.queue.shapes:
            while ask in self.queue and (shares := self.slots.place(ask)):
                name = self.queue.pop(ask).attempt
                self.started[name], self.placed[name] = self.now, shares
                heapq.heappush(self._ends, (self.now + seconds(name), len(self.started), shares))


def test_big_requests_start_while_small_ones_still_come() -> None:
    random.seed(1)
    simulation = Simulation()
    simulation.add(SMALL, *map(str, range(4000)))

    def seconds(name: str) -> float:
        if name == "31":  # all cores are in use: the big ones become ready only now
            simulation.add(WHOLE, "big")
            simulation.add(TWO, "two")
        return random.uniform(30, 90)

    simulation.run(seconds)
    assert max(simulation.started.values()) > 5000, "the last of all"
    assert simulation.started["big"] < 600
    assert simulation.started["two"] < 600


def test_nodes_on_which_something_long_runs_are_not_waited_for() -> None:
    simulation = Simulation()
    simulation.add(SMALL, *map(str, range(4000)))

    def seconds(name: str) -> float:
        if name == "31":
            simulation.add(WHOLE, "big")
        return 100_000 if name in ("0", "9", "18") else 60  # on three of the four nodes

    simulation.run(seconds)
    assert simulation.started["big"] < 3000


def test_reservation_ends_with_what_it_was_made_for() -> None:
    slots = Slots(1)
    slots.add(Node("n", 2))
    whole = ResourceRequest(tasks=2)
    shares = slots.place(SMALL)
    assert shares
    for _ in range(3):
        assert slots.place(whole) is None
        more = slots.place(SMALL)
        if more:
            slots.release(more)
    assert slots.reservation
    assert slots.place(SMALL) is None, "the node drains"
    slots.keep_reserved(lambda _: False)  # it was cancelled
    assert slots.place(SMALL)
