"""The appearance of each status: group, glyph and word. The colours of the groups are in app/themes.py.

Colour is never the only sign of a status. The glyphs of cells are one cell wide in every locale ("narrow" in Unicode's
table of East Asian widths); bars, like the borders of panes, use box-drawing characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...core.engine.status import Status


class StatusGroup(Enum):
    """The groups by which statuses are counted and filtered; the value is the name."""

    RUNNING = "running"
    QUEUED = "queued"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell shows one status. `word` has at most 8 letters."""

    group: StatusGroup
    glyph: str
    plain: str  # the glyph on terminals without Unicode
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

# The glyphs of a bar of shares: the line gets thinner from done to waiting.
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
    """Add up counts per status by group, in the order of StatusGroup; empty groups are left out."""
    found = dict.fromkeys(StatusGroup, 0)
    for status, count in counts.items():
        found[LOOKS[status].group] += count
    return {group: count for group, count in found.items() if count}
