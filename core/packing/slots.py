"""Tracks the free cores, GPUs and memory of an allocation, and places instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .protocol import ResourceRequest

_DRAINED_AFTER = 4  # times as many placements elsewhere as there are cores, until other nodes are reserved


@dataclass(slots=True)
class Node:
    """A node as reported by its worker. Cores are physical ones; in the masks, set bits are free ones."""

    name: str
    cores: int
    threads: int = 1  # per core
    gpus: int = 0
    memory: int = 0  # MB; 0: unknown, so memory is not tracked
    open: bool = True  # whether attempts may be started on it
    free_cores: int = field(init=False)
    free_gpus: int = field(init=False)
    free_memory: int = field(init=False)

    def __post_init__(self) -> None:
        self.free_cores, self.free_gpus, self.free_memory = (1 << self.cores) - 1, (1 << self.gpus) - 1, self.memory

    @property
    def empty(self) -> bool:
        return self.free_cores == (1 << self.cores) - 1 and self.free_gpus == (1 << self.gpus) - 1


@dataclass(frozen=True, slots=True)
class Placement:
    """What an instance occupies on one node: masks of cores and GPUs, memory in MB, and its number of tasks there."""

    node: str
    cores: int
    gpus: int
    memory: int
    tasks: int


def bits(mask: int) -> list[int]:
    """Return the positions of the bits that are set."""
    return [place for place in range(mask.bit_length()) if mask >> place & 1]


@dataclass(slots=True)
class Reservation:
    """Nodes reserved for a request that others have bypassed for too long: they start nothing else until it fits."""

    ask: ResourceRequest
    nodes: frozenset[str]
    since: int  # number of placements when it was made
    tried: frozenset[str] = frozenset()  # nodes of earlier reservations for it


class Slots:
    """The free resources of an allocation of `count` nodes, some of which may not have joined yet.

    Smaller requests fill the space that is left, so a bigger one that does not fit could wait forever. Once as many
    others have been placed as the allocation has cores, nodes are reserved for it, for one request at a time.
    """

    def __init__(self, count: int) -> None:
        self.nodes: dict[str, Node] = {}
        self._count = count
        self._placed = 0  # requests placed so far
        self._blocked: dict[ResourceRequest, int] = {}  # what did not fit, with the number of placements before that
        self.reservation: Reservation | None = None

    def add(self, node: Node) -> None:
        self.nodes[node.name] = node

    @property
    def full(self) -> bool:
        """Whether no open node has a free core."""
        return not any(node.open and node.free_cores for node in self.nodes.values())

    def place(self, ask: ResourceRequest) -> tuple[Placement, ...] | None:
        """Occupy what is requested, on the fullest nodes that fit, which keeps emptier ones free for bigger requests.

        Returns None if it does not fit now.
        """
        reserved = self.reservation.nodes if self.reservation and self.reservation.ask != ask else ()
        fitting = [node for node in self.nodes.values() if node.name not in reserved and _fits(node, ask)]
        if len(fitting) < ask.nodes:
            self._reserve_if_due(ask)
            return None
        self._placed += 1
        self._blocked.pop(ask, None)
        if self.reservation and self.reservation.ask == ask:
            self.reservation = None
        fitting.sort(key=lambda node: node.free_cores.bit_count())
        fewest, more = divmod(ask.tasks, ask.nodes)
        chosen = fitting[: ask.nodes]
        return tuple(_take(node, ask, fewest + (place < more)) for place, node in enumerate(chosen))

    def _reserve_if_due(self, ask: ResourceRequest) -> None:
        """Reserve nodes for a request that does not fit now, once it was bypassed often enough.

        The nodes with the most free cores drain soonest. If something long runs on them, others are tried.
        """
        since = self._blocked.setdefault(ask, self._placed)
        often = sum(node.cores for node in self.nodes.values())
        tried = frozenset[str]()
        if own := self.reservation:
            if own.ask != ask or self._placed - own.since < _DRAINED_AFTER * often:
                return
            tried = own.tried | own.nodes
        elif self._placed - since < often:
            return
        able = [node for node in self.nodes.values() if node.open and _could_fit(node, ask)]
        fresh = [node for node in able if node.name not in tried]
        if len(fresh) < ask.nodes:
            fresh, tried = able, frozenset[str]()
        if len(fresh) >= ask.nodes:
            fresh.sort(key=lambda node: node.free_cores.bit_count(), reverse=True)
            names = frozenset(node.name for node in fresh[: ask.nodes])
            self.reservation = Reservation(ask, names, self._placed, tried)

    def keep_reserved(self, is_waiting: Callable[[ResourceRequest], bool]) -> None:
        """Drop the reservation if its request does not wait any more."""
        if self.reservation and not is_waiting(self.reservation.ask):
            self._blocked.pop(self.reservation.ask, None)
            self.reservation = None

    def release(self, shares: Iterable[Placement]) -> None:
        for share in shares:
            node = self.nodes[share.node]
            node.free_cores |= share.cores
            node.free_gpus |= share.gpus
            node.free_memory += share.memory

    def refusal(self, ask: ResourceRequest) -> str:
        """Return why a request can never be placed, not even on empty nodes; empty if it can."""
        if not self.nodes:
            return ""
        asked: list[tuple[str, str, int, int]] = [("nodes", "the allocation has {}", ask.nodes, self._count)]
        nodes = self.nodes.values()
        roomiest = max(nodes, key=lambda node: node.cores * node.threads)
        each = "a node of the allocation has {}"
        asked += [
            ("cores", each, _cores(roomiest, ask), roomiest.cores),
            ("GPUs", each, ask.gpus, max(node.gpus for node in nodes)),
        ]
        if all(node.memory for node in nodes):
            asked.append(("MB of memory", each, ask.memory, max(node.memory for node in nodes)))
        for what, of_allocation, wanted, there in asked:
            if wanted > there:
                return f"it requests {wanted} {what}, {of_allocation.format(there)}"
        able = sum(_could_fit(node, ask) for node in nodes) + self._count - len(self.nodes)
        if able < ask.nodes:
            return f"it requests {ask.nodes} node(s) with all of these resources, the allocation has {able}"
        return ""


def _cores(node: Node, ask: ResourceRequest) -> int:
    """Return the cores per node that a request needs: tasks are distributed evenly, and each uses whole cores."""
    return -(-ask.tasks // ask.nodes) * -(-ask.cpus // node.threads)


def _could_fit(node: Node, ask: ResourceRequest) -> bool:
    """Return whether a request fits on a node when it is empty."""
    has_memory = not node.memory or ask.memory <= node.memory
    return _cores(node, ask) <= node.cores and ask.gpus <= node.gpus and has_memory


def _fits(node: Node, ask: ResourceRequest) -> bool:
    return (
        node.open
        and _cores(node, ask) <= node.free_cores.bit_count()
        and ask.gpus <= node.free_gpus.bit_count()
        and (not node.memory or ask.memory <= node.free_memory)
        and (not ask.exclusive or node.empty)
    )


def _take(node: Node, ask: ResourceRequest, tasks: int) -> Placement:
    """Occupy the highest free cores, since Slurm's steps use the lowest; and the lowest free GPUs."""
    if ask.exclusive:
        share = Placement(node.name, node.free_cores, node.free_gpus, node.free_memory, tasks)
    else:
        cores = gpus = 0
        for _ in range(_cores(node, ask)):
            cores |= 1 << ((node.free_cores & ~cores).bit_length() - 1)
        for _ in range(ask.gpus):
            free = node.free_gpus & ~gpus
            gpus |= free & -free
        share = Placement(node.name, cores, gpus, ask.memory if node.memory else 0, tasks)
    node.free_cores &= ~share.cores
    node.free_gpus &= ~share.gpus
    node.free_memory -= share.memory
    return share
