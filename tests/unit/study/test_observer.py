"""What the world shows, as events: records of jobs, looks at Slurm, processes that ended."""

from __future__ import annotations

import pytest

from mtui.core.study import events as ev
from mtui.core.study.observer import LOST_WAIT, REPORT_WAIT, UNCLEAR_WAIT, VERDICT_WAIT, Seen, end_words, exit_words
from mtui.core.study.status import Status
from tests.plans import plan, step
from tests.unit.study.script import Watched, attempt, cancel, ended, intend, missed, retry, submitted, unclear

ONE = plan(step("a"))
TWO = plan(step("a", uses="X"), rows={"X": [1, 2]})
HERE = plan(step("a", local=True))

RUNNING = Seen(Status.RUNNING, ended=False)
PENDING = Seen(Status.PENDING, ended=False)


def over(status: Status, *, code: int | None = None, reason: str = "", node: str = "n1") -> Seen:
    return Seen(status, ended=True, reason=reason, node=node, exit_code=code)


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
    return event.status, event.exit_code, event.cause


# --- reports of jobs


def test_start_is_told_with_job_and_node() -> None:
    watched = pending()
    (event,) = watched.report("start", node="nid7")
    assert isinstance(event, ev.Started)
    assert (event.instance, event.attempt, event.job, event.node) == (0, 1, "7", "nid7")


def test_clean_exit_is_final_without_asking_slurm() -> None:
    watched = running()
    assert end(watched.report("exit")) == (Status.FINISHED, 0, "")
    assert not watched.observer.wants_look


def test_other_exit_waits_for_the_verdict_of_slurm() -> None:
    watched = running()
    assert kinds(watched.report("exit", code=137)) == ["exited"]
    assert watched.observer.wants_look
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.OUT_OF_MEMORY)})) == (
        Status.OUT_OF_MEMORY,
        137,
        "it used more memory than it had asked for on n1",
    )
    assert not watched.observer.wants_look


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.CANCELLED, Status.PREEMPTED, Status.NODE_FAILED])
def test_verdict_of_slurm_names_the_end_that_the_script_felt_as_a_signal(status: Status) -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(1)
    status_told, code, _ = end(watched.look({"7": over(status)}))
    assert (status_told, code) == (status, 143)


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
def test_exit_code_tells_if_slurm_has_no_verdict_in_time(code: int, status: Status, cause: str) -> None:
    watched = running()
    watched.report("exit", code=code, signal="USR1")
    assert watched.observer.deadline() == watched.now + VERDICT_WAIT
    watched.pass_time(VERDICT_WAIT - 0.1)
    assert watched.tick() == []
    watched.pass_time(0.1)
    assert end(watched.tick()) == (status, code, cause)
    assert watched.observer.deadline() is None


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
        watched.pass_time(VERDICT_WAIT - 1)
        assert watched.look({"7": Seen(Status.COMPLETING, ended=False)}) == []
        assert watched.tick() == []
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.OUT_OF_MEMORY)}))[0] is Status.OUT_OF_MEMORY


def test_what_kept_the_script_from_running_is_the_cause() -> None:
    watched = pending()
    watched.report("exit", code=72, error="the workspace is not there")
    watched.pass_time(1)
    assert end(watched.look({"7": over(Status.FAILED)})) == (Status.FAILED, 72, "the workspace is not there")
    watched = pending()
    watched.report("exit", code=72, error="the workspace is not there")
    watched.pass_time(VERDICT_WAIT)
    assert end(watched.tick()) == (Status.FAILED, 72, "the workspace is not there")


def test_exit_says_what_a_start_that_was_lost_would_have_said() -> None:
    watched = Watched(ONE, intend("s", (0, 1)))
    assert kinds(watched.report("exit", job="12")) == ["started", "ended"]
    assert attempt(watched.state, 0).job == "12"


