"""Slurm starts a job that is bound to one that it has forgotten: such jobs are withdrawn before."""

from __future__ import annotations

import pytest

from mtui.core.engine.slurm_answers import Accounting, SeenJob
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.script import Watched, intend, submitted

PENDING = SeenJob(Status.PENDING, ended=False)
UNLISTED = SeenJob(Status.PENDING, ended=False, listed=False)  # accounting alone shows it
PLAN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"), rows={"X": [1, 2]})


def bound() -> Watched:
    """Two jobs, 10 and 11, one bound to each, 20 and 21, and one bound to these, 30."""
    watched = Watched(PLAN)
    for number, job in enumerate(("10", "11", "20", "21", "30")):
        after = {"20": "afterok:10", "21": "afterok:11", "30": "afterok:20:21"}.get(job, "")
        watched.take([intend(job, (number, 1), after=after), submitted(job, job)])
    return watched


QUEUE = {"11": PENDING, "20": PENDING, "21": PENDING, "30": PENDING}


@pytest.mark.parametrize("shown", [QUEUE, {**QUEUE, "10": UNLISTED}], ids=["not at all", "in accounting alone"])
def test_job_bound_to_a_forgotten_one_is_withdrawn_after_a_second_poll(shown: dict[str, SeenJob]) -> None:
    watched = bound()
    watched.look(shown)
    assert watched.observer.never() == set()
    watched.pass_time(5)
    watched.look(shown)
    assert watched.observer.never() == {2}
    assert watched.observer.doubtful() >= {0, 2}, "nothing is bound to them again"


def test_job_bound_to_one_that_is_shown_again_in_time_stays() -> None:
    watched = bound()
    watched.look(QUEUE)
    watched.pass_time(5)
    watched.look({**QUEUE, "10": PENDING})
    watched.pass_time(5)
    watched.look({**QUEUE, "10": PENDING})
    assert watched.observer.never() == set()


def test_job_bound_to_one_of_which_accounting_does_not_answer_is_withdrawn() -> None:
    watched = bound()
    for _ in range(2):
        watched.pass_time(5)
        watched.look(QUEUE, accounting=Accounting.UNANSWERED)
    assert watched.observer.never() == {2}


def test_funnel_over_a_forgotten_job_is_withdrawn() -> None:
    watched = bound()
    shown = {job: seen for job, seen in QUEUE.items() if job != "21"} | {"10": PENDING}
    for _ in range(2):
        watched.pass_time(5)
        watched.look(shown)
    assert 4 in watched.observer.never()
