"""Cancellations are sent until Slurm or this machine has taken them."""

from __future__ import annotations

from pathlib import Path

from mtui.core.driver.cancel import Canceller
from mtui.core.engine import events as ev
from mtui.core.engine.status import Status
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.engine.script import cancel, ended, started, unbound


def test_orphan_job_is_cancelled_again_until_slurm_accepts_it(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a"))
    context.fake_slurm.refusals = ["slurm is away", "slurm is away"]
    part = Canceller(context)
    part.cancel_orphans(map(context.job_of_study, ["7", "8"]))
    part.step()
    for pause in (5, 10):
        context.run_posted()
        assert part.due() == clock.now + pause
        clock.pass_time(pause)
        part.step()
    part.close()
    assert context.fake_slurm.cancelled == [["7", "8"]] * 3
    assert (context.is_idle, part.due()) == (True, None)


def test_orphan_job_is_not_forgotten_while_slurm_is_silent(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a"))
    context.emit(ev.SlurmSilent(at=1.0, message="m"))
    context.fake_slurm.refusals = ["slurm is away"] * 40
    part = Canceller(context)
    part.cancel_orphans([context.job_of_study("7")])
    for _ in range(20):
        part.step()
        context.run_posted()
        clock.pass_time(60)
    assert len(context.fake_slurm.cancelled) == 20

    context.emit(ev.SlurmAnswers(at=2.0))
    for _ in range(6):  # it answers, and does not know the job
        part.step()
        context.run_posted()
        clock.pass_time(60)
    part.close()
    assert (len(context.fake_slurm.cancelled), part.due()) == (26, None)


def test_orphan_job_is_cancelled_once_nothing_can_begin_by_its_end(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a"), step("end", after=["a"]))
    context.submit(0, "70")
    context.submit(1, "71", after="afterany:70")
    context.state.to_unbind[1] = None
    part = Canceller(context)
    part.cancel_orphans([context.job_of_study("70")])
    part.step()
    assert (context.fake_slurm.cancelled, part.due()) == ([], None)

    context.emit(unbound((1, 1)))
    part.step()
    part.close()

    assert context.fake_slurm.cancelled == [["70"]]


def test_request_is_sent_once_and_journalled_when_slurm_has_taken_it(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": [1, 2]})
    context.submit(0, "70")
    context.submit(1, "71")
    context.emit_all([cancel(0), cancel(1)])
    part = Canceller(context)
    part.step()
    part.step()
    context.run_posted()
    assert context.fake_slurm.cancelled == [["70", "71"]]
    assert context.fake_slurm.identities == {"70": "mt.0a1b2c3d.0-0.1:", "71": "mt.0a1b2c3d.0-1.1:"}
    assert context.trace == ["cancel_requested", "cancel_requested", "sync", "cancel_sent"]
    assert part.due() is None
    part.close()


def test_request_that_slurm_does_not_take_is_sent_again_after_five_seconds(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a"))
    context.submit(0)
    context.emit(cancel(0))
    context.fake_slurm.refusals = ["slurm is away"]
    part = Canceller(context)
    part.step()
    context.run_posted()
    assert context.trace[-1] == "cancel_failed"
    clock.pass_time(4.9)
    part.step()
    assert len(context.fake_slurm.cancelled) == 1
    clock.pass_time(0.2)
    part.step()
    context.run_posted()
    assert context.trace[-1] == "cancel_sent"
    part.close()


def test_pauses_between_rejected_requests_grow_and_the_message_is_recorded_once(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a"))
    context.submit(0)
    context.emit(cancel(0))
    context.fake_slurm.refusals = ["slurm is away"] * 8
    part = Canceller(context)
    pauses: list[float] = []
    for _ in range(8):
        part.step()
        context.run_posted()
        due = part.due()
        assert due is not None
        pauses.append(due - clock.now)
        clock.pass_time(pauses[-1])
    part.step()
    context.run_posted()
    part.close()
    assert pauses == [5, 10, 20, 40, 60, 60, 60, 60]
    assert (context.trace.count("cancel_failed"), context.trace[-1]) == (1, "cancel_sent")


def test_local_step_that_ignores_term_is_killed_after_ten_seconds(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a", local=True))
    context.submit(0, "4711", backend="local")
    context.emit(started(0, job="4711"))
    context.emit(cancel(0))
    part = Canceller(context)
    part.step()
    assert (context.fake_local.cancelled, context.fake_local.killed) == (["4711"], [])
    assert part.due() == clock.now + 10
    clock.pass_time(10)
    part.step()
    assert context.fake_local.killed == ["4711"]
    part.close()


def test_orphan_job_whose_attempt_is_reopened_is_kept(tmp_path: Path, clock: Clock) -> None:
    """The attempt was presumed lost; its own late report shows that it is the current one."""
    context = FakeContext(tmp_path, step("a"))
    context.submit(0, "7")
    context.emit(started(0, job="7"))
    context.emit(ended(0, Status.LOST))
    context.fake_slurm.refusals = ["slurm is away"]
    part = Canceller(context)
    part.cancel_orphans(map(context.job_of_study, ["7", "8"]))
    part.step()
    context.emit(ev.Reopened(at=9.0, instance=0, attempt=1, job="7"))
    context.run_posted()
    clock.pass_time(5)
    part.step()
    part.cancel_orphans([context.job_of_study("7")])  # it is lost again
    part.step()
    part.close()
    assert context.fake_slurm.cancelled == [["7", "8"], ["8"], ["7"]]
