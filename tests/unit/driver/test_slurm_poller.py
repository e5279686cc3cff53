"""When Slurm is polled, and what happens to a poll that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.backends.slurm_text import SlurmJob, SlurmView, Unobserved
from mtui.core.driver.allocations.tracker import AllocationTracker
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.collect import Collector
from mtui.core.driver.slurm_poller import PollSchedule, SlurmPoller
from mtui.core.engine import events as ev
from mtui.core.engine.status import Status
from mtui.core.errors import WrongCluster
from tests.no_threads import NoThreads
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.engine.script import intend, started

pytestmark = pytest.mark.usefixtures("clock")


def poller_of(context: FakeContext) -> SlurmPoller:
    canceller = Canceller(context)
    return SlurmPoller(context, canceller, Collector(context, canceller), AllocationTracker(context, canceller))


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    context = FakeContext(tmp_path, step("a"))
    context.submit(0)
    return context


# --- the schedule


def due_after(schedule: PollSchedule, *, answered: bool, wanted: bool = False, silent: bool = False) -> float:
    """Seconds from a poll that begins at 0 to the next one."""
    schedule.begin(0.0, wanted)
    assert schedule.due(wanted, silent) is None, "one is under way"
    schedule.end(answered)
    due = schedule.due(wanted, silent)
    assert due is not None
    return due


def test_each_poll_without_an_answer_lengthens_the_pause_by_half() -> None:
    schedule = PollSchedule(30.0)
    pauses = [due_after(schedule, answered=False, silent=True) for _ in range(10)]
    assert pauses[:4] == [10.0, 15.0, 22.5, 33.75]
    assert pauses[-2:] == [180.0, 180.0]


def test_pause_begins_short_again_after_an_answer() -> None:
    schedule = PollSchedule(30.0)
    for _ in range(5):
        due_after(schedule, answered=False, silent=True)
    assert 27 <= due_after(schedule, answered=True) <= 33
    assert due_after(schedule, answered=False, silent=True) == 10.0


def test_short_interval_bounds_the_first_pause_too() -> None:
    assert due_after(PollSchedule(2.0), answered=False, silent=True) == 2.0


def test_wanted_polls_follow_soon_and_then_ever_more_seldom() -> None:
    schedule = PollSchedule(30.0)
    assert schedule.due(True, False) == 1.0
    assert [due_after(schedule, answered=True, wanted=True) for _ in range(4)] == [2.0, 4.0, 8.0, 10.0]
    assert 27 <= due_after(schedule, answered=True) <= 33
    assert schedule.due(True, False) == 1.0


def test_wanted_polls_of_a_silent_slurm_are_not_sooner_than_ten_seconds_and_not_later() -> None:
    schedule = PollSchedule(30.0)
    pauses = [due_after(schedule, answered=False, wanted=True, silent=True) for _ in range(10)]
    assert pauses == [10.0] * 10


def test_new_interval_counts_at_once() -> None:
    schedule = PollSchedule(30.0)
    due_after(schedule, answered=True)
    schedule.set_interval(5.0)
    assert schedule.due(False, False) == 5.0


# --- the part


def test_poll_that_raises_counts_as_no_answer_and_another_follows(context: FakeContext, clock: Clock) -> None:
    poller = poller_of(context)
    context.fake_slurm.view = ValueError("a bug")
    poller.step()
    assert poller.due() is None, "one is under way"
    context.run_posted()
    (silent,) = context.fake_log.events
    assert (silent.kind, getattr(silent, "message", "")) == ("slurm_silent", "ValueError: a bug")
    assert poller.due() == clock.now + 10
    clock.pass_time(10)
    context.fake_slurm.view = SlurmView({"7": SlurmJob("7", "PENDING", name="x")})
    poller.step()
    context.run_posted()
    assert context.trace == ["slurm_silent", "slurm_answers"]


def test_poll_queries_jobs_by_id_and_unanswered_submissions_by_name(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a"), step("b"))
    context.submit(0)
    context.emit(intend("1-1", (1, 1)))
    poller_of(context).step()
    context.run_posted()
    assert context.fake_slurm.polls == [(["7"], [context.job_name("1-1", [1])])]


def test_other_jobs_of_the_user_are_counted_by_qos_and_account(context: FakeContext) -> None:
    poller = poller_of(context)
    jobs = [
        SlurmJob(f"{number}", state, name="mine", qos="long", account="m1")
        for number, state in enumerate(("RUNNING", "PENDING"))
    ]
    ended = SlurmJob("9", "COMPLETED", name="mine", qos="long", account="m1")
    context.fake_slurm.view = SlurmView({job.job: job for job in (*jobs, ended)})
    poller.step()
    context.run_posted()
    assert poller.other_jobs == {("long", "m1"): 2}


def test_silence_is_journalled_once(context: FakeContext, clock: Clock) -> None:
    poller = poller_of(context)
    context.fake_slurm.view = Unobserved("timed out")
    for _ in range(3):
        poller.step()
        context.run_posted()
        clock.pass_time(200)
    assert context.trace == ["slurm_silent"]


def test_poll_for_which_no_thread_can_be_started_is_made_later(
    context: FakeContext, clock: Clock, no_threads: NoThreads
) -> None:
    poller = poller_of(context)
    poller.step()
    (event,) = context.fake_log.events
    assert isinstance(event, ev.SlurmSilent)
    assert event.message == "no thread can be started for squeue: can't start new thread"
    assert context.fake_slurm.polls == []

    no_threads.allow()
    clock.pass_time(15)
    poller.step()
    context.run_posted()

    assert len(context.fake_slurm.polls) == 1
    assert context.trace == ["slurm_silent", "slurm_answers"]


def test_study_without_jobs_is_not_polled(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a"))
    poller = poller_of(context)
    clock.pass_time(1)
    poller.step()
    assert (poller.due(), context.fake_slurm.polls) == (None, [])
    assert poller.polled_at == clock.now, "there is nothing that Slurm could have forgotten"


# --- whose job it is


def poll(context: FakeContext, *jobs: SlurmJob) -> SlurmPoller:
    """Poll once; Slurm shows these jobs."""
    poller = poller_of(context)
    context.fake_slurm.view = SlurmView({job.job: job for job in jobs})
    poller.step()
    context.run_posted()
    return poller


def test_job_is_queried_by_its_id_and_the_name_of_its_submission(context: FakeContext) -> None:
    poll(context)
    assert context.fake_slurm.identities == {"7": "mt.0a1b2c3d.0-0.1:"}


def test_job_that_took_the_claim_may_be_of_an_earlier_submission(context: FakeContext, clock: Clock) -> None:
    context.emit(started(0, job="8"))
    clock.pass_time(1)
    poll(context, SlurmJob("8", "SUSPENDED", name="mt.0a1b2c3d.0-9:a"))
    assert context.fake_slurm.identities == {"8": "mt.0a1b2c3d."}
    assert context.state.status == [Status.SUSPENDED]


@pytest.mark.parametrize("name", ["mine", "mt.0a1b2c3e.0-0.1:a", "mt.0a1b2c3d.0-0.12:a", "mt.0a1b2c3d.0-1:a"])
def test_state_of_another_job_with_the_id_changes_nothing(context: FakeContext, name: str) -> None:
    poll(context, SlurmJob("7", "RUNNING", name=name))
    assert (context.trace, context.state.status) == ([], [Status.PENDING])


def test_cluster_that_is_learned_late_has_to_be_that_of_the_jobs(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a"))
    context.emit(intend("1-1", (0, 1)))
    context.emit(ev.Submitted(at=1.0, submission="1-1", job="7", cluster="alpha"))
    poller = poll(context)
    assert context.trace[-1] == "slurm_silent"
    context.fake_slurm.name = "beta"
    poller._apply(SlurmView({}), 2000.0, "")  # pyright: ignore[reportPrivateUsage]
    assert context.state.status == [Status.PENDING]
    with pytest.raises(WrongCluster, match=r"alpha.*beta"):
        poller._apply(SlurmView({}), 2000.0, "beta")  # pyright: ignore[reportPrivateUsage]
    poller._apply(SlurmView({}), 2000.0, "alpha")  # pyright: ignore[reportPrivateUsage]
    assert (context.cluster, context.trace[-1]) == ("alpha", "slurm_answers")


def test_job_on_a_third_cluster_is_not_missed(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a"), step("b"))
    context.cluster = "alpha"
    context.begin()
    for index, cluster in enumerate(("alpha", "beta")):
        context.emit(intend(f"1-{index}", (index, 1)))
        context.emit(ev.Submitted(at=1.0, submission=f"1-{index}", job=f"{index}", cluster=cluster))
    for _ in range(3):
        poll(context)
        clock.pass_time(100)
    assert [end.instance for end in context.observer.take_presumed_ends()] == [0]
    assert context.fake_slurm.polls[0] == (["0"], [])


def test_jobs_of_an_old_journal_take_the_cluster_on_which_one_is_found(context: FakeContext) -> None:
    context.cluster = "alpha"
    poll(context, SlurmJob("7", "PENDING", name="other"))
    assert (context.trace, context.state.clusters) == ([], set())
    poll(context, SlurmJob("7", "PENDING", name="mt.0a1b2c3d.0-0.1:a"))
    assert (context.trace, context.state.clusters) == (["cluster_found"], {"alpha"})
