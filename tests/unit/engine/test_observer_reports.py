"""What jobs say of themselves, as events: starts, ends, and twins that found their claim taken."""

from __future__ import annotations

import pytest

from mtui.core.claims import REVOKED
from mtui.core.engine import events as ev
from mtui.core.engine.expectation import REPORT_WAIT, VERDICT_WAIT
from mtui.core.engine.job_reports import StartReport
from mtui.core.engine.slurm_answers import SeenJob
from mtui.core.engine.status import Status
from tests.unit.engine.observing import ONE, RUNNING, TWO, end, kinds, local, over, pending, running
from tests.unit.engine.script import Watched, attempt, ended, intend, missed, ready, retry, submitted, unclear

# --- reports of jobs


def test_start_is_reported_with_job_and_node() -> None:
    watched = pending()
    (event,) = watched.report("start", node="nid7")
    assert isinstance(event, ev.Started)
    assert (event.instance, event.attempt, event.job, event.node) == (0, 1, "7", "nid7")


def test_clean_exit_is_final_without_asking_slurm() -> None:
    watched = running()
    assert end(watched.report("exit")) == (Status.FINISHED, 0, "")
    assert not watched.observer.wants_poll


def test_other_exit_waits_for_the_verdict_of_slurm() -> None:
    watched = running()
    assert kinds(watched.report("exit", code=137)) == ["exited"]
    assert watched.observer.wants_poll
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.OUT_OF_MEMORY)})) == (
        Status.OUT_OF_MEMORY,
        137,
        "used more memory than requested on n1",
    )
    assert not watched.observer.wants_poll


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.CANCELLED, Status.PREEMPTED, Status.NODE_FAILED])
def test_verdict_of_slurm_names_the_end_that_the_script_felt_as_a_signal(status: Status) -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(1)
    reported_status, code, _ = end(watched.look({"7": over(status)}))
    assert (reported_status, code) == (status, 143)


def test_script_that_saved_itself_at_the_time_limit_has_timed_out() -> None:
    watched = running()
    assert kinds(watched.report("exit", code=0, signal="TERM")) == ["exited"]
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.TIMED_OUT)}))[0] is Status.TIMED_OUT


def test_script_that_took_a_signal_and_ended_well_has_finished() -> None:
    watched = running()
    watched.report("exit", code=0, signal="USR1")
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.FINISHED, code=0)})) == (Status.FINISHED, 0, "")


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [(3, Status.FAILED, "exit code 3 on n1"), (0, Status.FINISHED, "")],
    ids=["failure", "signal"],
)
def test_exit_code_decides_if_slurm_has_no_verdict_in_time(code: int, status: Status, cause: str) -> None:
    watched = running()
    watched.report("exit", code=code, signal="USR1")
    watched.pass_time(1)
    watched.look({"7": RUNNING})
    watched.pass_time(VERDICT_WAIT / 2)
    assert watched.look({"7": RUNNING}) == []
    watched.pass_time(VERDICT_WAIT / 2)
    assert end(watched.look({"7": RUNNING})) == (status, code, cause)


def test_slurm_that_still_shows_the_job_running_has_no_verdict_yet() -> None:
    watched = running()
    watched.report("exit", code=3)
    watched.pass_time(1)
    assert watched.look({"7": RUNNING}) == []
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.FAILED)})) == (Status.FAILED, 3, "exit code 3 on n1")


def test_cleaning_up_of_slurm_is_waited_for() -> None:
    watched = running()
    watched.report("exit", code=137)
    for _ in range(5):
        watched.pass_time(VERDICT_WAIT)
        assert watched.look({"7": SeenJob(Status.COMPLETING, ended=False)}) == []
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.OUT_OF_MEMORY)}))[0] is Status.OUT_OF_MEMORY


def test_what_kept_the_script_from_running_is_the_cause() -> None:
    watched = pending()
    watched.report("exit", code=72, error="the workspace does not exist")
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.FAILED)})) == (Status.FAILED, 72, "the workspace does not exist")
    watched = pending()
    watched.report("exit", code=72, error="the workspace does not exist")
    watched.pass_time(1)
    assert end(watched.look_for(VERDICT_WAIT)) == (Status.FAILED, 72, "the workspace does not exist")


def test_exit_says_what_a_start_that_was_lost_would_have_said() -> None:
    watched = Watched(ONE, intend("s", (0, 1)))
    assert kinds(watched.report("exit", job="12")) == ["started", "ended"]
    assert attempt(watched.state, 0).job == "12"


def test_verdicts_are_waited_for_after_a_change_of_driver() -> None:
    watched = running()
    watched.report("exit", code=3)
    successor = Watched(ONE)
    successor.take(watched.reported)
    successor.observer.resume(successor.now)
    assert successor.observer.wants_poll
    successor.pass_time(1)
    assert end(successor.look_for(VERDICT_WAIT)) == (Status.FAILED, 3, "exit code 3 on n1")


@pytest.mark.parametrize("kind", ["start", "exit", "twin"])
@pytest.mark.parametrize("index", [0, 1, 99, -1])
def test_report_of_what_was_never_submitted_is_passed_over(kind: str, index: int) -> None:
    assert Watched(TWO).report(kind, index) == []


@pytest.mark.parametrize(
    ("index", "number", "expected"),
    [(0, 1, False), (0, 2, True), (-1, 1, False), (1, 1, False)],
    ids=["a known attempt", "an attempt to come", "no instance", "beyond the last instance"],
)
def test_report_is_early_if_the_journal_does_not_know_its_attempt_yet(index: int, number: int, expected: bool) -> None:
    report = StartReport(index, number, "7", "n1")

    assert pending().observer.is_early(report) is expected


