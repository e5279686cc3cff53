"""Errors of the file system at every point of the driver that a study on this machine passes: nothing is lost or runs
twice, its result is the usual one, and the driver reports what it could not do."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from mtui.core.driver import Driver, io_errors
from mtui.core.driver.crash_points import POINTS
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.errors import DriverError, StudyDirectoryError
from mtui.core.spec.study_spec import Step
from mtui.core.store import inbox
from mtui.core.store.checkpoint import load_state
from mtui.core.store.journal import read_events
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from mtui.core.store.study_reader import read_study
from tests.faults.failing_files import FailingFiles
from tests.plans import plan, step
from tests.waiting import wait_until

OF_SLURM = ("allocate.", "give.", "return.", "unbind.", "retry.")
HERE = [point for point in POINTS if not point.startswith(OF_SLURM)]
ERRORS = (errno.ENOSPC, errno.EIO, errno.ESTALE)


class Run:
    """A study on this machine and its driver. The payloads write into `trace`; `victim` is cancelled."""

    def __init__(self, folder: Path, *steps: Step) -> None:
        self.directory: StudyDirectory = create_directory(folder / "out", "", [])
        self.trace = folder / "trace"
        self.trace.touch()
        made = plan(*steps, rows={"X": [1, 2]}, out=str(self.directory.root))
        self.ended = folder / "ended"  # what the command for the end wrote
        settings = Settings(local_jobs=3, on_end=f"echo $MTUI_RESULT >> {self.ended}")
        self.study = StudyFile("0a1b2c3d", 1.0, "s.yaml", settings, made)
        write_study_file(self.directory.study_file, self.study)
        self.events: list[ev.Event] = []
        self.command = ""  # to cancel the victim, sent once something runs
        self.driver = Driver(self.directory, self.study, self.listen)

    def listen(self, event: ev.Event, state: StudyState) -> None:
        self.events.append(event)
        if state.live_local and not self.command:
            with suppress(StudyDirectoryError):  # the user meets the same error, and tries again
                self.command = inbox.send_command(self.directory.inbox, "cancel", ("victim",), {})

    def ran(self) -> Counter[str]:
        return Counter(word for word in self.trace.read_text().split() if not word.isdigit())


def steps(trace: Path) -> list[Step]:
    return [
        step("victim", local=True, cmd=f"echo victim >> {trace}; while true; do sleep 0.1; done"),
        step("a", uses="X", local=True, cmd=f"echo a_$(X) >> {trace}"),
        step("b", "a", uses="X", local=True, cmd=f"echo b_$(X) >> {trace}"),
        step("all", "b_*", local=True, cmd=f"echo all >> {trace}"),
    ]


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_errors, "FIRST_DELAY", 0.05)


@pytest.mark.parametrize(("point", "number"), [(point, ERRORS[at % 3]) for at, point in enumerate(HERE)])
def test_error_that_passes_delays_the_study_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, number: int
) -> None:
    run = Run(tmp_path, *steps(tmp_path / "trace"))
    files = FailingFiles(monkeypatch, run.directory.root, point, number, 4)
    assert run.driver.run() == "cancelled"
    monkeypatch.undo()
    assert files.is_reached
    ran = run.ran()
    assert ran - Counter(["victim"]) == Counter(["a_1", "a_2", "b_1", "b_2", "all"])
    assert ran["victim"] <= 1
    began = [event for event in run.events if isinstance(event, ev.IoErrorBegan)]
    assert len({event.what for event in began}) == len(began) or files.failed, "each is reported once"
    state, _ = load_state(run.directory, run.study)
    assert [event.kind for event in read_events(run.directory.journal)] == [event.kind for event in run.events]
    assert state.result == "cancelled"
    assert not state.io_errors
    assert run.ended.read_text() == "cancelled\n"


@pytest.mark.parametrize(("point", "number"), [(point, ERRORS[at % 3]) for at, point in enumerate(HERE)])
def test_error_that_lasts_is_survived_by_this_driver_or_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, number: int
) -> None:
    """All writes fail from the point on, until the file system is repaired."""
    run = Run(tmp_path, *steps(tmp_path / "trace"))
    files = FailingFiles(monkeypatch, run.directory.root, point, number, -1)

    def drive() -> None:
        with suppress(DriverError, StudyDirectoryError):
            run.driver.run()

    thread = threading.Thread(target=drive)
    thread.start()
    wait_until(lambda: files.failed > 3 or not thread.is_alive(), 60, f"writes fail from {point} on")
    assert files.is_reached
    files.repair()
    thread.join(60)
    assert not thread.is_alive()
    if read_study(run.directory)[1].result != "cancelled":
        assert Driver(run.directory, run.study, run.listen).run() == "cancelled"
    ran = run.ran()
    assert ran - Counter(["victim"]) == Counter(["a_1", "a_2", "b_1", "b_2", "all"])
    assert ran["victim"] <= 1
    assert run.ended.read_text() == "cancelled\n"


@pytest.mark.parametrize("number", ERRORS)
def test_driver_waits_while_its_directory_cannot_be_written_and_then_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    run = Run(tmp_path, *steps(tmp_path / "trace"))
    files = FailingFiles(monkeypatch, run.directory.root, "submit.synced", number, -1)
    outcomes: list[str] = []
    thread = threading.Thread(target=lambda: outcomes.append(run.driver.run()))
    thread.start()
    wait_until(lambda: files.failed > 5, 30, "many calls have failed")
    began = [event for event in run.events if isinstance(event, ev.IoErrorBegan)]
    assert began
    assert all(str(run.directory.root) in event.path for event in began)
    assert len({event.what for event in began}) == len(began), "each is reported once"
    assert thread.is_alive()
    files.repair()
    thread.join(60)
    assert outcomes == ["cancelled"]
    monkeypatch.undo()
    assert run.ran() - Counter(["victim"]) == Counter(["a_1", "a_2", "b_1", "b_2", "all"])
    ended = [event.what for event in run.events if isinstance(event, ev.IoErrorEnded)]
    assert {event.what for event in began} <= set(ended)
