"""Plans, jobs under way and what Slurm shows of them, for the tests of the observer."""

from __future__ import annotations

from mtui.core.engine import events as ev
from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.job_observer import SeenJob
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import Watched, intend, submitted

ONE = plan(step("a"))
TWO = plan(step("a", uses="X"), rows={"X": [1, 2]})
HERE = plan(step("a", local=True))

RUNNING = SeenJob(Status.RUNNING, ended=False)
PENDING = SeenJob(Status.PENDING, ended=False)


def over(status: Status, *, code: int | None = None, reason: str = "", node: str = "n1") -> SeenJob:
    return SeenJob(status, ended=True, reason=reason, node=node, exit_code=code)


def pending(job: str = "7") -> Watched:
    watched = Watched(ONE, intend("s", (0, 1)), submitted("s", job))
    watched.pass_time(10)
    return watched


def running(job: str = "7") -> Watched:
    watched = pending(job)
    watched.report("start", job=job)
    watched.pass_time(10)
    return watched


def local() -> Watched:
    return Watched(HERE, intend("s", (0, 1), backend="local"), submitted("s", "4711", "n1"))


def kinds(events: list[ev.Event]) -> list[str]:
    return [event.kind for event in events]


def end(events: list[ev.Event]) -> tuple[Status, int | None, str]:
    """The one end among the events."""
    (event,) = events
    assert isinstance(event, ev.Ended)
    return event.status, event.exit_code, cause_text(event.cause)