@pytest.mark.parametrize("kind", ["start", "exit", "twin"])
def test_report_of_an_attempt_that_is_over_is_passed_over(kind: str) -> None:
    watched = running()
    watched.take([ended(0, Status.FAILED), retry(0)])
    assert watched.report(kind, code=3, owner="8") == []
    watched.take([intend("s2", (0, 2)), submitted("s2", "8")])
    assert watched.report(kind, code=3, owner="8") == []


def test_report_that_is_read_twice_adds_nothing() -> None:
    watched = running()
    before = attempt(watched.state, 0).job
    watched.report("start")
    assert (watched.state.status[0], attempt(watched.state, 0).job) == (Status.RUNNING, before)
    watched.report("exit")
    assert watched.report("start") == []
    assert watched.report("exit") == []


# --- duplicate and orphan jobs


def test_duplicate_that_found_its_attempt_revoked_makes_it_doubtful() -> None:
    """A driver that is gone has revoked the claim: nothing may be bound to the job that is followed."""
    watched = pending()
    assert watched.report("twin", job="8", owner=REVOKED) == []
    assert watched.observer.doubtful() == {0}


def test_duplicate_is_noted_and_the_owner_of_the_claim_followed() -> None:
    watched = pending("8")
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly", "started"]
    assert attempt(watched.state, 0).job == "7"
    watched.pass_time(1)
    # The twin ended with its own code; only the owner's end counts.
    assert watched.look({"8": over(Status.FAILED, code=75), "7": RUNNING}) == []
    assert end(watched.report("exit", job="7"))[0] is Status.FINISHED


def test_duplicate_is_noted_and_nothing_else_while_the_owner_is_followed() -> None:
    watched = running("7")
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly"]
    assert attempt(watched.state, 0).job == "7"


def test_duplicate_may_report_before_the_answer_of_sbatch() -> None:
    watched = Watched(ONE, intend("s", (0, 1)))
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly", "started"]
    watched.take([submitted("s", "8")])
    assert attempt(watched.state, 0).job == "7"


def test_duplicate_that_slurm_already_called_ended_does_not_end_the_attempt() -> None:
    watched = pending("8")
    assert watched.look({"8": over(Status.FAILED, code=75)}) == []
    watched.report("twin", job="8", owner="7")
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []
    assert watched.state.status[0] is Status.RUNNING


def test_owner_is_followed_though_another_duplicate_was_followed() -> None:
    watched = pending("9")
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly", "started"]
    assert attempt(watched.state, 0).job == "7"
    assert watched.observer.orphans.take() == ["9"]
    assert kinds(watched.report("twin", job="9", owner="7")) == ["anomaly"]


def test_duplicate_that_does_not_know_the_owner_is_noted() -> None:
    watched = pending("8")
    assert kinds(watched.report("twin", job="8", owner="")) == ["anomaly"]


def test_job_that_lost_its_claim_is_an_orphan() -> None:
    watched = pending("8")
    watched.report("start", job="7")
    assert watched.observer.orphans.take() == ["8"]
    assert watched.observer.orphans.take() == []


def test_job_that_starts_for_an_attempt_that_is_over_is_an_orphan() -> None:
    watched = running("7")
    watched.take([ended(0, Status.LOST)])
    assert watched.report("start", job="7") == []
    assert watched.observer.orphans.take() == ["7"]


def test_attempt_that_is_over_is_ended_in_the_open_one_of_the_allocations_of_a_job() -> None:
    """A job has several after its leader was restarted, and slurmctld may reuse an id."""
    watched = running("7")
    for name in ("1-1", "1-2"):
        watched.take(
            [
                ev.AllocationIntended(at=1.0, allocation=name, pool=("any",), gpus=0, nodes=1, seconds=60),
                ev.AllocationQueued(at=1.0, allocation=name, job="90"),
            ]
        )
    watched.take([ev.AllocationOver(at=1.0, allocation="1-1", status=Status.FAILED), ended(0, Status.LOST)])
    watched.report("start", job="90")
    assert watched.observer.orphans.take() == []
    assert watched.observer.orphans.take_in_allocations() == {"1-2": ["0.1"]}


def test_job_with_the_claim_is_no_orphan() -> None:
    watched = running("7")
    watched.report("start", job="7")
    watched.report("exit", job="7", code=1)
    assert watched.observer.orphans.take() == []


def test_process_of_a_local_step_is_never_an_orphan_job() -> None:
    watched = local()
    assert kinds(watched.report("exit", job="4712")) == ["started", "ended"]
    assert watched.observer.orphans.take() == []


def test_job_that_counted_as_missed_and_turns_up_is_followed_and_no_orphan() -> None:
    watched = Watched(ONE, intend("s", (0, 1)), unclear("s"), missed("s"))
    assert kinds(watched.report("start", job="12")) == ["started"]
    assert watched.observer.orphans.take() == []
    assert watched.state.status[0] is Status.RUNNING


@pytest.mark.parametrize(("code", "reported"), [(0, ["started", "ended"]), (3, ["started", "exited"])])
def test_job_that_counted_as_missed_and_has_ended_meanwhile_is_followed(code: int, reported: list[str]) -> None:
    watched = Watched(ONE, intend("s", (0, 1)), unclear("s"), missed("s"))
    assert kinds(watched.report("exit", job="12", code=code)) == reported
    assert ready(watched.state) == [[]]
