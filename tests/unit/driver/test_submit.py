"""What is submitted when, and how long submissions pause after each kind of answer."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mtui.core.backends.backend import Accepted, Answer, Deferred, Refused, Unclear
from mtui.core.backends.cluster_limits import ClusterLimits
from mtui.core.driver.slurm_poller import SlurmPoller
from mtui.core.driver.submit import Submitter
from mtui.core.engine import events as ev
from mtui.core.engine.status import Status
from mtui.core.store.study_file import Settings
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.driver.test_slurm_poller import poller_of
from tests.unit.engine.script import ended, started

pytestmark = pytest.mark.usefixtures("clock")
SINGLY = Settings(array=1, submit_ahead=False)


class Submissions:
    """A submitter, and the poller that it asks."""

    def __init__(self, context: FakeContext) -> None:
        self.context = context
        self.poller: SlurmPoller = poller_of(context)
        self.part = Submitter(context, self.poller)
        if context.slurm and context.fake_slurm.limits is not None:
            context.run_posted()  # the limits of the cluster

    def step(self, answers: int = 0) -> list[tuple[int, ...]]:
        """The instances that one step submits to Slurm; waits for `answers` of sbatch."""
        before = len(self.context.fake_log.events)
        self.part.step()
        self.context.run_posted(answers)
        events = self.context.fake_log.events[before:]
        intents = [event for event in events if isinstance(event, ev.SubmitIntended)]
        return [tuple(index for index, _ in event.members) for event in intents]


def submissions(tmp_path: Path, rows: int = 1, settings: Settings = SINGLY) -> Submissions:
    """Of a study with a step for each of so many rows, and a second step after each."""
    steps = step("a", uses="X"), step("b", "a", uses="X")
    return Submissions(FakeContext(tmp_path, *steps, rows={"X": range(rows)}, settings=settings))


def finish(context: FakeContext, index: int) -> None:
    job = context.state.attempts[index][-1].job
    context.emit(started(index, job=job))
    context.emit(ended(index))


# --- this machine


def test_local_steps_start_up_to_their_limit_with_files_and_intent_first(tmp_path: Path) -> None:
    steps = (step("a", uses="X", local=True),)
    context = FakeContext(tmp_path, *steps, rows={"X": range(3)}, settings=Settings(local_jobs=2))
    part = Submitter(context, poller_of(context))
    part.step()
    part.step()
    assert context.trace == ["submit_intended", "submit_intended", "sync", "submitted", "submitted"]
    assert [job.only.name for job in context.fake_local.jobs] == ["0.1", "1.1"]
    assert all(Path(job.only.script).is_file() for job in context.fake_local.jobs)
    part.close()


def test_machine_without_room_is_tried_again_after_five_seconds(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a", local=True))
    context.fake_local.answers = [Deferred("no process can be made")]
    part = Submitter(context, poller_of(context))
    part.step()
    assert context.trace[-1] == "submit_deferred"
    assert part.due() == clock.now + 5
    part.step()
    assert len(context.fake_local.jobs) == 1
    clock.pass_time(5)
    part.step()
    assert context.trace[-1] == "submitted"
    part.close()


# --- Slurm


def test_intent_is_on_the_disk_and_the_script_is_there_before_sbatch_is_called(tmp_path: Path) -> None:
    study = submissions(tmp_path)
    assert study.step(answers=1) == [(0,)]
    assert study.context.trace == ["submit_intended", "sync", "submitted"]
    (job,) = study.context.fake_slurm.jobs
    assert Path(job.only.script).is_file()
    assert job.name == study.context.job_name("1-1", [0])
    study.part.close()


@pytest.mark.parametrize("answer", [Accepted("7"), Unclear("timed out")])
def test_answer_that_arrives_after_the_end_of_the_job_is_not_an_anomaly(tmp_path: Path, answer: Answer) -> None:
    study = submissions(tmp_path)
    study.context.fake_slurm.answers = [answer]
    assert study.step() == [(0,)]
    study.context.emit(started(0, job="7"))
    study.context.emit(ended(0))
    study.context.run_posted()
    assert study.context.trace == ["submit_intended", "sync", "started", "ended"]
    assert study.context.state.status[0] is Status.FINISHED
    study.part.close()


@pytest.mark.parametrize(
    ("answer", "event", "pause"),
    [
        (Deferred("slurm is busy"), "submit_deferred", 30.0),
        (Unclear("timed out"), "submit_unclear", 1.0),
    ],
)
def test_submissions_pause_after_an_answer_that_is_not_yes(
    tmp_path: Path, clock: Clock, answer: Deferred | Unclear, event: str, pause: float
) -> None:
    study = submissions(tmp_path, rows=5)
    study.context.fake_slurm.answers = [answer] * 4
    study.step(answers=4)
    assert study.context.trace.count(event) == 4
    clock.pass_time(pause - 0.1)
    assert study.step() == []
    clock.pass_time(0.2)
    assert study.step(answers=1)
    study.part.close()


def test_pauses_grow_while_slurm_defers_every_submission(tmp_path: Path, clock: Clock) -> None:
    study = submissions(tmp_path, rows=5)
    study.context.fake_slurm.answers = [Deferred("slurm is busy")] * 9
    study.step(answers=4)
    pauses: list[float] = []
    for _ in range(5):
        pauses.append(study.part._slurm_closed_until - clock.now)  # pyright: ignore[reportPrivateUsage]
        clock.pass_time(pauses[-1] - 0.1)
        assert study.step() == []
        clock.pass_time(0.2)
        study.step(answers=1)
    assert pauses == [30, 60, 120, 240, 300]
    study.part.close()


def test_refused_submission_fails_and_pauses_the_others_only_if_it_is_tried_again(tmp_path: Path, clock: Clock) -> None:
    study = submissions(tmp_path, rows=5, settings=Settings(array=1, submit_ahead=False, attempts=2))
    study.context.fake_slurm.answers = [Refused("invalid account")] * 4
    study.step(answers=4)
    assert study.context.state.status[:4] == [Status.FAILED] * 4
    clock.pass_time(4.9)
    assert study.step() == []
    clock.pass_time(0.2)
    assert study.step(answers=1) == [(4,)]
    study.part.close()


@pytest.mark.parametrize("news", [ended(0, Status.FAILED), ev.SlurmAnswers(at=1.0)], ids=lambda event: event.kind)
def test_end_of_a_job_or_an_answer_of_slurm_ends_the_pause(tmp_path: Path, news: ev.Event) -> None:
    study = submissions(tmp_path, rows=3)
    study.context.fake_slurm.answers = []
    assert study.step(answers=3) == [(0,), (1,), (2,)]
    finish(study.context, 1)  # its child is ready
    study.context.fake_slurm.answers = [Deferred("slurm is busy")]
    assert study.step(answers=1) == [(4,)]
    assert study.step() == []
    if isinstance(news, ev.Ended):
        study.context.emit(started(0, job=study.context.state.attempts[0][-1].job))
    study.context.emit(news)
    assert study.context.state.slurm_silent_since == 0
    study.part._rests.clear()  # pyright: ignore[reportPrivateUsage]
    assert study.step(answers=1) == [(4,)]
    study.part.close()


def test_instances_of_a_step_that_get_ready_one_by_one_gather_for_half_a_second(tmp_path: Path, clock: Clock) -> None:
    study = submissions(tmp_path, rows=3, settings=Settings(submit_ahead=False))
    assert study.step(answers=1) == [(0, 1, 2)]
    finish(study.context, 0)
    assert study.step(answers=1) == [(3,)], "the first of its step waits for nobody"
    finish(study.context, 1)
    assert study.step() == []
    assert study.part.due() == clock.now + 0.5
    clock.pass_time(0.4)
    finish(study.context, 2)
    assert study.step() == []
    clock.pass_time(0.1)
    assert study.step(answers=1) == [(4, 5)], "together"
    study.part.close()


def test_limits_that_cannot_be_read_are_logged_and_learned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = FakeContext(tmp_path, step("a"), settings=SINGLY)
    context.fake_slurm.limits = ValueError("a bug")
    with caplog.at_level(logging.WARNING, "mtui"):
        study = Submissions(context)
    assert "the limits of the cluster cannot be read" in caplog.text
    assert study.step(answers=1) == [(0,)]
    study.part.close()


def test_submit_limit_of_the_cluster_counts_other_jobs_of_the_user(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": range(4)}, settings=SINGLY)
    context.fake_slurm.limits = ClusterLimits(submit_limits={"": 3, "normal": 3}, default_qos={"": "normal"})
    study = Submissions(context)
    study.poller.other_jobs = {("normal", "m9"): 1}
    assert study.step(answers=2) == [(0,), (1,)]
    assert study.step() == []
    study.part.close()


# --- the debug log


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("mtui.core.driver.submit")]


def test_reason_why_nothing_is_submitted_is_logged_once_until_it_changes(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    study = submissions(tmp_path, rows=2, settings=Settings(array=1, submit_ahead=False, throttle=1))
    with caplog.at_level(logging.DEBUG, "mtui"):
        study.step(answers=1)
        for _ in range(50):
            clock.pass_time(1)
            study.step()
        assert reasons(caplog) == ["nothing submitted to Slurm: the throttle is reached"]
        study.context.fake_slurm.answers = [Deferred("slurm is busy")]
        finish(study.context, 0)
        study.step(answers=1)
        for _ in range(5):
            study.step()
        assert reasons(caplog)[1:] == ["nothing submitted to Slurm: deferred: slurm is busy"]
    study.part.close()


def test_reason_why_local_steps_wait_is_logged_in_the_turn_that_starts_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = FakeContext(
        tmp_path, step("a", uses="X", local=True), rows={"X": range(3)}, settings=Settings(local_jobs=2)
    )
    submitter = Submissions(context)

    with caplog.at_level(logging.DEBUG, "mtui"):
        submitter.step()

    assert reasons(caplog) == ["no further local step started: all local slots are in use"]


def test_hold_is_the_reason_if_nothing_else_is_ready(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    study = submissions(tmp_path, rows=2)
    for index in range(len(study.context.plan.instances)):
        study.context.emit(ev.Held(at=1.0, instance=index))

    with caplog.at_level(logging.DEBUG, "mtui"):
        assert study.step() == []

    assert reasons(caplog) == ["nothing submitted to Slurm: nothing is ready, 4 held"]
    study.part.close()


def test_reasons_are_not_worked_out_without_the_debug_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr("mtui.core.driver.submit.why_no_job", fail)
    study = submissions(tmp_path, rows=2, settings=Settings(array=1, submit_ahead=False, throttle=1))
    study.step(answers=1)
    assert study.step() == []
    study.part.close()


# --- the user's other jobs


def with_bank(tmp_path: Path, rows: int = 8) -> Submissions:
    """Of a study with a step of so many rows under account m1, which takes 5 jobs."""
    context = FakeContext(tmp_path, step("a", uses="X", bank="m1"), rows={"X": range(rows)}, settings=SINGLY)
    context.fake_slurm.limits = ClusterLimits(account_limits={"m1": 5}, default_qos={"": "normal"})
    return Submissions(context)


def test_jobs_under_another_account_leave_the_room_under_an_account_limit(tmp_path: Path, clock: Clock) -> None:
    study = with_bank(tmp_path)
    study.poller.other_jobs = {("normal", "m2"): 20}
    assert len(study.step(4)) == 4
    clock.pass_time(1)
    assert len(study.step(1)) == 1


def test_jobs_under_the_account_count_in_every_qos(tmp_path: Path, clock: Clock) -> None:
    study = with_bank(tmp_path)
    study.poller.other_jobs = {("debug", "m1"): 2, ("normal", "m1"): 1}
    assert len(study.step(2)) == 2
    clock.pass_time(1)
    assert study.step() == []


def test_limit_that_other_jobs_fill_is_named_and_polled_until_there_is_room(tmp_path: Path, clock: Clock) -> None:
    study = with_bank(tmp_path)
    study.poller.other_jobs = {("normal", "m1"): 5}
    assert study.poller.due() is None
    assert (study.step(), study.step()) == ([], [])
    words = "account m1 allows 5 jobs per user, and your other jobs use all of it"
    assert [event.kind for event in study.context.fake_log.events] == ["limit_reached"]
    assert study.context.state.deferred == words
    assert study.poller.due() is not None
    clock.pass_time(100)
    study.poller.step()
    study.context.run_posted()
    assert len(study.context.fake_slurm.polls) == 1
    assert len(study.step(1)) == 1, "one sbatch at a time until one was accepted"
    assert (study.context.state.deferred, study.poller.is_room_awaited) == ("", False)


def test_steps_under_two_accounts_share_the_room_under_a_qos(tmp_path: Path, clock: Clock) -> None:
    steps = step("a", uses="X", bank="m1"), step("b", uses="X", bank="m2")
    context = FakeContext(tmp_path, *steps, rows={"X": range(4)}, settings=SINGLY)
    context.fake_slurm.limits = ClusterLimits(submit_limits={"normal": 5}, default_qos={"": "normal"})
    study = Submissions(context)
    assert len(study.step(4)) == 4
    clock.pass_time(1)
    assert len(study.step(1)) == 1
    clock.pass_time(1)
    assert study.step() == []
