"""What is ready, and what waits for what."""

from __future__ import annotations

import time

from mtui.core.packing.protocol import Dispatch, ResourceRequest, WorkItem
from mtui.core.packing.queue import Queue


def item(attempt: str, *waits: str, nodes: int = 1, cpus: int = 1, seconds: int = 0) -> WorkItem:
    return WorkItem(attempt, ResourceRequest(nodes=nodes, cpus=cpus, seconds=seconds), "w", "s", "s", waits)


def gift(*items: WorkItem, **barriers: tuple[str, ...]) -> Dispatch:
    return Dispatch("1", items, {name.removeprefix("b"): attempts for name, attempts in barriers.items()})


def drain(queue: Queue) -> list[str]:
    found: list[str] = []
    for ask in queue.shapes:
        while ask in queue:
            found.append(queue.pop(ask).attempt)
    return found


def test_larger_requests_come_first_and_the_longest_of_one_size() -> None:
    queue = Queue()
    queue.add(gift(item("1.1"), item("2.1", cpus=4), item("3.1", nodes=2), item("4.1", cpus=4, seconds=9)))
    assert drain(queue) == ["3.1", "4.1", "2.1", "1.1"]
    assert queue.shapes == []


def test_children_go_to_the_front_in_their_order() -> None:
    queue = Queue()
    queue.add(gift(item("1.1"), item("2.1"), item("3.1", "1.1"), item("4.1", "1.1", "1.1"), item("5.1", "1.1", "2.1")))
    assert queue.pop(ResourceRequest()).attempt == "1.1"
    queue.succeeded("1.1")
    assert drain(queue) == ["3.1", "4.1", "2.1"]
    queue.succeeded("2.1")
    assert drain(queue) == ["5.1"]


def test_barrier_holds_until_all_have_ended() -> None:
    queue = Queue()
    queue.add(gift(item("1.1"), item("2.1"), item("3.1", "=7"), b7=("1.1", "2.1")))
    assert drain(queue) == ["1.1", "2.1"]
    queue.succeeded("1.1")
    assert drain(queue) == []
    queue.succeeded("2.1")
    assert drain(queue) == ["3.1"]


def test_later_gift_may_wait_for_what_has_ended_and_use_the_name_of_a_barrier_again() -> None:
    queue = Queue()
    queue.add(gift(item("1.1"), item("2.1", "=7"), b7=("1.1",)))
    drain(queue)
    queue.succeeded("1.1")
    assert drain(queue) == ["2.1"]
    queue.add(gift(item("3.1", "1.1", "=7"), item("4.1"), b7=("2.1", "4.1")))
    assert drain(queue) == ["4.1"]
    queue.succeeded("2.1")
    queue.succeeded("4.1")
    assert drain(queue) == ["3.1"]


def test_barrier_of_an_earlier_gift_is_known_to_later_ones() -> None:
    queue = Queue()
    queue.add(gift(item("1.1"), b7=("1.1",)))
    drain(queue)
    queue.add(gift(item("2.1", "=7")))
    queue.succeeded("1.1")
    assert drain(queue) == ["2.1"]


def test_unknown_parents_are_waited_for() -> None:
    queue = Queue()
    queue.add(gift(item("2.1", "1.1"), item("3.1", "=9")))
    assert queue.shapes == []
    queue.add(gift(item("1.1")))
    drain(queue)
    queue.succeeded("1.1")
    assert drain(queue) == ["2.1"]


def test_what_was_given_twice_is_taken_once() -> None:
    queue = Queue()
    queue.add(gift(item("1.1")))
    assert drain(queue) == ["1.1"]
    queue.add(gift(item("1.1")))
    assert drain(queue) == []


def test_cancelled_ones_are_forgotten() -> None:
    queue = Queue()
    queue.add(gift(item("1.1"), item("2.1", cpus=2), item("3.1", "1.1")))
    for attempt in ("2.1", "3.1", "9.9"):
        queue.cancel(attempt)
    assert drain(queue) == ["1.1"]
    queue.succeeded("1.1")
    assert queue.shapes == []


def test_long_queue_costs_nothing_for_each_event() -> None:
    def seconds(count: int) -> float:
        queue = Queue()
        queue.add(gift(*(item(f"{number}.1") for number in range(count))))
        start = time.perf_counter()
        for _ in range(1000):
            assert queue.shapes == [ResourceRequest()]
            queue.succeeded(queue.pop(ResourceRequest()).attempt)
        return time.perf_counter() - start

    assert min(seconds(50_000) for _ in range(3)) < 10 * min(seconds(2_000) for _ in range(3))
