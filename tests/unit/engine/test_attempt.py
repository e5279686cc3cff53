"""What an attempt was, and what the state keeps of those that finished."""

from __future__ import annotations

from mtui.core.engine import events as ev
from mtui.core.engine.allocation_table import AllocationTable
from mtui.core.engine.attempt import Attempt
from mtui.core.engine.job_reports import StartReport
from mtui.core.engine.status import Status
from tests.plans import plan, step
from tests.unit.engine.observing import TWO, pending
from tests.unit.engine.script import Watched, intend, state_of, submitted


def test_outcome_is_known_only_of_an_attempt_that_ran() -> None:
    assert Attempt(1, "s", "slurm", ended_at=9.0, exit_code=0).outcome is Status.FINISHED
    assert Attempt(1, "s", "slurm", ended_at=9.0, exit_code=3, ended_as=Status.FAILED).outcome is Status.FAILED
    assert Attempt(1, "s", "slurm", ended_at=9.0).outcome is None  # withdrawn before it ran
    assert Attempt(1, "s", "slurm").outcome is None


def test_state_keeps_how_many_instances_of_a_step_finished_and_how_long_they_ran() -> None:
    state = state_of(plan(step("a")), intend("s", (0, 1)), submitted("s", "7"))
    state.apply(ev.Started(at=100.0, instance=0, attempt=1, job="7", node="n1"))
    state.apply(ev.Ended(at=130.0, instance=0, attempt=1, status=Status.FINISHED, exit_code=0))
    assert state.ran[0] == (1, 30.0)


def test_only_an_allocation_that_is_not_ending_takes_instances() -> None:
    table = AllocationTable()
    assert not table.takes("1")
    table.apply(ev.AllocationIntended(at=1.0, allocation="1", pool=(), gpus=0, nodes=1, seconds=60))
    table.apply(ev.AllocationQueued(at=2.0, allocation="1", job="7"))
    assert table.takes("1")
    table.apply(ev.AllocationEnding(at=3.0, allocation="1"))
    assert not table.takes("1")


def test_report_is_early_if_the_journal_lacks_its_attempt() -> None:
    def is_early(watched: Watched, index: int, attempt: int) -> bool:
        return watched.observer.is_early(StartReport(index, attempt, "7", "n1"))

    assert [is_early(pending(), 0, attempt) for attempt in (1, 2)] == [False, True]
    assert [is_early(Watched(TWO), index, 1) for index in (0, 1, 99, -1)] == [True, True, False, False]
