"""What follows from missing answers is made true before it counts, and never two attempts run in one workspace."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mtui.core.backends.slurm_text import SlurmJob, SlurmView, Unobserved, study_tag
from mtui.core.claims import Claims
from mtui.core.driver import collect
from mtui.core.driver.allocations.tracker import AllocationTracker
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.collect import Collector
from mtui.core.driver.earlier_attempts import may_submit
from mtui.core.driver.presumed_ends import PresumedEnds
from mtui.core.driver.slurm_poller import SlurmPoller
from mtui.core.engine.expectation import LOST_WAIT, VERDICT_WAIT
from mtui.core.engine.status import Status
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.engine.script import cancel, ended, intend, missed, retry, started, unclear

EXIT = '{"v":1,"kind":"exit","attempt":"0.1","job":"7","node":"n1","code":143,"signal":"TERM"}\n'


class World:
    """A study with one job in Slurm, and the parts of a driver that judge it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        self.context = FakeContext(folder, step("a"))
        self.context.submit(0)
        self.canceller = Canceller(self.context)
        self.collector = Collector(self.context, self.canceller)
        self.poller = SlurmPoller(
            self.context, self.canceller, self.collector, AllocationTracker(self.context, self.canceller)
        )
        self.presumed = PresumedEnds(self.context, self.canceller)
        self.claims: Claims = self.context.directory.claims

    @property
    def status(self) -> Status:
        return self.context.state.status[0]

    def show(self, *jobs: SlurmJob) -> None:
        name = self.context.job_name("0-0.1", [0])
        shown = {job.job: SlurmJob(job.job, job.state, name=name) for job in jobs}
        self.context.fake_slurm.view = SlurmView(shown)

    def begin_poll(self) -> None:
        """Start a poll that is answered when the next call is made."""
        due = self.poller.due()
        assert due is not None
        self.clock.now = max(self.clock.now, due)
        self.poller.step()

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            self.begin_poll()
            self.context.run_posted()
            self.presumed.step()

    def poll_until(self, status: Status) -> None:
        """Poll until the instance has that status, at most a few minutes by the clock."""
        for _ in range(3 * polls_of(LOST_WAIT)):
            if self.status is status:
                return
            self.poll()
        raise AssertionError(f"it is {self.status.value} and not {status.value}")

    def report(self, text: str) -> None:
        (self.context.directory.spool / "0.1.exit.7").write_text(text)
        self.collector.step()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> World:
    return World(tmp_path, clock)


def polls_of(seconds: float) -> int:
    return int(seconds / 27) + 2  # seconds of the shortest pause between two polls


def assert_next_answer_decides(world: World) -> None:
    """The end is open until Slurm shows how the job ended."""
    assert world.status is Status.COMPLETING
    world.show(SlurmJob("7", "TIMEOUT"))
    world.poll()
    assert world.status is Status.TIMED_OUT


def test_poll_that_began_before_the_end_and_answers_late_does_not_decide(world: World) -> None:
    world.context.emit(started(0))
    world.clock.pass_time(60)
    world.show(SlurmJob("7", "RUNNING"))
    world.begin_poll()
    world.clock.pass_time(1)
    world.report(EXIT)
    world.clock.pass_time(2 * VERDICT_WAIT)
    world.context.run_posted()
    world.collector.step()
    assert_next_answer_decides(world)


def test_silent_slurm_decides_nothing(world: World) -> None:
    world.context.emit(started(0))
    world.clock.pass_time(60)
    world.report(EXIT)
    world.context.fake_slurm.view = Unobserved("Unable to contact slurm controller")
    world.poll(10)
    world.collector.step()
    assert_next_answer_decides(world)


def test_lost_job_can_no_longer_begin_and_is_cancelled(world: World) -> None:
    world.poll_until(Status.LOST)
    world.canceller.step()
    world.canceller.close()
    assert world.claims.is_revoked("0.1")
    assert world.context.fake_slurm.cancelled == [["7"]]


def test_lost_job_that_only_its_own_report_named_is_cancelled(world: World) -> None:
    """It may be of an earlier submission, which its name begins with."""
    world.context.emit(started(0, job="8"))
    world.poll_until(Status.LOST)
    world.canceller.step()
    world.canceller.close()
    assert world.context.fake_slurm.identities["8"] == study_tag(world.context.study.study_id)


