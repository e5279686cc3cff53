"""Why allocations ran nothing, in words. As with cause_text.py, no module that decides imports it."""

from __future__ import annotations

from collections.abc import Sequence

from .allocation import Allocation
from .cause_text import cause_text


def vain_text(streak: Sequence[Allocation], needed: float) -> str:
    """Return why the last allocations of a pool, the latest first, ran nothing.

    `needed` are the seconds that one must have left to run what waits.
    """
    last = streak[0]
    which = "the last allocation" if len(streak) == 1 else f"the last {len(streak)} allocations"
    because = f": {cause_text(last.cause)}" if last.cause else ""
    if not last.began_at:
        return (
            f"{which} ended before instances could start{because}"
            if len(streak) > 1
            else f"{which} never started{because}"
        )
    if not last.graph:
        return f"{which} ran nothing: without Python on its nodes it runs only instances of one node"
    if last.usable and last.usable < needed:
        words = f"{last.usable:.0f} seconds were left when its leader was ready, {needed:.0f} are needed"
        return f"{which} ran nothing: {words} (set a longer walltime under `pack`)"
    return f"{which} ran nothing{because}"
