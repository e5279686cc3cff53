"""Small plans, and the first events of an instance that is submitted ahead of its parent."""

from __future__ import annotations

from mtui.core.engine.status import IN_SLURM, UNSUCCESSFUL
from tests.plans import plan, step
from tests.unit.engine.script import intend, submitted

ONE = plan(step("a"))
PAIR = plan(step("a"), step("b", "a"))
ROWS = plan(step("a", uses="X"), step("b", "a"), rows={"X": [1, 2]})
FUNNEL = plan(step("a", uses="X"), step("b", "a_*"), rows={"X": [1, 2]})
CORNER = plan(step("a"), step("b"), step("c", "a", "b"))
FAILURES = sorted(UNSUCCESSFUL, key=lambda status: status.value)
IN_QUEUE = sorted(IN_SLURM, key=lambda status: status.value)
PARENT = (intend("p", (0, 1)), submitted("p", "10"))
AHEAD = intend("s", (1, 1), after="afterok:10")
