"""What an instance that is in Slurm ahead of its parents waits for, in words."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile
from mtui.tui.views.status_view import status_json, status_text, summary
from mtui.tui.views.text import Paint
from mtui.tui.views.why_text import why_text
from tests.plans import plan, step
from tests.unit.engine.script import apply, ended, hold, intend, observed, started, state_of, submitted, unbound

PLAIN = Paint(io.StringIO())
PAIR = plan(step("a"), step("b", "a"))
PARENT = (intend("p", (0, 1)), submitted("p", "10"))
BOUND = (*PARENT, intend("s", (1, 1), after="afterok:10"), submitted("s", "11"))

TAKEN_OUT = "withdrawn from Slurm: a parent failed"

# --- why


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    return create_directory(tmp_path / "out", "", [])


def why(directory: StudyDirectory, state: StudyState, index: int = 1) -> list[str]:
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), state.plan)
    return why_text(directory, study, state, index, PLAIN).splitlines()


def test_why_of_a_bound_one_names_its_job_and_the_parents_that_are_not_done(directory: StudyDirectory) -> None:
    lines = why(directory, state_of(PAIR, *BOUND, started(0, job="10")))
    assert lines[:3] == [
        "b is bound",
        "  It is in Slurm as job 11, which starts it when its parents are done (afterok:10):",
        "    a (running)",
    ]
    assert "  attempt 1, job 11" in lines


def test_why_of_a_blocked_one_shows_that_it_is_held_too(directory: StudyDirectory) -> None:
    lines = why(directory, state_of(PAIR, hold(1), *PARENT, ended(0, Status.FAILED)))
    assert lines[:2] == ["b is blocked", "  It is held."]
    assert lines[2].startswith("  next: mtui release ")


def test_why_of_a_refused_one_shows_how_to_change_what_was_refused(directory: StudyDirectory) -> None:
    refusal = ev.SubmitRefused(at=2.0, submission="p", message="Invalid qos specification (hint: correct 'qos')")
    lines = why(directory, state_of(PAIR, intend("p", (0, 1)), refusal), index=0)
    assert lines[1] == "  Slurm would refuse the same job again. Add a change to this command: --set qos=VALUE"
    assert lines[2].startswith("  next: mtui retry ")


def test_why_of_a_bound_one_leaves_out_the_parents_that_are_done(directory: StudyDirectory) -> None:
    wide = plan(step("a", uses="X"), step("b", "a_*"), rows={"X": range(12)})
    state = StudyState(wide)
    members = [(index, 1) for index in range(12)]
    apply(state, intend("p", *members), submitted("p", "10"), ended(3))
    apply(state, intend("s", (12, 1), after="afterok:10"), submitted("s", "11"))
    lines = why(directory, state, 12)
    assert "    a_X.3 (finished)" not in lines
    assert lines[2:11] == [*(f"    a_X.{x} (pending)" for x in (0, 1, 2, 4, 5, 6, 7, 8)), "    and 3 more"]


def test_why_of_a_freed_one_is_that_of_any_pending_job(directory: StudyDirectory) -> None:
    lines = why(directory, state_of(PAIR, *BOUND, ended(0)))
    assert lines[:2] == ["b is pending", "  It is in Slurm as job 11."]


def test_why_of_a_job_that_runs_before_its_script_reports_the_start_shows_no_duration(
    directory: StudyDirectory,
) -> None:
    lines = why(directory, state_of(PAIR, *PARENT, observed(0, Status.RUNNING)), 0)
    assert lines[:2] == ["a is running", "  It runs as job 10, but has not reported its start yet."]


def test_why_of_one_that_was_taken_out_shows_it_with_the_failure_above(directory: StudyDirectory) -> None:
    state = state_of(
        PAIR, *BOUND, ended(0, Status.FAILED), unbound((1, 1), cause="withdrawn from Slurm: a parent failed")
    )
    lines = why(directory, state)
    assert lines[0] == "b is blocked"
    assert "    a (failed)" in lines
    assert f"  attempt 1, job 11, {TAKEN_OUT}" in lines


def test_why_counts_the_wait_of_a_bound_one_from_when_it_was_free(directory: StudyDirectory) -> None:
    state = state_of(PAIR, *BOUND)
    apply(
        state,
        ev.Ended(at=1000.0, instance=0, attempt=1, status=Status.FINISHED),
        ev.Started(at=1060.0, instance=1, attempt=1, job="11", node="n1"),
        ev.Ended(at=1070.0, instance=1, attempt=1, status=Status.FINISHED),
    )
    assert "  attempt 1, job 11, on n1, ran 10s, waited 1m 00s" in why(directory, state)


@pytest.mark.parametrize("task", [0, 4])
def test_why_names_the_task_of_an_array(directory: StudyDirectory, task: int) -> None:
    rows = plan(step("a", uses="X"), rows={"X": [1, 2]})
    state = state_of(rows, intend("p", (0, 1), (1, 1), tasks=(9, task)), submitted("p", "10"))
    assert f"  It is in Slurm as job 10_{task}." in why(directory, state)


# --- status


def test_status_counts_bound_ones_apart_from_pending_and_running(directory: StudyDirectory) -> None:
    state = state_of(PAIR, *BOUND)
    assert summary(state.counts) == "0/2 done, 1 pending, 1 bound"
    apply(state, started(0, job="10"))
    assert summary(state.counts) == "0/2 done, 1 running, 1 bound"
    text = status_text(directory, state, PLAIN)
    assert "BOUND" in text.splitlines()[3]
    instances = status_json(directory, state)["instances"]
    assert isinstance(instances, list)
    assert [(item["status"], item["job"], item["reason"]) for item in instances] == [
        ("running", "10", ""),
        ("bound", "11", "Dependency"),
    ]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("f_bavail", 0, "is full"),
        ("f_favail", 0, "no inodes left"),
        ("f_flag", os.ST_RDONLY, "read-only on this machine"),
    ],
)
def test_status_names_a_disk_to_which_no_driver_can_write_its_error(
    directory: StudyDirectory, monkeypatch: pytest.MonkeyPatch, field: str, value: int, words: str
) -> None:
    space = {"f_bavail": 5, "f_files": 5, "f_favail": 5, "f_flag": 0, field: value}
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(**space))
    assert words in status_text(directory, state_of(PAIR, *BOUND), PLAIN)


@pytest.mark.parametrize(
    ("reason", "words", "step"),
    [
        ("JobHeldUser", "held by the user (JobHeldUser)", "to release it: scontrol release 10"),
        (
            "(launch failed requeued held)",
            "held: it could not be launched on its node (launch failed requeued held)",
            "to release it: scontrol release 10",
        ),
        (
            "DependencyNeverSatisfied",
            "the job that it depends on failed (DependencyNeverSatisfied)",
            "to start it without its --dependency: scontrol update job=10 dependency=",
        ),
    ],
)
def test_job_that_slurm_holds_has_a_next_step(directory: StudyDirectory, reason: str, words: str, step: str) -> None:
    state = state_of(PAIR, *PARENT, observed(0, Status.PENDING, reason=reason))
    lines = why(directory, state, 0)
    assert lines[1:3] == [f"  It is in Slurm as job 10: {words}.", f"  T{step[1:]}"]
    assert f"a: {words}; {step}" in status_text(directory, state, PLAIN).splitlines()


def test_job_that_waits_in_the_queue_has_no_next_step(directory: StudyDirectory) -> None:
    state = state_of(PAIR, *PARENT, observed(0, Status.PENDING, reason="Priority"))
    assert not any("scontrol" in line for line in why(directory, state, 0))
    assert "Priority" not in status_text(directory, state, PLAIN)
