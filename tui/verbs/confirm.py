"""The question before a start that asks for much: how many node-hours it may use."""

from __future__ import annotations

import sys

from ...core.errors import UsageError
from ...core.plan.cost import cost_of
from ...core.start import Planned
from ..text import safe


def confirm_cost(planned: Planned, *, yes: bool) -> bool:
    """Whether to start. Raises UsageError if somebody should be asked and nobody is there."""
    cost = cost_of(planned.plan)
    if yes or not planned.confirm or cost.node_hours <= planned.confirm:
        return True
    words = f"{safe(planned.study.name)} may use up to {cost.node_hours:,.1f} node-hours"
    if not sys.stdin.isatty():
        hint = "-y starts it all the same; mtui plan shows what it asks for"
        raise UsageError(f"{words}, more than {planned.confirm:,g} ('confirm')", hint)
    print(f"{words}. Start it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