def test_verdicts_are_waited_for_after_a_change_of_driver() -> None:
    watched = running()
    watched.report("exit", code=3)
    successor = Watched(ONE)
    successor.take(watched.told)
    successor.observer.take_up(successor.now)
    assert successor.observer.wants_look
    successor.pass_time(VERDICT_WAIT)
    assert end(successor.tick()) == (Status.FAILED, 3, "exit code 3 on n1")


@pytest.mark.parametrize("kind", ["start", "exit", "twin"])
@pytest.mark.parametrize("index", [0, 1, 99, -1])
def test_report_of_what_was_never_submitted_is_passed_over(kind: str, index: int) -> None:
    assert Watched(TWO).report(kind, index) == []


@pytest.mark.parametrize("kind", ["start", "exit", "twin"])
def test_report_of_an_attempt_that_is_over_is_passed_over(kind: str) -> None:
    watched = running()
    watched.take([ended(0, Status.FAILED), retry(0)])
    assert watched.report(kind, code=3, owner="8") == []
    watched.take([intend("s2", (0, 2)), submitted("s2", "8")])
    assert watched.report(kind, code=3, owner="8") == []


def test_report_that_is_read_twice_tells_nothing_new() -> None:
    watched = running()
    before = attempt(watched.state, 0).job
    watched.report("start")
    assert (watched.state.status[0], attempt(watched.state, 0).job) == (Status.RUNNING, before)
    watched.report("exit")
    assert watched.report("start") == []
    assert watched.report("exit") == []


# --- twins and strays


def test_twin_is_noted_and_the_owner_of_the_claim_followed() -> None:
    watched = pending("8")
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly", "started"]
    assert attempt(watched.state, 0).job == "7"
    watched.pass_time(1)
    # The twin ended with its own code; only the owner's end counts.
    assert watched.look({"8": over(Status.FAILED, code=75), "7": RUNNING}) == []
    assert end(watched.report("exit", job="7"))[0] is Status.FINISHED


def test_twin_is_noted_and_nothing_else_while_the_owner_is_followed() -> None:
    watched = running("7")
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly"]
    assert attempt(watched.state, 0).job == "7"


def test_twin_may_speak_before_the_answer_of_sbatch() -> None:
    watched = Watched(ONE, intend("s", (0, 1)))
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly", "started"]
    watched.take([submitted("s", "8")])
    assert attempt(watched.state, 0).job == "7"


def test_twin_that_slurm_already_called_ended_does_not_end_the_attempt() -> None:
    watched = pending("8")
    assert watched.look({"8": over(Status.FAILED, code=75)}) == []
    watched.report("twin", job="8", owner="7")
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []
    assert watched.state.status[0] is Status.RUNNING


def test_owner_is_followed_though_yet_another_twin_was_followed() -> None:
    watched = pending("9")
    assert kinds(watched.report("twin", job="8", owner="7")) == ["anomaly", "started"]
    assert attempt(watched.state, 0).job == "7"
    assert watched.observer.take_strays() == ["9"]
    assert kinds(watched.report("twin", job="9", owner="7")) == ["anomaly"]


def test_twin_that_does_not_know_the_owner_is_noted() -> None:
    watched = pending("8")
    assert kinds(watched.report("twin", job="8", owner="")) == ["anomaly"]


def test_job_that_lost_its_claim_is_a_stray() -> None:
    watched = pending("8")
    watched.report("start", job="7")
    assert watched.observer.take_strays() == ["8"]
    assert watched.observer.take_strays() == []


def test_job_that_starts_for_an_attempt_that_is_over_is_a_stray() -> None:
    watched = running("7")
    watched.take([ended(0, Status.LOST)])
    assert watched.report("start", job="7") == []
    assert watched.observer.take_strays() == ["7"]


def test_job_with_the_claim_is_no_stray() -> None:
    watched = running("7")
    watched.report("start", job="7")
    watched.report("exit", job="7", code=1)
    assert watched.observer.take_strays() == []


def test_process_of_a_local_step_is_never_taken_for_a_stray_job() -> None:
    watched = local()
    assert kinds(watched.report("exit", job="4712")) == ["started", "ended"]
    assert watched.observer.take_strays() == []


