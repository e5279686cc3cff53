"""What headless mode prints of who drives."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.driver import Purpose, Supervisor, SupervisorListener
from mtui.core.driver.location import DrivenElsewhere, DrivenHere, DriverLocation
from mtui.core.engine.state import StudyState
from mtui.core.store.lease_owner import Owner
from mtui.core.store.study_directory import create_directory
from mtui.core.store.study_file import Settings, StudyFile
from mtui.tui.cli.verbs.headless import _handling_signals, _Printer
from tests.no_threads import NoThreads
from tests.plans import plan, step

OWNER = Owner(1, "login1", "", 7, "", 0.0)
WATCHED = DrivenElsewhere(OWNER, OWNER.words)


def printed(*locations: DriverLocation) -> list[str]:
    lines: list[str] = []
    printer = _Printer(SupervisorListener(), lines.append)
    for location in locations:
        printer.moved(location, StudyState(plan(step("a"))))
    return lines


def test_driver_that_is_watched_is_printed_once_with_the_progress() -> None:
    suspended = replace(WATCHED, words=f"{OWNER.words}, which is suspended", quiet_for=15.0)
    assert printed(WATCHED, suspended) == [f"Driver: {OWNER.words}. Watching. [0/1 done]"]


def test_driver_after_the_watched_one_is_printed_too() -> None:
    newer = replace(WATCHED, owner=replace(OWNER, epoch=2), words="process 8")
    assert printed(WATCHED, newer)[1] == "Driver: process 8. Watching. [0/1 done]"


def test_driver_that_is_silent_is_printed_with_its_last_sign_of_life() -> None:
    (line,) = printed(replace(WATCHED, quiet_for=7200.0, is_silent=True))
    assert line.startswith(f"The last driver seems to have ended ({OWNER.words}, no heartbeat for 2h")
    assert line.endswith("); checking can take a minute.")


def test_taking_over_is_printed_of_a_driver_that_was_watched() -> None:
    assert printed(WATCHED, DrivenHere(OWNER))[1] == f"The driver has ended ({OWNER.words}); taking over."


def test_driver_that_was_dead_before_is_not_mentioned() -> None:
    assert printed(DrivenHere(OWNER)) == []


def test_successor_for_which_no_thread_can_be_started_is_noted_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_threads: NoThreads
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    directory = create_directory(tmp_path / "out", "", [])
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), plan(step("a", local=True)))
    notes: list[str] = []
    supervisor = Supervisor(directory, study, Purpose.RUN, SupervisorListener())
    monkeypatch.setattr(supervisor, "note", notes.append)
    printer = _Printer(SupervisorListener(), lambda _: None)
    printer.location = DrivenHere()
    with _handling_signals(directory, supervisor, printer):
        signal.raise_signal(signal.SIGUSR2)
    assert no_threads.refused == 1
    assert notes == ["cannot submit a successor job: can't start new thread"]
