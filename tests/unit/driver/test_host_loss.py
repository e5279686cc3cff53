"""Local steps of earlier drivers: adopted where they run, over where their host is gone, else the user decides."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mtui.core.driver import host_loss
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.collect import Collector
from mtui.core.driver.host_loss import HostLoss
from mtui.core.engine import events as ev
from mtui.core.engine.causes import CauseCode
from mtui.core.engine.commands import HOST_GONE, CommandRequest, apply_command
from mtui.core.engine.status import Status
from mtui.core.store.lease_owner import Owner, boot_id, pid_namespace
from tests.no_threads import NoThreads
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.engine.script import intend, submitted

STARTER = Owner(3, "login01", "another boot", 4000, "1", 1.0)


class Steps:
    """A study whose local step was started by an earlier driver, and the parts of the present one, on host `here`."""

    def __init__(self, folder: Path, starter: Owner, node: str) -> None:
        self.context = FakeContext(folder, step("a", local=True))
        (self.context.directory.owner / f"{starter.epoch:06d}").write_text(json.dumps(asdict(starter)))
        driver = ev.DriverStarted(at=1.0, epoch=4, host="here", pid=1, version="0")
        for event in (driver, intend("3-1", (0, 1), backend="local"), submitted("3-1", "4711", node)):
            self.context.emit(event)
        self.collector = Collector(self.context, Canceller(self.context))
        self.part = HostLoss(self.context, self.collector)

    @property
    def status(self) -> Status:
        return self.context.state.status[0]

    @property
    def code(self) -> CauseCode | None:
        cause = self.context.state.cause(0)
        return cause.code if cause else None

    def begin(self) -> None:
        self.part.begin()
        self.collector.step()

    def command(self, verb: str, **options: str) -> str:
        request = CommandRequest(f"c{len(self.context.state.commands)}", verb, ("a",), tuple(options.items()))
        events = apply_command(self.context.state, request, 5.0)
        self.context.emit_all(events)
        done = events[-1]
        assert isinstance(done, ev.CommandDone)
        return done.outcome


def test_step_of_a_host_that_was_started_again_is_lost(tmp_path: Path) -> None:
    steps = Steps(tmp_path, STARTER, "here")
    steps.begin()
    assert (steps.status, steps.code) == (Status.LOST, CauseCode.HOST_RESTARTED)


def test_step_that_runs_on_this_host_is_adopted_under_any_host_name(tmp_path: Path) -> None:
    steps = Steps(tmp_path, replace(STARTER, boot=boot_id()), "login01")
    steps.context.fake_local.running = {"0.1"}
    steps.begin()
    attempt = steps.context.state.attempts[0][-1]
    assert (steps.status, attempt.node) == (Status.RUNNING, "here")
    assert steps.command("cancel", host_gone="true") == "refused", "it can be seen alive"
    assert steps.command("cancel") == "done"


def test_step_that_no_longer_runs_on_this_machine_of_another_name_is_over(tmp_path: Path) -> None:
    steps = Steps(tmp_path, replace(STARTER, boot=boot_id(), pids=pid_namespace()), "login01")
    steps.begin()
    assert (steps.status, steps.code) == (Status.FAILED, CauseCode.NO_RECORD)


def test_step_that_a_container_of_this_machine_may_run_is_not_over(tmp_path: Path) -> None:
    steps = Steps(tmp_path, replace(STARTER, boot=boot_id(), pids="pid:[1]"), "login01")
    steps.begin()
    assert steps.status is Status.RUNNING


def test_step_is_lost_once_slurm_shows_the_end_of_the_job_in_which_its_driver_ran(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(host_loss, "owners_job_has_ended", lambda owner: owner.slurm_job in ended)
    steps = Steps(tmp_path, replace(STARTER, slurm_job="77"), "nid001")
    steps.begin()
    for job in ("", "77"):
        ended.append(job)
        assert steps.part.due() is not None
        steps.part.step()
        steps.context.run_posted()
        clock.pass_time(60)
    assert (steps.status, steps.code) == (Status.LOST, CauseCode.DRIVER_JOB_ENDED)
    steps.part.step()
    assert steps.part.due() is None


def test_thread_that_cannot_be_started_delays_the_question(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, no_threads: NoThreads
) -> None:
    monkeypatch.setattr(host_loss, "owners_job_has_ended", lambda _: True)
    steps = Steps(tmp_path, replace(STARTER, slurm_job="77"), "nid001")
    steps.begin()
    with pytest.raises(OSError, match="no thread"):
        steps.part.step()
    assert steps.part.due() is not None
    no_threads.allow()
    clock.pass_time(1)
    steps.part.step()
    steps.context.run_posted()
    assert steps.code is CauseCode.DRIVER_JOB_ENDED


def test_report_that_comes_after_the_loss_is_the_true_end(tmp_path: Path) -> None:
    steps = Steps(tmp_path, STARTER, "here")
    steps.begin()
    record = '{"v":1,"kind":"exit","attempt":"0.1","job":"4711","node":"here","code":0,"signal":""}\n'
    (steps.context.directory.spool / "0.1.exit.4711").write_text(record)
    steps.collector.step()
    assert steps.status is Status.FINISHED


def test_user_may_end_a_step_whose_host_is_gone_and_have_it_run_again(tmp_path: Path) -> None:
    steps = Steps(tmp_path, STARTER, "login01")
    steps.begin()
    assert steps.status is Status.RUNNING, "nobody knows"
    assert {steps.command(verb) for verb in ("cancel", "retry", "done", "skip", "rerun")} == {"refused"}
    assert steps.command("cancel", **{HOST_GONE: "true"}) == "done"
    assert (steps.status, steps.code) == (Status.LOST, CauseCode.HOST_GONE)
    assert steps.command("retry") == "done"
    assert steps.status is Status.READY


def test_step_on_the_host_of_the_driver_is_not_ended_by_host_gone(tmp_path: Path) -> None:
    steps = Steps(tmp_path, STARTER, "here")
    assert steps.command("cancel", **{HOST_GONE: "true"}) == "refused"