def test_job_that_counted_as_missed_and_turns_up_is_followed_and_no_stray() -> None:
    watched = Watched(ONE, intend("s", (0, 1)), unclear("s"), missed("s"))
    assert kinds(watched.report("start", job="12")) == ["started"]
    assert watched.observer.take_strays() == []
    assert watched.state.status[0] is Status.RUNNING


@pytest.mark.parametrize(("code", "told"), [(0, ["started", "ended"]), (3, ["started", "exited"])])
def test_job_that_counted_as_missed_and_has_ended_meanwhile_is_followed(code: int, told: list[str]) -> None:
    watched = Watched(ONE, intend("s", (0, 1)), unclear("s"), missed("s"))
    assert kinds(watched.report("exit", job="12", code=code)) == told
    assert not watched.state.ready_slurm


# --- requeue


def test_requeued_job_is_alive_though_its_script_told_of_an_end() -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(1)
    (event,) = watched.look({"7": Seen(Status.PENDING, ended=False, reason="BeginTime")})
    assert isinstance(event, ev.Observed)
    assert (event.status, event.reason) == (Status.REQUEUED, "BeginTime")
    watched.pass_time(10 * VERDICT_WAIT)
    assert watched.tick() == []
    assert watched.observer.deadline() is None
    watched.report("start")
    assert watched.state.status[0] is Status.RUNNING
    assert end(watched.report("exit"))[0] is Status.FINISHED


def test_requeued_job_may_be_seen_first_when_it_runs_again() -> None:
    watched = running()
    watched.report("exit", code=143, signal="TERM")
    watched.report("start")
    watched.pass_time(10 * VERDICT_WAIT)
    assert watched.tick() == []


@pytest.mark.parametrize("known", [Status.RUNNING, Status.SUSPENDED, Status.COMPLETING, Status.REQUEUED])
def test_job_that_had_begun_and_is_pending_was_requeued(known: Status) -> None:
    watched = pending()
    watched.look({"7": Seen(known, ended=False)})
    watched.pass_time(10)
    watched.look({"7": Seen(Status.PENDING, ended=False, reason="BeginTime")})
    assert watched.state.status[0] is Status.REQUEUED


def test_job_whose_nodes_could_not_be_configured_is_pending_again() -> None:
    watched = pending()
    watched.look({"7": Seen(Status.CONFIGURING, ended=False)})
    watched.pass_time(10)
    watched.look({"7": PENDING})
    assert watched.state.status[0] is Status.PENDING


def test_end_that_slurm_took_back_is_none() -> None:
    watched = running()
    assert watched.look({"7": over(Status.NODE_FAILED)}) == []
    watched.pass_time(1)
    watched.look({"7": Seen(Status.PENDING, ended=False, reason="BeginTime")})
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []
    assert watched.state.status[0] is Status.REQUEUED


# --- looks at Slurm


@pytest.mark.parametrize(
    "status", [Status.CONFIGURING, Status.RUNNING, Status.SUSPENDED, Status.COMPLETING, Status.REQUEUED]
)
def test_new_state_is_told_once(status: Status) -> None:
    watched = pending()
    view = Seen(status, ended=False, reason="why")
    (event,) = watched.look({"7": view})
    assert isinstance(event, ev.Observed)
    assert (event.status, event.reason) == (status, "why")
    watched.pass_time(10)
    assert watched.look({"7": view}) == []


def test_new_reason_is_told() -> None:
    watched = pending()
    for reason in ("Priority", "Resources"):
        assert kinds(watched.look({"7": Seen(Status.PENDING, ended=False, reason=reason)})) == ["observed"]
        watched.pass_time(1)


def test_look_that_began_before_the_jobs_own_word_says_nothing_of_it() -> None:
    watched = pending()
    begun = watched.now
    watched.pass_time(1)
    watched.report("start")
    watched.pass_time(1)
    assert watched.look({"7": PENDING}, asked=begun) == []
    assert watched.look({"7": over(Status.CANCELLED)}, asked=begun) == []
    assert watched.look({}, asked=begun) == []
    assert watched.state.status[0] is Status.RUNNING


