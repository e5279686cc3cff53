"""Where instances fit into an allocation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.core.packing.protocol import ResourceRequest
from mtui.core.packing.slots import Node, Placement, Slots, bits


def slots(*nodes: Node, count: int = 0) -> Slots:
    made = Slots(count or len(nodes))
    for node in nodes:
        made.add(node)
    return made


def placed(made: Slots, ask: ResourceRequest) -> tuple[Placement, ...]:
    """What is given to an instance for which there is room."""
    shares = made.place(ask)
    assert shares is not None
    return shares


def test_highest_cores_and_lowest_gpus_come_first() -> None:
    (share,) = placed(slots(Node("a", 8, gpus=4)), ResourceRequest(cpus=2, gpus=1))
    assert (bits(share.cores), bits(share.gpus), share.tasks) == ([6, 7], [0], 1)


def test_a_task_has_whole_cores() -> None:
    (share,) = placed(slots(Node("a", 8, threads=2)), ResourceRequest(tasks=2, cpus=3))
    assert bits(share.cores) == [4, 5, 6, 7]


def test_tasks_are_spread_evenly() -> None:
    shares = placed(slots(*(Node(name, 8) for name in "abc")), ResourceRequest(nodes=3, tasks=7))
    assert [(share.tasks, share.cores.bit_count()) for share in shares] == [(3, 3), (2, 3), (2, 3)]


def test_the_fullest_node_that_fits_is_taken() -> None:
    made = slots(Node("a", 8), Node("b", 8))
    assert made.place(ResourceRequest(cpus=5))
    (share,) = placed(made, ResourceRequest(cpus=3))
    assert share.node == "a"
    (share,) = placed(made, ResourceRequest(cpus=8))
    assert share.node == "b"
    assert made.full
    assert made.place(ResourceRequest()) is None


def test_the_fullest_node_is_taken_wherever_it_is_in_the_list() -> None:
    made = slots(Node("a", 8), Node("b", 8), Node("c", 8))
    made.nodes["b"].free_cores = 0b1111
    made.nodes["c"].free_cores = 0b11
    assert [share.node for share in placed(made, ResourceRequest(nodes=2, tasks=2))] == ["c", "b"]
    assert [share.node for share in placed(made, ResourceRequest(cpus=2))] == ["b"]


def test_exclusive_takes_empty_nodes_whole() -> None:
    made = slots(Node("a", 8, gpus=2, memory=100), Node("b", 8))
    made.place(ResourceRequest())
    (share,) = placed(made, ResourceRequest(exclusive=True))
    assert (share.node, share.cores) == ("b", 255)
    assert made.place(ResourceRequest(exclusive=True)) is None
    made.release((share,))
    assert made.place(ResourceRequest(exclusive=True))


def test_memory_counts_only_if_both_sides_say_it() -> None:
    made = slots(Node("a", 8, memory=100))
    assert made.place(ResourceRequest(memory=60))
    assert made.place(ResourceRequest(memory=60)) is None
    assert made.place(ResourceRequest())
    unknown = slots(Node("a", 8))
    assert unknown.place(ResourceRequest(memory=10**9))
    assert unknown.refusal(ResourceRequest(memory=10**9)) == ""


def test_nothing_is_placed_on_a_closed_node_and_it_keeps_what_is_taken() -> None:
    made = slots(Node("a", 8))
    shares = placed(made, ResourceRequest(cpus=6))
    made.nodes["a"].open = False
    assert made.full
    assert made.place(ResourceRequest()) is None
    made.nodes["a"].open = True
    assert made.place(ResourceRequest(cpus=3)) is None
    made.release(shares)
    assert made.place(ResourceRequest(cpus=8))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (ResourceRequest(cpus=9), "it requests 9 cores, a node of the allocation has 8"),
        (ResourceRequest(nodes=2, tasks=18), "it requests 9 cores, a node of the allocation has 8"),
        (ResourceRequest(nodes=4, tasks=4), "it requests 4 nodes, the allocation has 3"),
        (ResourceRequest(gpus=3), "it requests 3 GPUs, a node of the allocation has 2"),
        (ResourceRequest(memory=200), "it requests 200 MB of memory, a node of the allocation has 100"),
        (ResourceRequest(nodes=3, tasks=24, gpus=2, memory=100, exclusive=True), ""),
    ],
)
def test_what_can_never_fit(ask: ResourceRequest, words: str) -> None:
    made = slots(Node("a", 8, gpus=2, memory=100), Node("b", 8, gpus=2, memory=100), count=3)  # one is still missing
    made.place(ResourceRequest(exclusive=True))
    assert made.refusal(ask) == words


def test_what_no_node_has_together_can_never_fit() -> None:
    made = slots(Node("big", 128), Node("small", 32, gpus=8))
    reported = "it requests 1 node(s) with all of these resources, the allocation has 0"
    assert made.refusal(ResourceRequest(tasks=64, gpus=1)) == reported
    assert made.refusal(ResourceRequest(tasks=32, gpus=1)) == ""
    assert made.refusal(ResourceRequest(tasks=64)) == ""
    assert "it requests 2 node(s)" in made.refusal(ResourceRequest(nodes=2, tasks=128))


asks = st.builds(
    ResourceRequest,
    nodes=st.integers(1, 3),
    tasks=st.integers(1, 12),
    cpus=st.integers(1, 5),
    gpus=st.integers(0, 3),
    memory=st.integers(0, 60),
    exclusive=st.booleans(),
)


@given(st.lists(st.tuples(asks, st.booleans())))
def test_nothing_is_given_to_two(steps: list[tuple[ResourceRequest, bool]]) -> None:
    made = slots(*(Node(name, 8, 2, gpus=2, memory=100) for name in "abc"))
    held = []
    for ask, release in steps:
        if release and held:
            made.release(held.pop(0))
        shares = made.place(ask)
        if shares is None:
            continue
        held.append(shares)
        assert len({share.node for share in shares}) == ask.nodes
        assert sum(share.tasks for share in shares) == ask.tasks
    for node in made.nodes.values():
        here = [share for shares in held for share in shares if share.node == node.name]
        for free, taken, count in (
            (node.free_cores, [share.cores for share in here], 8),
            (node.free_gpus, [share.gpus for share in here], 2),
        ):
            assert sum(mask.bit_count() for mask in (free, *taken)) == count
        assert node.free_memory + sum(share.memory for share in here) == 100
        assert node.free_memory >= 0
    for shares in held:
        made.release(shares)
    assert all(node.empty and node.free_memory == 100 for node in made.nodes.values())
