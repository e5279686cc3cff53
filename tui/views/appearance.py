"""How a state looks: its group, glyph and word. Colours stand in themes.py, by group.

A state is never told by its colour alone. The glyphs of cells are one cell wide in every locale ("narrow" in
Unicode's table of East Asian widths); bars, like the borders of panes, are made of box-drawing characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...core.engine.status import Status


class StatusGroup(Enum):
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

    group: StatusGroup
    glyph: str
    plain: str  # the glyph where only ASCII can be shown
    word: str


LOOKS: dict[Status, Look] = {
    Status.WAITING: Look(StatusGroup.WAITING, "∙", ".", "wait"),
    Status.READY: Look(StatusGroup.WAITING, "◦", ":", "ready"),
    Status.HELD: Look(StatusGroup.WAITING, "⊟", "H", "held"),
    Status.SUBMITTING: Look(StatusGroup.QUEUED, "⋯", "~", "submit"),
    Status.UNCLEAR: Look(StatusGroup.QUEUED, "?", "?", "unclear"),
    Status.BOUND: Look(StatusGroup.QUEUED, "◌", "b", "bound"),
    Status.PENDING: Look(StatusGroup.QUEUED, "⋯", "q", "queued"),
    Status.CONFIGURING: Look(StatusGroup.QUEUED, "⋯", "q", "config"),
    Status.REQUEUED: Look(StatusGroup.QUEUED, "⋯", "q", "requeued"),
    Status.RUNNING: Look(StatusGroup.RUNNING, "▸", ">", "run"),
    Status.SUSPENDED: Look(StatusGroup.RUNNING, "▸", "z", "suspend"),
    Status.COMPLETING: Look(StatusGroup.RUNNING, "▸", ">", "ending"),
    Status.FINISHED: Look(StatusGroup.DONE, "✓", "=", "done"),
    Status.SKIPPED: Look(StatusGroup.DONE, "↷", "s", "skipped"),
    Status.FAILED: Look(StatusGroup.FAILED, "✗", "x", "FAIL"),
    Status.TIMED_OUT: Look(StatusGroup.FAILED, "✗", "T", "TIMEOUT"),
    Status.OUT_OF_MEMORY: Look(StatusGroup.FAILED, "✗", "M", "MEMORY"),
    Status.NODE_FAILED: Look(StatusGroup.FAILED, "✗", "N", "NODE"),
    Status.PREEMPTED: Look(StatusGroup.FAILED, "✗", "P", "PREEMPT"),
    Status.DEADLINE: Look(StatusGroup.FAILED, "✗", "D", "DEADLINE"),
    Status.LOST: Look(StatusGroup.FAILED, "✗", "L", "LOST"),
    Status.CANCELLED: Look(StatusGroup.CANCELLED, "⊘", "-", "cancel"),
    Status.BLOCKED: Look(StatusGroup.BLOCKED, "⊠", "#", "blocked"),
}

GROUP_GLYPHS = {
    StatusGroup.RUNNING: ("▸", ">"),
    StatusGroup.QUEUED: ("⋯", "q"),
    StatusGroup.WAITING: ("∙", "."),
    StatusGroup.DONE: ("✓", "="),
    StatusGroup.FAILED: ("✗", "x"),
    StatusGroup.CANCELLED: ("⊘", "-"),
    StatusGroup.BLOCKED: ("⊠", "#"),
}

# What a bar of shares is drawn with: a line that gets thinner from what is done to what has not begun.
BAR_GLYPHS = {
    StatusGroup.RUNNING: ("╍", ">"),
    StatusGroup.QUEUED: ("┄", "q"),
    StatusGroup.WAITING: ("─", "."),
    StatusGroup.DONE: ("━", "="),
    StatusGroup.FAILED: ("✗", "x"),
    StatusGroup.CANCELLED: ("⊘", "-"),
    StatusGroup.BLOCKED: ("⊠", "#"),
}


def group_of(status: Status) -> StatusGroup:
    return LOOKS[status].group


def by_group(counts: dict[Status, int]) -> dict[StatusGroup, int]:
    """Counts per state added up per group, in the order of Group; groups without any are left out."""
    found = dict.fromkeys(StatusGroup, 0)
    for status, count in counts.items():
        found[LOOKS[status].group] += count
    return {group: count for group, count in found.items() if count}