def test_look_that_began_before_the_submission_was_answered_does_not_miss_the_job() -> None:
    watched = Watched(ONE, intend("s", (0, 1)))
    begun = watched.now
    watched.pass_time(1)
    watched.take([submitted("s", "7")])
    watched.observer.touch(0, watched.now)  # as the driver does with the answer
    watched.look({}, asked=begun)
    watched.pass_time(LOST_WAIT)
    assert watched.look({}, asked=begun) == []


def test_completed_job_has_finished_though_it_left_no_record() -> None:
    assert end(running().look({"7": over(Status.FINISHED)})) == (Status.FINISHED, 0, "")


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (over(Status.FAILED, code=3), (Status.FAILED, 3, "exit code 3 on n1")),
        (over(Status.FAILED), (Status.FAILED, None, "failed on n1 (no reason given)")),
        (over(Status.TIMED_OUT), (Status.TIMED_OUT, None, "its walltime was over")),
        (over(Status.CANCELLED, node=""), (Status.CANCELLED, None, "from outside of mtui")),
        (over(Status.DEADLINE), (Status.DEADLINE, None, "it could not have ended before its deadline")),
    ],
    ids=["code", "no code", "time limit", "cancelled", "deadline"],
)
def test_end_that_slurm_shows_waits_for_the_jobs_own_word(view: Seen, expected: tuple[Status, int | None, str]) -> None:
    watched = running()
    assert watched.look({"7": view}) == []
    assert watched.observer.deadline() == watched.now + REPORT_WAIT
    watched.pass_time(REPORT_WAIT - 0.1)
    assert watched.look({"7": view}) == []  # looking again does not put it off
    assert watched.tick() == []
    watched.pass_time(0.1)
    assert end(watched.tick()) == expected


def test_word_of_the_job_that_comes_in_time_is_believed() -> None:
    watched = running()
    watched.look({"7": over(Status.FAILED)})
    watched.pass_time(1)
    assert end(watched.report("exit")) == (Status.FINISHED, 0, "")
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []


def test_word_of_the_job_that_comes_after_slurms_end_waits_for_its_cause_once_more() -> None:
    watched = running()
    watched.look({"7": over(Status.OUT_OF_MEMORY)})
    assert kinds(watched.report("exit", code=137)) == ["exited"]
    watched.pass_time(REPORT_WAIT)
    assert watched.tick() == []
    assert end(watched.look({"7": over(Status.OUT_OF_MEMORY)}))[:2] == (Status.OUT_OF_MEMORY, 137)


def test_job_that_is_missing_for_long_is_lost() -> None:
    watched = running()
    assert watched.look({}) == []
    watched.pass_time(LOST_WAIT - 1)
    assert watched.look({}) == []
    watched.pass_time(1)
    status, code, cause = end(watched.look({}))
    assert (status, code) == (Status.LOST, None)
    assert "neither squeue nor sacct knows job 7" in cause


def test_lost_job_is_told_without_accounting_too() -> None:
    watched = running()
    watched.look({}, accounting=False)
    watched.pass_time(LOST_WAIT)
    assert "squeue no longer knows job 7" in end(watched.look({}, accounting=False))[2]


@pytest.mark.parametrize("sign", ["seen", "report"])
def test_sign_of_life_ends_the_wait_for_a_missing_job(sign: str) -> None:
    watched = running()
    watched.look({})
    watched.pass_time(LOST_WAIT / 2)
    if sign == "seen":
        watched.look({"7": RUNNING})
    else:
        watched.report("start")
    watched.pass_time(LOST_WAIT / 2)
    assert watched.look({}) == []
    watched.pass_time(LOST_WAIT)
    assert end(watched.look({}))[0] is Status.LOST


def test_job_that_reported_its_end_is_not_lost_however_long_slurm_does_not_know_it() -> None:
    watched = running()
    watched.look({})
    watched.report("exit", code=3)
    watched.pass_time(VERDICT_WAIT - 1)
    assert watched.look({}) == []
    watched.pass_time(1)
    assert end(watched.tick())[0] is Status.FAILED


