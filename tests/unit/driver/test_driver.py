"""The loop: which part is called when, and what ends it."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtui.core.driver import Driver, Purpose, Supervisor, SupervisorListener, collect, io_errors
from mtui.core.driver import loop as module
from mtui.core.driver.crash_points import POINTS
from mtui.core.driver.driver import HAND_OVER_FAILED
from mtui.core.driver.location import CannotDrive, DriverLocation, StudyOver
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.errors import DriverError
from mtui.core.spec.study_spec import Step
from mtui.core.store import inbox
from mtui.core.store.journal import read_events
from mtui.core.store.lease import Lease
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, read_study_file, write_study_file
from tests.no_threads import NoThreads
from tests.plans import plan, step

PARTS = (
    *("LeaseKeeper", "CommandRunner", "Collector", "SlurmPoller", "AllocationTracker", "PackedCanceller"),
    *("OwnAllocation", "Withdrawer", "Canceller", "Retrier", "AllocationScheduler", "Submitter", "StatusWriter"),
)


class Study:
    """A study of steps on this machine, and its driver. `steps` has the parts that were stepped, in order."""

    def __init__(self, folder: Path, *steps: Step) -> None:
        self.directory: StudyDirectory = create_directory(folder / "out", "", [])
        made = plan(*steps, out=str(self.directory.root))
        study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), made)
        write_study_file(self.directory.study_file, study)
        self.on_event: Callable[[ev.Event], None] = lambda _: None
        self.driver = Driver(self.directory, study, self._listen)
        self.steps: list[str] = []

    def _listen(self, event: ev.Event, state: StudyState) -> None:  # noqa: ARG002
        self.on_event(event)

    def journal(self) -> list[str]:
        return [event.kind for event in read_events(self.directory.journal)]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    study = Study(tmp_path, step("a", local=True))
    for name in PARTS:
        part: Any = getattr(module, name)

        def stepped(self: Any, step: Callable[[Any], None] = part.step, name: str = name) -> None:
            study.steps.append(name)
            step(self)

        monkeypatch.setattr(part, "step", stepped)
    return study


def test_parts_are_stepped_in_the_documented_order(study: Study) -> None:
    assert study.driver.run() == "finished"
    assert tuple(study.steps[: len(PARTS)]) == PARTS
    ends = study.steps[study.steps.index("StatusWriter") + 1 :]
    assert ends[:10] == list(PARTS[:10]), "each turn begins with the lease"
    assert [name for name in study.steps if name != "LeaseKeeper"][-1] == "Retrier", (
        "the turn in which the study is over starts nothing"
    )
    assert study.journal()[-2:] == ["study_ended", "driver_stopped"]


def test_commands_alone_start_and_retry_nothing(study: Study) -> None:
    assert study.driver.run(only_commands=True) == "stopped"
    assert not {"Retrier", "AllocationScheduler", "Submitter"} & set(study.steps)
    assert study.journal() == ["driver_started", "driver_stopped"]


def test_command_counts_before_anything_is_started(study: Study) -> None:
    inbox.send_command(study.directory.inbox, "cancel", ("a",), {})
    assert study.driver.run() == "cancelled"
    assert "submit_intended" not in study.journal()


def test_driver_that_is_to_stop_starts_nothing_more(study: Study) -> None:
    study.driver.stop("signal")
    study.driver._calls.get()()  # pyright: ignore[reportPrivateUsage]
    assert study.driver.run() == "stopped"
    assert "Submitter" not in study.steps
    assert study.journal() == ["driver_started", "driver_stopped"]


def test_lost_lease_ends_the_driver_before_any_other_part_and_without_a_word(study: Study) -> None:
    def take_over(event: ev.Event) -> None:
        if isinstance(event, ev.DriverStarted):
            (study.directory.owner / "000002").touch()

    study.on_event = take_over
    with pytest.raises(DriverError, match="another driver took over this study"):
        study.driver.run()
    assert study.steps == ["LeaseKeeper"]
    assert study.journal() == ["driver_started"]


def test_draining_driver_waits_for_the_local_steps_that_run_and_starts_no_other(tmp_path: Path) -> None:
    loop = "while [ ! -e go ]; do sleep 0.02; done"
    study = Study(tmp_path, step("a", local=True, cmd=loop), step("b", "a", local=True))
    running, outcomes = threading.Event(), list[str]()

    def on_event(event: ev.Event) -> None:
        if isinstance(event, ev.Submitted):
            running.set()

    study.on_event = on_event
    thread = threading.Thread(target=lambda: outcomes.append(study.driver.run()))
    thread.start()
    assert running.wait(20)
    study.driver.drain("the job ends")
    (study.directory.root / "a" / "go").touch()
    thread.join(20)
    assert outcomes == ["stopped"]
    assert study.journal()[-2:] == ["ended", "driver_stopped"]
    assert study.journal().count("submit_intended") == 1


def test_driver_that_cannot_be_handed_over_without_a_thread_reports_it_and_keeps_the_study(
    tmp_path: Path, no_threads: NoThreads
) -> None:
    study = Study(tmp_path, step("a", local=True))
    notes = list[str]()

    def on_event(event: ev.Event) -> None:
        if isinstance(event, ev.DriverStarted):
            study.driver.detach()
        if isinstance(event, ev.Anomaly):
            notes.append(event.message)
            no_threads.allow()

    study.on_event = on_event
    assert study.driver.run() == "finished"
    assert notes == [f"{HAND_OVER_FAILED}: no thread can be started"]


def test_study_runs_once_threads_can_be_started_again(tmp_path: Path, no_threads: NoThreads) -> None:
    study = Study(tmp_path, step("a", local=True), step("b", "a", local=True))
    failed = list[str]()

    def on_event(event: ev.Event) -> None:
        if isinstance(event, ev.IoErrorBegan):
            failed.append(f"{event.what}: {event.message}")
            no_threads.allow()

    study.on_event = on_event
    assert study.driver.run() == "finished"
    assert failed[0] == "watch for reports: can't start new thread"
    assert study.journal().count("submit_intended") == 2


def test_part_without_memory_ends_this_driver_and_the_next_one_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(tmp_path, step("a", local=True), step("b", "a", local=True))
    failures = iter([True, False])
    reported = list[str]()

    def read(path: Path, real: Callable[[Path], Any] = collect.read_record) -> Any:
        if next(failures, False):
            raise MemoryError
        return real(path)

    monkeypatch.setattr(collect, "read_record", read)

    class Listener(SupervisorListener):
        def moved(self, location: DriverLocation, state: StudyState | None) -> None:  # noqa: ARG002
            if isinstance(location, CannotDrive):
                reported.append(location.message)

    outcome = Supervisor(study.directory, read_study_file(study.directory.study_file), Purpose.RUN, Listener()).run()

    assert isinstance(outcome, StudyOver)
    assert outcome.result == "finished"
    assert reported == ["there is not enough memory"]
    assert (study.journal().count("driver_started"), study.journal().count("submit_intended")) == (2, 2)


def test_lease_is_released_whatever_ends_the_driver(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(module.Collector, "step", fail)
    with pytest.raises(ValueError, match="a bug"):
        study.driver.run()
    Lease.acquire(study.directory.owner).release()


def test_checkpoint_that_could_not_be_written_is_reported_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(io_errors, "FIRST_DELAY", 0.05)
    study = Study(tmp_path, step("a", local=True, cmd="for i in $(seq 400); do [ -e go ] && exit; sleep 0.05; done"))
    study.directory.checkpoint.mkdir()
    reported: list[str] = []

    def on_event(event: ev.Event) -> None:
        if isinstance(event, ev.IoErrorBegan):
            reported.append(event.kind)
            study.directory.checkpoint.rmdir()
        if isinstance(event, ev.IoErrorEnded):
            reported.append(event.kind)
            (study.directory.root / "a" / "go").touch()

    study.on_event = on_event
    assert study.driver.run() == "finished"
    assert reported == ["io_error_began", "io_error_ended"]


def test_driver_that_is_stopped_before_it_can_decide_says_what_it_cannot_do(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error", "/a/list")

    def stop(event: ev.Event) -> None:
        if isinstance(event, ev.IoErrorBegan):
            study.driver.stop("the test")

    monkeypatch.setattr(module, "recover_study", fail)
    study.on_event = stop
    with pytest.raises(DriverError, match="cannot read what happened before: /a/list: Input/output error"):
        study.driver.run()


def test_crash_points_are_listed_once() -> None:
    assert len(set(POINTS)) == len(POINTS)
