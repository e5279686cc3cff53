"""A study as the app has it open: how far a command has come, and its description in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtui.core.driver.location import (
    CannotDrive,
    DrivenElsewhere,
    DrivenHere,
    DriverLocation,
    DriverReleased,
    NotKnown,
    StudyOver,
)
from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.commands import CommandRequest
from mtui.core.engine.status import Status
from mtui.core.errors import StudyDirectoryError
from mtui.core.store import inbox
from mtui.core.store.lease_owner import Owner
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from mtui.tui.views.driver_thread import DriverThread
from mtui.tui.views.instance_commands import InstanceCommand, command_for
from mtui.tui.views.study_session import Sent, StudySession
from tests.plans import plan, step
from tests.unit.engine import script
from tests.unit.tui.directories import append
from tests.waiting import wait_until

PLAN = plan(step("a", uses="X"), step("b", "a", uses="X"), rows={"X": range(3)})
NOW = 2_000_000_000.0


def elsewhere(words: str, quiet_for: float = 0.0) -> DrivenElsewhere:
    return DrivenElsewhere(Owner(1, "login1", "", 7, "", NOW), words, quiet_for)


class Opened:
    """A study on a directory whose driver is played by the test."""

    def __init__(self, root: Path) -> None:
        self.directory: StudyDirectory = create_directory(root, "", [])
        self.file = StudyFile("0a1b2c3d", NOW - 7200, "s.yaml", Settings(), PLAN)
        write_study_file(self.directory.study_file, self.file)
        self.study = StudySession(self.directory, self.file, lambda: None)
        self.locate(elsewhere("process 7 on login1"))
        self.study.feed.start()
        self.take(lambda: self.study.is_read)

    def locate(self, location: DriverLocation) -> None:
        assert isinstance(self.study.driving, DriverThread)
        self.study.driving.location = location

    def take(self, condition: Callable[[], object]) -> None:
        def holds() -> bool:
            self.study.apply_events()
            return bool(condition())

        wait_until(holds, 20, "the journal is followed")

    def report_events(self, *events: ev.Event) -> None:
        """The driver writes, and the study has taken it in."""
        append(self.directory, *events)
        self.study.feed.wake()
        last = events[-1].at
        self.take(lambda: self.study.state.last_event_at == last)

    def order(self, verb: str, *indices: int) -> InstanceCommand:
        order = command_for(self.study.state, verb, indices)
        assert isinstance(order, InstanceCommand)
        return order

    def way(self, sent: Sent) -> str:
        return self.study.describe_progress(sent)[0]

    def taken(self, sent: Sent) -> None:
        command = ev.CommandTaken(at=script.at(), command=sent.command, verb="hold", targets=("a_X.0",))
        self.report_events(command)

    def done(self, sent: Sent, outcome: str, message: str) -> None:
        self.report_events(ev.CommandDone(at=script.at(), command=sent.command, outcome=outcome, message=message))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(tmp_path / "out")
    yield opened
    opened.study.stop()


def _said(words: list[tuple[str, str]]) -> str:
    return "|".join(text for text, _ in words if text)


# --- commands


def test_a_command_is_sent_seen_and_done(opened: Opened) -> None:
    sent = opened.study.send(opened.order("hold", 0))
    assert sent.words == "hold a_X.0"
    assert opened.study.describe_progress(sent) == ("sent, not yet received", "state--queued")
    [path] = inbox.pending_commands(opened.directory.inbox)
    request = inbox.read_command(path)
    assert isinstance(request, CommandRequest)
    assert (request.verb, request.targets, request.options) == ("hold", ("a_X.0",), ())
    opened.taken(sent)
    assert opened.study.describe_progress(sent) == ("received, not yet done", "state--running")
    opened.done(sent, "done", "1 held")
    assert opened.study.describe_progress(sent) == ("done: 1 held", "state--done")


def test_a_command_that_is_refused_says_why(opened: Opened) -> None:
    sent = opened.study.send(opened.order("hold", 0, 1))
    assert sent.words == "hold 2 instances"
    opened.done(sent, "refused", "2 held already\x1b[2J")
    assert opened.study.describe_progress(sent) == (
        "refused: 2 held already\N{REPLACEMENT CHARACTER}[2J",
        "state--failed",
    )


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (StudyOver("failed"), "waits for a driver"),
        (CannotDrive("a disk is full"), "waits for a driver"),
        (DrivenHere(), "not yet received"),
        (elsewhere("process 7"), "not yet received"),
    ],
)
def test_a_command_that_nobody_has_seen_says_what_it_waits_for(
    opened: Opened, location: DriverLocation, words: str
) -> None:
    sent = opened.study.send(opened.order("hold", 0))
    opened.locate(location)
    assert opened.way(sent) == f"sent, {words}"


def test_a_command_names_whole_steps_and_what_it_changes(opened: Opened) -> None:
    for index in range(3):
        name = f"s{index}"
        opened.report_events(script.intend(name, (index, 1)), script.submitted(name), script.started(index))
        opened.report_events(script.ended(index, Status.FAILED))
    sent = opened.study.send(opened.order("retry", 0, 1, 2), {"walltime": "02:00:00"})
    assert sent.words == "retry 3 instances with walltime 02:00:00"
    request = inbox.read_command(inbox.pending_commands(opened.directory.inbox)[0])
    assert isinstance(request, CommandRequest)
    assert (request.targets, dict(request.options)) == (("a",), {"walltime": "02:00:00"})


def test_an_inbox_that_cannot_be_written_is_an_error_and_nothing_was_sent(opened: Opened) -> None:
    (opened.directory.inbox / "tmp").rmdir()
    with pytest.raises(StudyDirectoryError, match="cannot write a command"):
        opened.study.send(opened.order("hold", 0))
    assert opened.study.sent == []


def test_not_all_commands_are_remembered_for_ever(opened: Opened) -> None:
    order = opened.order("hold", 0)
    sent = [opened.study.send(order) for _ in range(60)]
    assert opened.study.sent[-1] is sent[-1]
    assert len(opened.study.sent) < 60


# --- who drives, and how old everything is


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (NotKnown(), "no driver: not known yet"),
        (DrivenHere(), "driven here"),
        (elsewhere("process 7 on login1"), "driven by process 7 on login1"),
        (elsewhere("process 7", 125.0), "driven by process 7|no heartbeat for 2m"),
        (StudyOver("failed"), "no driver: study failed"),
        (DriverReleased("asked to", by_this_process=False), "no driver: it stopped (asked to)"),
        (DriverReleased("command to stop", by_this_process=True), "no driver: command to stop"),
        (CannotDrive("cannot take the lease"), "not driven, D tries again: cannot take the lease"),
        (CannotDrive("KeyError: 1", is_bug=True), "not driven, D tries again: a bug in mtui: KeyError: 1"),
    ],
)
def test_who_drives_is_shown(opened: Opened, location: DriverLocation, said: str) -> None:
    opened.locate(location)
    assert _said(opened.study.describe_driver()) == said


def test_slurm_that_is_silent_is_reported_with_the_time_and_the_last_good_data_stays(opened: Opened) -> None:
    opened.report_events(script.intend("s", (0, 1)), script.submitted("s"), script.started(0))
    silent = ev.SlurmSilent(at=NOW, message="Unable to contact slurm controller")
    opened.report_events(silent)
    since = time.strftime("%H:%M", time.localtime(NOW))
    assert f"|no answer from Slurm since {since}: Unable to contact slurm controller" in _said(
        opened.study.describe_driver()
    )
    assert opened.study.state.status[0] is Status.RUNNING
    opened.report_events(ev.SlurmAnswers(at=NOW + 60))
    assert "silent" not in _said(opened.study.describe_driver())


def test_a_slurm_that_takes_no_more_is_reported(opened: Opened) -> None:
    opened.report_events(script.intend("s", (0, 1)), script.deferred("s"))
    assert "Slurm accepts no more for now: too many" in _said(opened.study.describe_driver())


def test_a_journal_that_cannot_be_read_is_reported(opened: Opened) -> None:
    opened.study.feed.problem = "it is damaged"
    assert "cannot read the journal: it is damaged" in _said(opened.study.describe_driver())


def test_data_that_is_old_says_so(opened: Opened) -> None:
    opened.study.feed.stop()
    opened.study.feed._thread.join(20)
    opened.study.feed.read_at = time.monotonic() - 190
    assert "shown as of 3m ago" in _said(opened.study.describe_driver())


# --- an instance, and the study


def test_until_the_journal_is_read_nothing_is_said_of_the_progress(opened: Opened) -> None:
    opened.study.is_read = False
    assert _said(opened.study.progress_words(NOW)) == "reading the journal"


def test_the_end_of_a_study_is_shown_with_its_duration(opened: Opened) -> None:
    opened.report_events(ev.StudyEnded(at=NOW, result="failed"))
    assert opened.study.progress_words(NOW + 9999) == [("failed", "state--failed"), ("took 2h00m", "line--faint")]


def test_the_subject_shows_the_status_of_an_instance_and_why(opened: Opened) -> None:
    study = opened.study
    assert _said(study.subject(3, NOW)) == " b_X.0 | waiting|: for 1 parent"
    opened.report_events(ev.SubmitIntended(at=NOW, submission="s", backend="slurm", members=((0, 1),)),
                ev.Submitted(at=NOW, submission="s", job="77"),
                ev.Observed(at=NOW + 1, instance=0, attempt=1, status=Status.PENDING, reason="Priority"))  # fmt: skip
    said = _said(study.subject(0, NOW + 130))
    assert said.startswith(" a_X.0 | pending|: ")
    assert said.endswith("|  job 77, queued for 2m")
    opened.report_events(ev.Started(at=NOW + 200, instance=0, attempt=1, job="77", node="nid7"))
    assert _said(study.subject(0, NOW + 500)) == " a_X.0 | running|  job 77, on nid7, for 5m"
    opened.report_events(
        ev.Ended(at=NOW + 800, instance=0, attempt=1, status=Status.TIMED_OUT, cause=text_cause("over its walltime"))
    )
    assert _said(study.subject(0, NOW)) == " a_X.0 | timed out|: over its walltime|  job 77, on nid7, ran 10m00s"
    assert _said(study.subject(3, NOW)) == " b_X.0 | blocked|: a parent failed or was cancelled"