def test_jobs_are_told_apart() -> None:
    watched = Watched(TWO, intend("s", (0, 1)), submitted("s", "7"), intend("t", (1, 1)), submitted("t", "8"))
    watched.pass_time(1)
    watched.look({"7": RUNNING, "8": PENDING})
    assert watched.state.status == [Status.RUNNING, Status.PENDING]
    watched.pass_time(1)
    watched.look({"7": over(Status.FINISHED), "8": RUNNING})
    assert watched.state.status == [Status.FINISHED, Status.RUNNING]


# --- unclear submissions


def doubtful() -> Watched:
    watched = Watched(ONE, intend("s", (0, 1)), unclear("s"))
    watched.observer.doubt("s", watched.now)
    watched.pass_time(1)
    return watched


def test_unclear_submission_is_found_by_its_name() -> None:
    watched = doubtful()
    assert watched.observer.wants_look
    (event,) = watched.look({}, {"s": "12"})
    assert isinstance(event, ev.Submitted)
    assert (event.submission, event.job) == ("s", "12")
    assert not watched.observer.wants_look


def test_unclear_submission_that_stays_unseen_long_enough_is_missed() -> None:
    watched = doubtful()
    begun = watched.now - 1
    watched.pass_time(UNCLEAR_WAIT)
    # It has to be looked for after that time: Slurm may take a request late.
    assert watched.look({}, asked=begun + UNCLEAR_WAIT - 0.1) == []
    assert kinds(watched.look({}, asked=begun + UNCLEAR_WAIT)) == ["submit_missed"]
    assert watched.state.status[0] is Status.READY
    assert watched.look({}) == []


def test_doubt_counts_from_its_beginning() -> None:
    watched = doubtful()
    watched.pass_time(UNCLEAR_WAIT)
    watched.observer.doubt("s", watched.now)
    assert kinds(watched.look({})) == ["submit_missed"]


@pytest.mark.parametrize("found", ["12", ""])
def test_job_that_has_spoken_itself_is_no_longer_looked_for(found: str) -> None:
    watched = doubtful()
    watched.report("start", job="12")
    watched.pass_time(UNCLEAR_WAIT)
    told = watched.look({"12": RUNNING}, {"s": found})
    assert kinds(told) == (["submitted"] if found else [])
    assert watched.state.status[0] is Status.RUNNING
    assert not watched.observer.wants_look


def test_unclear_submission_whose_job_has_ended_is_no_longer_looked_for() -> None:
    watched = doubtful()
    watched.report("exit", job="12")
    assert watched.look({}, {"s": "12"}) == []
    assert not watched.observer.wants_look


# --- cancelled by command


def test_end_that_was_asked_for_is_a_cancellation() -> None:
    watched = running()
    watched.take([cancel(0)])
    watched.report("exit", code=143, signal="TERM")
    watched.pass_time(VERDICT_WAIT)
    assert end(watched.tick()) == (Status.CANCELLED, 143, "by command")


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.TIMED_OUT])
def test_end_that_was_asked_for_is_a_cancellation_whatever_slurm_calls_it(status: Status) -> None:
    watched = running()
    watched.take([cancel(0)])
    watched.look({"7": over(status)})
    watched.pass_time(REPORT_WAIT)
    told, _, cause = end(watched.tick())
    assert (told, cause) == (Status.CANCELLED, "by command")


def test_job_that_finished_before_it_was_told_to_end_has_finished() -> None:
    watched = running()
    watched.take([cancel(0)])
    assert end(watched.report("exit"))[0] is Status.FINISHED


