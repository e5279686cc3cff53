"""What a report changes: the time of its events, and what is awaited for the end of its attempt."""

from __future__ import annotations

import pytest

from mtui.core.engine.expectation import REPORT_WAIT
from mtui.core.engine.job_observer import JobObserver
from mtui.core.engine.job_reports import DuplicateReport, ExitReport, JobReport, LostReport, StartReport
from mtui.core.engine.slurm_answers import Accounting
from mtui.core.engine.status import Status
from tests.unit.engine.observing import ONE, over
from tests.unit.engine.script import intend, started, state_of, submitted

READ_AT = 1000.0
REPORTS = (
    StartReport(0, 1, "7", "n1"),
    ExitReport(0, 1, "7", "n1"),
    ExitReport(0, 1, "7", "n1", code=3),
    ExitReport(0, 1, "9", "n1"),
    DuplicateReport(0, 1, "8", "n1", owner="9"),
    LostReport(0, 1, "7", "n1", cause="its worker was killed"),
)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: f"{type(report).__name__} of {report.job}")
@pytest.mark.parametrize(
    ("written_at", "expected"),
    [(900.0, 900.0), (0.0, READ_AT), (1100.0, READ_AT)],
    ids=["earlier", "no time given", "by a clock that is ahead"],
)
def test_event_has_the_time_of_its_report(report: JobReport, written_at: float, expected: float) -> None:
    observer = JobObserver(state_of(ONE, intend("s", (0, 1)), submitted("s", "7")))
    fields = {name: getattr(report, name) for name in ("code", "owner", "cause") if hasattr(report, name)}
    timed = type(report)(report.instance, report.attempt, report.job, report.node, at=written_at, **fields)

    events = observer.apply_report(timed, READ_AT, 5.0)

    assert [event.at for event in events] == [expected] * len(events)
    assert events


def test_report_of_the_end_is_not_awaited_once_it_has_come() -> None:
    observer = JobObserver(state_of(ONE, intend("s", (0, 1)), submitted("s", "7"), started(0)))
    assert (
        observer.apply_poll(lambda *_: over(Status.FAILED), lambda _: "", 4.0, READ_AT, 5.0, Accounting.ANSWERED) == []
    )
    assert observer.deadline() == 5.0 + REPORT_WAIT

    observer.apply_report(ExitReport(0, 1, "7", "n1"), READ_AT, 6.0)

    assert observer.deadline() is None