def test_missing_job_that_has_its_claim_is_running_and_not_lost(world: World) -> None:
    world.claims.take("0.1", "7")
    world.poll_until(Status.RUNNING)
    world.poll(2)
    assert world.status is Status.RUNNING
    world.poll_until(Status.LOST)  # it began, and nothing is heard of it for as long again


def test_claim_that_cannot_be_taken_delays_the_loss(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Claims, "revoke", no_space)
        world.poll(2 * polls_of(LOST_WAIT))
        assert world.status is Status.PENDING
    world.poll_until(Status.LOST)


def test_cancelled_job_that_slurm_does_not_show_cannot_begin_later(world: World) -> None:
    world.context.emit(cancel(0))
    world.canceller.step()
    world.context.run_posted()
    world.clock.pass_time(1)
    world.poll()
    assert (world.status, world.claims.is_revoked("0.1")) == (Status.CANCELLED, True)


def test_spool_that_cannot_be_listed_is_no_missing_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(collect, "list_records", lambda *_: None)
        world.poll(2 * polls_of(LOST_WAIT))
        assert world.status is Status.PENDING
    world.report(EXIT.replace("143", "0").replace("TERM", ""))
    assert world.status is Status.FINISHED


def test_local_process_has_no_missing_report_while_the_spool_cannot_be_listed(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext(tmp_path, step("a", local=True))
    context.submit(0, "7", backend="local")
    collector = Collector(context, Canceller(context))
    with monkeypatch.context() as patch:
        patch.setattr(collect, "list_records", lambda *_: None)
        collector.process_ended("0.1", "7", None)
        assert context.trace == []
        assert collector.due() == clock.now + 0.5
    (context.directory.spool / "0.1.exit.7").write_text(EXIT.replace("143", "0").replace("TERM", ""))
    collector.step()
    assert context.state.status[0] is Status.FINISHED


# --- before the next attempt


def missed_and_cancelled(context: FakeContext) -> None:
    """A submission counts as missed, is cancelled before it is repeated, and is tried again."""
    context.emit(intend("s", (0, 1)))
    context.emit(unclear("s"))
    context.emit(missed("s"))
    context.emit(cancel(0))
    context.emit(retry(0))


def test_earlier_attempt_that_never_began_is_barred_before_the_next(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a"))
    missed_and_cancelled(context)
    assert may_submit(context, [0])
    assert context.directory.claims.is_revoked("0.1")


def test_claim_of_an_earlier_attempt_is_on_the_disk_before_the_next_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = FakeContext(tmp_path, step("a"))
    missed_and_cancelled(context)
    synced: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(Claims, "sync", fail)
        assert not may_submit(context, [0])
    monkeypatch.setattr(Claims, "sync", lambda claims: synced.append(claims.is_revoked("0.1")))
    assert may_submit(context, [0])
    assert synced == [True]


def fail(_: Claims) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_earlier_attempt_that_did_begin_keeps_running_in_place_of_the_next(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a"))
    missed_and_cancelled(context)
    context.directory.claims.take("0.1", "12")
    assert not may_submit(context, [0])
    assert context.state.status[0] is Status.RUNNING
    assert (context.state.attempts[0][-1].number, context.state.attempts[0][-1].job) == (1, "12")


def test_earlier_attempt_of_a_lost_job_of_an_older_mtui_is_barred_or_reopened(tmp_path: Path) -> None:
    for owner in ("", "7"):
        context = FakeContext(tmp_path / f"of {owner}", step("a"))
        context.submit(0)
        context.emit(ended(0, Status.LOST))
        context.emit(retry(0))
        if owner:
            context.directory.claims.take("0.1", owner)
        assert may_submit(context, [0]) is not bool(owner)


def test_earlier_attempt_whose_job_slurm_showed_as_ended_is_over(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a"))
    context.submit(0)
    context.directory.claims.take("0.1", "7")
    context.emit(ended(0, Status.NODE_FAILED))
    context.emit(retry(0))
    assert may_submit(context, [0])


def test_claims_of_an_array_that_is_lost_are_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = FakeContext(tmp_path, *(step(name) for name in "abc"))
    for index in range(3):
        context.submit(index)
    ends = [ended(index, Status.LOST) for index in range(3)]
    monkeypatch.setattr(context.observer, "take_presumed_ends", lambda: ends)
    synced: list[int] = []
    monkeypatch.setattr(Claims, "sync", lambda claims: synced.append(len(list(claims.folder.glob("[0-9]*")))))
    PresumedEnds(context, Canceller(context)).step()
    assert synced == [3]
    assert [context.state.status[index] for index in range(3)] == [Status.LOST] * 3
