"""`mtui --no-ui`: drives a study and prints one line per event; while another driver runs, it watches that one."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ....core.driver import Listener, Purpose, Supervisor, SupervisorListener
from ....core.driver.location import (
    CannotDrive,
    DrivenElsewhere,
    DrivenHere,
    DriverLocation,
    DriverReleased,
    HandedOver,
    NotKnown,
    StudyOver,
    WatchEnded,
)
from ....core.driver.unexpected_signals import surviving_signals
from ....core.engine.events import Event
from ....core.engine.state import StudyState
from ....core.errors import EXIT_CODES, EXIT_ERROR, EXIT_FINISHED, DriverError
from ....core.store.study_directory import StudyDirectory
from ....core.store.study_file import StudyFile
from ....core.store.study_reader import read_study
from ...views.allocation_text import open_ones
from ...views.estimate import rough_words
from ...views.event_text import EventLines, EventRecords
from ...views.status_view import failure_lines, failures, summary, warning_lines
from ...views.text import Paint, plural, print_text, safe
from .submit import submit_next

_RESULT_WORDS = {"finished": "finished", "failed": "failed", "cancelled": "cancelled"}

Talk = Callable[[str], None]


def headless(directory: StudyDirectory, study: StudyFile, *, quiet: bool, as_json: bool) -> int:
    """Drive a study, or watch its driver, until the study ends or Ctrl-C or SIGTERM; return the exit code."""
    talk = _say_nothing if as_json else print_text
    if not quiet:
        talk(f"{safe(study.plan.name)}: {plural(len(study.plan.instances), 'instance')} in {directory.root}")
    printer = _Printer(EventRecords() if as_json else EventLines(quiet), talk)
    supervisor = Supervisor(directory, study, Purpose.RUN, printer)
    with surviving_signals(supervisor.note), _handling_signals(directory, supervisor, printer) as caught:
        outcome = supervisor.run()
    by_signal = 128 + caught[0] if caught else EXIT_FINISHED
    match outcome:
        case StudyOver(result, state):
            talk(_farewell(directory, state or read_study(directory)[1], result))
            return EXIT_CODES[result]
        case DriverReleased(_, by_this_process, state):
            talk(_farewell(directory, state or read_study(directory)[1], "stopped"))
            return by_signal if by_this_process else EXIT_ERROR
        case HandedOver(successor):
            talk(
                f"Detached: the driver is now {successor.words}. "
                f"To return, run: mtui {shlex.quote(str(directory.root))}"
            )
            return EXIT_FINISHED
        case WatchEnded(owner) if owner:
            talk(f"Stopped watching. The study continues with its driver, {owner.words}.")
            return 130
        case _:
            return by_signal


def _say_nothing(text: str) -> None:
    """Print nothing: with --json, the records contain everything."""
    del text


class _Printer(SupervisorListener):
    """Prints events, and which driver runs the study."""

    def __init__(self, lines: Listener, talk: Talk) -> None:
        self._lines = lines
        self.talk = talk
        self.location: DriverLocation = NotKnown()

    def __call__(self, event: Event, state: StudyState) -> None:
        self._lines(event, state)

    def moved(self, location: DriverLocation, state: StudyState | None) -> None:
        last, self.location = self.location, location
        watched = last.owner if isinstance(last, DrivenElsewhere) else None
        match location:
            case DrivenElsewhere(owner) if owner == watched:
                pass
            case DrivenElsewhere(owner, _, quiet_for, is_silent) if is_silent:
                silent = f"{owner.words}, no heartbeat for {rough_words(quiet_for)}"
                self.talk(f"The last driver seems to have ended ({silent}); checking can take a minute.")
            case DrivenElsewhere(_, words) if state:
                self.talk(f"Driver: {words}. Watching. [{summary(state.counts)}]")
            case DrivenHere(gone) if gone and gone == watched:
                self.talk(f"The driver has ended ({gone.words}); taking over.")
            case CannotDrive(message):
                self.talk(f"Cannot start a driver now, will try again: {message}")
            case _:
                pass


@contextmanager
def _handling_signals(directory: StudyDirectory, supervisor: Supervisor, printer: _Printer) -> Iterator[list[int]]:
    """Turn signals into requests to the supervisor; yield the list of the signals that requested a stop."""
    caught: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(number)
        if len(caught) > 1:  # the second signal stops at once; the journal has everything up to here
            _die_of(number)
        supervisor.stop(f"signal {signal.Signals(number).name}")

    def hand_over(number: int, frame: FrameType | None) -> None:
        del frame
        if isinstance(printer.location, DrivenHere):
            supervisor.detach()
        else:
            _die_of(number)

    def submit_successor() -> None:
        try:
            supervisor.drain(f"its walltime is nearly over; job {submit_next(directory)} continues")
        except DriverError as error:
            printer.talk(f"Cannot submit a successor job: {error}")

    def make_room(number: int, frame: FrameType | None) -> None:
        """Submit a successor on a thread (sbatch may be slow): the walltime of the driver's job is nearly over."""
        del frame
        if isinstance(printer.location, DrivenHere):
            try:
                threading.Thread(target=submit_successor, name="mtui-successor", daemon=True).start()
            except RuntimeError as error:
                supervisor.note(f"cannot submit a successor job: {error}")
        else:
            _die_of(number)

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup SIGHUP is ignored, and stays ignored
        handlers[signal.SIGHUP] = hand_over
    if "SLURM_JOB_ID" in os.environ:
        handlers[signal.SIGUSR2] = make_room
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _die_of(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


def _farewell(directory: StudyDirectory, state: StudyState, outcome: str) -> str:
    paint = Paint(sys.stdout)
    head = f"{safe(state.plan.name)}: {summary(state.counts)}"
    if outcome == "stopped":
        unanswered = sum(not state.attempts[index][-1].job for index in state.live_slurm)
        under_way = len(state.live_slurm) - unanswered + len(open_ones(state))
        here = len(state.live_local)
        lines = [f"{head}. Driver stopped."]
        if under_way:
            lines.append(f"{plural(under_way, 'job')} in Slurm will continue.")
        if unanswered:
            lines.append(f"Slurm has not yet confirmed {plural(unanswered, 'instance')}; the next driver checks.")
        if here and "SLURM_JOB_ID" in os.environ:
            lines.append(f"{plural(here, 'local step')} may end with this Slurm job.")
        elif here:
            lines.append(f"{plural(here, 'local step')} will run to completion.")
        return "\n".join([*lines, f"Resume with: mtui --no-ui {shlex.quote(str(directory.root))}"])
    lines = [f"{head}. Study {_RESULT_WORDS[outcome]}."]
    if failures(state):
        lines += failure_lines(directory, state, paint)
    lines += warning_lines(state, paint)
    return "\n".join(lines)
