"""How a state looks: its group, glyph and word. Colours stand in themes.py, by group.

A state is never told by its colour alone. The glyphs of cells are one cell wide in every locale ("narrow" in
Unicode's table of East Asian widths); bars, like the borders of panes, are made of box-drawing characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...core.engine.status import Status


class Group(Enum):
    """What people count and filter by; the value is the word for it."""

    RUNNING = "running"
    QUEUED = "queued"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Look:
    """How one status is shown in a cell. `word` has at most 8 letters."""

    group: Group
    glyph: str
    plain: str  # the glyph where only ASCII can be shown
    word: str


LOOKS: dict[Status, Look] = {
    Status.WAITING: Look(Group.WAITING, "∙", ".", "wait"),
    Status.READY: Look(Group.WAITING, "◦", ":", "ready"),
    Status.HELD: Look(Group.WAITING, "⊟", "H", "held"),
    Status.SUBMITTING: Look(Group.QUEUED, "⋯", "~", "submit"),
    Status.UNCLEAR: Look(Group.QUEUED, "?", "?", "unclear"),
    Status.BOUND: Look(Group.QUEUED, "◌", "b", "bound"),
    Status.PENDING: Look(Group.QUEUED, "⋯", "q", "queued"),
    Status.CONFIGURING: Look(Group.QUEUED, "⋯", "q", "config"),
    Status.REQUEUED: Look(Group.QUEUED, "⋯", "q", "requeued"),
    Status.RUNNING: Look(Group.RUNNING, "▸", ">", "run"),
    Status.SUSPENDED: Look(Group.RUNNING, "▸", "z", "suspend"),
    Status.COMPLETING: Look(Group.RUNNING, "▸", ">", "ending"),
    Status.FINISHED: Look(Group.DONE, "✓", "=", "done"),
    Status.SKIPPED: Look(Group.DONE, "↷", "s", "skipped"),
    Status.FAILED: Look(Group.FAILED, "✗", "x", "FAIL"),
    Status.TIMED_OUT: Look(Group.FAILED, "✗", "T", "TIMEOUT"),
    Status.OUT_OF_MEMORY: Look(Group.FAILED, "✗", "M", "MEMORY"),
    Status.NODE_FAILED: Look(Group.FAILED, "✗", "N", "NODE"),
    Status.PREEMPTED: Look(Group.FAILED, "✗", "P", "PREEMPT"),
    Status.DEADLINE: Look(Group.FAILED, "✗", "D", "DEADLINE"),
    Status.LOST: Look(Group.FAILED, "✗", "L", "LOST"),
    Status.CANCELLED: Look(Group.CANCELLED, "⊘", "-", "cancel"),
    Status.BLOCKED: Look(Group.BLOCKED, "⊠", "#", "blocked"),
}

GROUP_GLYPHS = {
    Group.RUNNING: ("▸", ">"),
    Group.QUEUED: ("⋯", "q"),
    Group.WAITING: ("∙", "."),
    Group.DONE: ("✓", "="),
    Group.FAILED: ("✗", "x"),
    Group.CANCELLED: ("⊘", "-"),
    Group.BLOCKED: ("⊠", "#"),
}

# What a bar of shares is drawn with: a line that gets thinner from what is done to what has not begun.
BAR_GLYPHS = {
    Group.RUNNING: ("╍", ">"),
    Group.QUEUED: ("┄", "q"),
    Group.WAITING: ("─", "."),
    Group.DONE: ("━", "="),
    Group.FAILED: ("✗", "x"),
    Group.CANCELLED: ("⊘", "-"),
    Group.BLOCKED: ("⊠", "#"),
}


def group_of(status: Status) -> Group:
    return LOOKS[status].group


def by_group(counts: dict[Status, int]) -> dict[Group, int]:
    """Counts per state added up per group, in the order of Group; groups without any are left out."""
    found = dict.fromkeys(Group, 0)
    for status, count in counts.items():
        found[LOOKS[status].group] += count
    return {group: count for group, count in found.items() if count}