# --- local processes


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, (Status.FINISHED, 0, "")), (3, (Status.FAILED, 3, "exit code 3 on n1"))],
)
def test_local_step_ends_as_its_record_says(code: int, expected: tuple[Status, int, str]) -> None:
    watched = local()
    assert end(watched.report("exit", job="4711", code=code)) == expected
    assert watched.take(watched.observer.process_ended(0, 1, "4711", code, 1.0)) == []


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        (0, Status.FINISHED, ""),
        (3, Status.FAILED, "exit code 3"),
        (137, Status.FAILED, "it ended without a report: it was killed, or there was no room on the disk"),
        (None, Status.FAILED, "it ended without a report: it was killed, or there was no room on the disk"),
    ],
)
def test_local_process_that_left_no_record_ends_by_its_code(code: int | None, status: Status, cause: str) -> None:
    watched = local()
    assert end(watched.take(watched.observer.process_ended(0, 1, "4711", code, 1.0))) == (status, code, cause)


@pytest.mark.parametrize(("attempt", "job"), [(1, "4712"), (2, "4711"), (2, "4712")])
def test_end_of_another_process_is_none_of_this_attempt(attempt: int, job: str) -> None:
    assert local().observer.process_ended(0, attempt, job, 1, 1.0) == []


def test_twin_of_a_local_step_ends_and_the_owner_is_followed() -> None:
    watched = local()
    watched.report("twin", job="4711", owner="4700")
    assert attempt(watched.state, 0).node == "n1"  # where the next driver finds the owner
    assert watched.observer.process_ended(0, 1, "4711", 75, 1.0) == []
    assert end(watched.report("exit", job="4700"))[0] is Status.FINISHED


def test_local_steps_are_not_looked_up_in_slurm() -> None:
    watched = local()
    watched.pass_time(10 * LOST_WAIT)
    assert watched.look({}) == []


# --- bookkeeping


def test_nothing_is_kept_of_what_is_over() -> None:
    watched = running()
    watched.report("exit", code=3)
    watched.take([ended(0, Status.CANCELLED)])
    watched.pass_time(10 * VERDICT_WAIT)
    assert (watched.tick(), watched.observer.deadline(), watched.observer.wants_look) == ([], None, False)


def test_next_attempt_begins_without_the_memory_of_the_one_before() -> None:
    watched = running()
    watched.look({})
    watched.take([ended(0, Status.LOST), retry(0), intend("s2", (0, 2)), submitted("s2", "8")])
    watched.pass_time(LOST_WAIT)
    assert watched.look({}) == []


# --- words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (126, "exit code 126 (a command is not executable)"),
        (127, "exit code 127 (a command was not found)"),
        (128, "exit code 128"),
        (137, "exit code 137 (signal KILL)"),
        (139, "exit code 139 (signal SEGV)"),
        (143, "exit code 143 (signal TERM)"),
        (255, "exit code 255"),
    ],
)
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert exit_words(code) == words
    assert exit_words(code, "n7") == f"{words} on n7"


@pytest.mark.parametrize(
    ("status", "code", "reason", "node", "words"),
    [
        (Status.TIMED_OUT, None, "", "n1", "its walltime was over"),
        (Status.OUT_OF_MEMORY, 137, "", "n1", "it used more memory than it had asked for on n1"),
        (Status.NODE_FAILED, None, "", "n[1-2]", "a node failed on n[1-2]"),
        (Status.NODE_FAILED, None, "", "", "a node failed"),
        (Status.PREEMPTED, None, "", "", "Slurm took its nodes for another job"),
        (Status.DEADLINE, None, "", "", "it could not have ended before its deadline"),
        (Status.CANCELLED, None, "by 1000", "", "from outside of mtui"),
        (
            Status.FAILED,
            None,
            "JobLaunchFailure",
            "n1",
            "Slurm could not run the script on n1: killed by a signal, or its output directory is missing",
        ),
        (Status.FAILED, 3, "NonZeroExitCode", "n1", "exit code 3 on n1"),
        (Status.FAILED, 3, "", "", "exit code 3"),
        (Status.FAILED, None, "NonZeroExitCode", "", "failed (NonZeroExitCode)"),
        (Status.FAILED, None, "", "", "failed (no reason given)"),
    ],
)
def test_ends_in_words(status: Status, code: int | None, reason: str, node: str, words: str) -> None:
    assert end_words(status, code, reason, node) == words
