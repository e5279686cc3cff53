"""A study that is opened while no thread can be started is read and driven later."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from mtui.core.driver.location import CannotDrive, StudyOver
from mtui.core.errors import DriverError, lacks_thread
from mtui.core.maestro import MaestroDirectory
from mtui.core.store.study_directory import create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from mtui.tui.app import terminal
from mtui.tui.app.app import MtuiApp
from mtui.tui.app.run import run_app
from mtui.tui.app.terminal import Guard
from mtui.tui.cli import main as command_line
from mtui.tui.views.study_session import StudySession
from tests.no_threads import NoThreads
from tests.plans import plan, step
from tests.waiting import wait_until


@pytest.fixture
def session(tmp_path: Path) -> StudySession:
    directory = create_directory(tmp_path / "out", "", [])
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), plan(step("a", local=True), out=str(directory.root)))
    write_study_file(directory.study_file, study)
    return StudySession(directory, study, lambda: None)


def test_study_is_read_and_driven_once_threads_can_be_started(session: StudySession, no_threads: NoThreads) -> None:
    session.start()
    session.start_missing()
    words = " ".join(text for text, _ in session.describe_driver())
    assert "not driven" in words
    assert "cannot read the journal: no thread can be started" in words
    assert isinstance(session.driving.location, CannotDrive)

    no_threads.allow()
    session.start_missing()
    started = no_threads.refused
    session.start_missing()

    wait_until(lambda: isinstance(session.driving.location, StudyOver), 40, "the study is driven to its end")
    wait_until(lambda: session.apply_events() and session.state.result, 20, "the journal is read")
    assert (session.state.result, session.feed.problem, no_threads.refused) == ("finished", "", started)
    session.driving.let_go("the test is over")
    assert session.driving.join(30)
    session.stop()


def test_study_of_maestro_is_read_once_threads_can_be_started(tmp_path: Path, no_threads: NoThreads) -> None:
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), plan(step("a")))
    session = StudySession(MaestroDirectory(tmp_path), study, lambda: None)
    session.start()
    assert session.feed.problem.startswith("no thread can be started")

    no_threads.allow()
    session.start_missing()

    wait_until(lambda: "No such file" in session.feed.problem, 20, "it looks for status.csv")
    session.stop()


def test_study_that_was_never_driven_without_a_thread_can_be_left(session: StudySession, no_threads: NoThreads) -> None:
    session.start()
    session.driving.detach()
    assert session.driving.join(1)
    session.stop()
    no_threads.allow()
    session.start_missing()
    assert session.driving.join(0), "nothing is started after the end"


def test_app_leaves_on_a_signal_although_the_last_resort_cannot_be_started_yet(
    monkeypatch: pytest.MonkeyPatch, no_threads: NoThreads
) -> None:
    monkeypatch.setattr(terminal, "_START_AGAIN", 0.01)
    monkeypatch.setattr(Guard, "_watch", lambda *_: None)
    forced: list[int] = []
    monkeypatch.setattr(Guard, "_force", lambda _, number: forced.append(number))

    async def run() -> int:
        left: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        guard = Guard(left.set_result, lambda: None)
        guard.install()
        signal.raise_signal(signal.SIGHUP)
        number = await asyncio.wait_for(left, 20)
        no_threads.allow()
        while not forced:
            await asyncio.sleep(0.01)
        return number

    assert asyncio.run(asyncio.wait_for(run(), 30)) == signal.SIGHUP
    assert forced == [signal.SIGHUP]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("can't start new thread"), "mtui: no thread can be started (ulimit -u)\n"),
        (MemoryError(), "mtui: there is not enough memory\n"),
        (OSError(24, "Too many open files", "/x"), "mtui: Too many open files: /x\n"),
    ],
)
def test_command_that_the_machine_has_no_room_for_ends_with_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, words: str
) -> None:
    def carry_out(_: object) -> int:
        raise error

    monkeypatch.setattr(command_line, "_carry_out", carry_out)
    assert command_line.main(["status", "out"]) == 1
    shown = capsys.readouterr().err
    assert shown == f"{words}  hint: no data was lost; try again when other processes have ended\n"


def test_another_runtime_error_is_no_lack_of_threads() -> None:
    assert lacks_thread(RuntimeError("can't start new thread"))
    assert not lacks_thread(RuntimeError("a bug"))
    assert not lacks_thread(None)
    follows = RuntimeError("cannot join thread before it is started")
    follows.__context__ = RuntimeError("can't start new thread")
    assert lacks_thread(follows)


def test_app_does_not_touch_the_terminal_without_room_for_its_threads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_threads: NoThreads
) -> None:
    del no_threads
    monkeypatch.setattr(MtuiApp, "run", lambda _: pytest.fail("it was run"))
    with pytest.raises(DriverError, match="no thread can be started"):
        run_app()
    assert capsys.readouterr().out == ""
