"""status.csv: Maestro's columns and words, read by Maestro's own reader and by any CSV reader."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest
from maestrowf.abstracts.enums import State
from maestrowf.utils import csvtable_to_dict

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import OVER, Status
from mtui.core.plan.study_plan import Plan
from mtui.core.store.status_csv import COLUMNS, status_table, write_status
from tests.plans import plan, step

T0 = time.mktime((2031, 2, 3, 14, 0, 0, 0, 0, -1))
HEADER = "Step Name,Job ID,Workspace,State,Run Time,Elapsed Time,Start Time,Submit Time,End Time,Number Restarts,Params"
PLAIN = plan(step("a", uses="XY"), step("b", "a_*", local=True), rows={"X": [1, 2], "Y": ["p", "q"]})
ODD = plan(step("a", uses="X"), rows={"X": ["1,5", 'say "x"', "two\nlines", " blanks ", "ä", "semi;colon"]})


def after(plan: Plan, *events: ev.Event) -> StudyState:
    state = StudyState(plan)
    for event in events:
        state.apply(event)
    return state


def submitted(index: int, at: float, *, attempt: int = 1, job: str = "11") -> list[ev.Event]:
    name = f"1-{index}-{attempt}"
    return [
        ev.SubmitIntended(at=at, submission=name, backend="slurm", members=((index, attempt),)),
        ev.Submitted(at=at, submission=name, job=job),
    ]


def started(index: int, at: float, *, attempt: int = 1, job: str = "11") -> ev.Started:
    return ev.Started(at=at, instance=index, attempt=attempt, job=job, node="n1")


def rows(state: StudyState, now: float) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(status_table(state, now))))


def by_maestro(state: StudyState, now: float) -> list[dict[str, str]]:
    table = csvtable_to_dict(io.StringIO(status_table(state, now)))
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def test_header_is_maestros() -> None:
    assert ",".join(COLUMNS) == HEADER
    assert status_table(StudyState(PLAIN), T0).splitlines()[0] == HEADER


def test_new_study_has_a_row_for_each_instance_in_plan_order() -> None:
    found = rows(StudyState(PLAIN), T0)
    assert [row["Step Name"] for row in found] == ["a_X.1.Y.p", "a_X.2.Y.q", "b"]
    assert [row["Workspace"] for row in found] == ["a/X.1.Y.p", "a/X.2.Y.q", "b"]
    assert [row["Params"] for row in found] == ["X:1;Y:p", "X:2;Y:q", ""]
    assert list(found[0].values())[3:10] == ["INITIALIZED", "--:--:--", "--:--:--", "--", "--", "--", "0"]


def test_times_are_those_of_the_last_attempt_and_elapsed_counts_from_the_first() -> None:
    state = after(
        PLAIN,
        *submitted(0, T0),
        started(0, T0 + 60),
        ev.Ended(at=T0 + 90, instance=0, attempt=1, status=Status.TIMED_OUT),
        ev.Retried(at=T0 + 100, instance=0),
        *submitted(0, T0 + 110, attempt=2, job="12"),
        started(0, T0 + 120, attempt=2, job="12"),
    )
    running = rows(state, T0 + 130)[0]
    assert (running["Job ID"], running["State"], running["Number Restarts"]) == ("12", "RUNNING", "1")
    assert (running["Run Time"], running["Elapsed Time"]) == ("--:--:--", "0d:00h:02m:10s")
    assert (running["Start Time"], running["Submit Time"]) == ("2031-02-03 14:02:00", "2031-02-03 14:00:00")
    state.apply(ev.Ended(at=T0 + 90120, instance=0, attempt=2, status=Status.FINISHED, exit_code=0))
    ended = rows(state, T0 + 999_999)[0]
    assert (ended["Run Time"], ended["Elapsed Time"]) == ("1d:01h:00m:00s", "1d:01h:02m:00s")
    assert (ended["State"], ended["End Time"]) == ("FINISHED", "2031-02-04 15:02:00")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (Status.BOUND, "PENDING"),
        (Status.PENDING, "PENDING"),
        (Status.CONFIGURING, "PENDING"),
        (Status.REQUEUED, "PENDING"),
        (Status.RUNNING, "RUNNING"),
        (Status.SUSPENDED, "RUNNING"),
        (Status.COMPLETING, "RUNNING"),
        (Status.FINISHED, "FINISHED"),
        (Status.FAILED, "FAILED"),
        (Status.TIMED_OUT, "TIMEDOUT"),
        (Status.OUT_OF_MEMORY, "FAILED"),
        (Status.NODE_FAILED, "FAILED"),
        (Status.PREEMPTED, "FAILED"),
        (Status.DEADLINE, "FAILED"),
        (Status.CANCELLED, "CANCELLED"),
        (Status.LOST, "FAILED"),
    ],
)
def test_states_are_in_maestros_words(status: Status, word: str) -> None:
    kind = ev.Ended if status in OVER else ev.Observed
    state = after(PLAIN, *submitted(0, T0), kind(at=T0, instance=0, attempt=1, status=status))
    assert rows(state, T0)[0]["State"] == word
    assert word in State.__members__


def test_what_slurm_refused_has_a_time_of_its_end_and_no_elapsed_time() -> None:
    intended, _ = submitted(0, T0)
    state = after(PLAIN, intended, ev.SubmitRefused(at=T0 + 60, submission="1-0-1", message="no such partition"))
    found = rows(state, T0 + 90)[0]
    assert (found["End Time"], found["Submit Time"], found["Elapsed Time"]) == ("2031-02-03 14:01:00", "--", "--:--:--")


def test_held_instance_has_not_failed() -> None:
    assert rows(after(PLAIN, ev.Held(at=T0, instance=0)), T0)[0]["State"] == "INITIALIZED"


def test_dependents_of_a_failure_have_failed_as_in_maestro() -> None:
    state = after(PLAIN, *submitted(0, T0), ev.Ended(at=T0, instance=0, attempt=1, status=Status.FAILED))
    assert state.status[2] is Status.BLOCKED
    assert rows(state, T0)[2]["State"] == "FAILED"


def test_maestros_own_reader_reads_it(tmp_path: Path) -> None:
    state = after(PLAIN, *submitted(0, T0), started(0, T0 + 5), *submitted(1, T0 + 6))
    write_status(tmp_path / "status.csv", state, T0 + 9)
    assert by_maestro(state, T0 + 9) == rows(state, T0 + 9)
    with (tmp_path / "status.csv").open() as file:
        assert csvtable_to_dict(file)["State"] == ["RUNNING", "PENDING", "INITIALIZED"]


def test_odd_values_are_quoted_so_that_every_csv_reader_gets_them_back() -> None:
    found = rows(StudyState(ODD), T0)
    assert [row["Params"] for row in found] == [
        f"X:{ODD.parameters.value('X', instance.row)}" for instance in ODD.instances
    ]
    assert [row["Step Name"] for row in found] == [instance.name for instance in ODD.instances]


def test_file_is_replaced_in_one_move(tmp_path: Path) -> None:
    path = tmp_path / "status.csv"
    write_status(path, StudyState(PLAIN), T0)
    with path.open() as reader:
        reader.readline()
        write_status(path, after(PLAIN, *submitted(0, T0)), T0)
        assert "PENDING" not in reader.read()
    assert "PENDING" in path.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["status.csv"]


def test_what_cannot_be_written_in_utf8_is_spelled_out(tmp_path: Path) -> None:
    odd = plan(step("a", uses="X"), rows={"X": ["\udcff"]})
    write_status(tmp_path / "status.csv", StudyState(odd), T0)
    assert "X:\\udcff" in (tmp_path / "status.csv").read_text()
