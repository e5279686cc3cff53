"""`mtui --no-ui`: drives a study and prints one line per event; watches instead while another driver lives."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

from ....core.backends.slurm import job_has_ended
from ....core.driver import BEGINS_ANEW, HANDED_OVER, Driver, Listener, say_ready
from ....core.errors import EXIT_CANCELLED, EXIT_ERROR, EXIT_FAILURES, EXIT_FINISHED, DriverError, StudyBusyError
from ....core.store import inbox
from ....core.store.checkpoint import load_state
from ....core.store.follow import Follower
from ....core.store.journal import end_of_journal
from ....core.store.layout import StudyDirectory
from ....core.store.lease import Liveness, Owner, Standing, current_owner
from ....core.store.reader import read_study
from ....core.store.study_file import StudyFile, read_study_file
from ....core.study.events import Event, PlanExtended
from ....core.study.state import Impossible, StudyState
from ...views.allocations import open_ones
from ...views.driving import successor_command
from ...views.event_text import EventLines, EventRecords
from ...views.status_view import failure_lines, failures, silent_driver, summary
from ...views.text import Paint, plural, safe, say
from .submit import submit_next

_EXIT_CODES = {"finished": EXIT_FINISHED, "failed": EXIT_FAILURES, "cancelled": EXIT_CANCELLED}
_LOOK_EVERY = 0.5  # seconds between two looks at a journal that another driver writes
_SUCCESSOR_LOOK = 0.05  # the same while waiting to take over: the gap without a driver
_SUCCESSOR_WAIT = 20.0  # seconds for the successor to take the lease after a hand-over

_ENDED = {"finished": "is finished", "failed": "has failed", "cancelled": "is cancelled"}

Handlers = dict[signal.Signals, Callable[[int, FrameType | None], None]]


def headless(directory: StudyDirectory, study: StudyFile, *, quiet: bool, as_json: bool) -> int:
    """Drive a study, or watch the one that drives it, to its end or until Ctrl-C or SIGTERM; the exit code."""
    listener: Listener = EventRecords() if as_json else EventLines(quiet)
    talk = _say_nothing if as_json else say
    if not quiet:
        talk(f"{safe(study.plan.name)}: {plural(len(study.plan.instances), 'instance')} in {directory.root}")
    over = _already_over(directory)
    if over:
        talk(_farewell(directory, over, over.result))
        return _EXIT_CODES[over.result]
    gone: Owner | None = None  # a driver that was watched until it was dead
    while True:
        owner = current_owner(directory.owner)
        if owner and owner != gone and not Liveness(directory.owner, owner).standing().is_over:
            code, is_gone = _watch(directory, study, owner, listener, talk)
            gone = owner if is_gone else None
            study = replace(read_study_file(directory.study_file), settings=study.settings)  # it may have more rows
        else:
            code = _drive(directory, study, listener, talk, gone)
        if code is not None:
            return code


def _already_over(directory: StudyDirectory) -> StudyState | None:
    """The state of a study that needs no driver: it has ended, and no command waits."""
    result, _ = end_of_journal(directory.journal)
    if result not in _EXIT_CODES or inbox.waiting(directory.inbox):
        return None
    _, state = read_study(directory)
    return state


def _say_nothing(text: str) -> None:
    """For programs: their records tell everything."""
    del text


def _drive(
    directory: StudyDirectory,
    study: StudyFile,
    listener: Listener,
    talk: Callable[[str], None],
    gone: Owner | None,
) -> int | None:
    """Drive; None if another was quicker to take the lease, or if nobody took over after a hand-over."""
    successor = successor_command(directory, study)
    driver = Driver(directory, study, listener, successor)
    caught: list[int] = []

    def let_go(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(number)
        if len(caught) > 1:  # asked twice: at once; the journal has everything up to here
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        driver.stop(f"signal {signal.Signals(number).name}")

    def hand_over(number: int, frame: FrameType | None) -> None:
        del number, frame
        driver.detach()

    def follow_up() -> None:
        try:
            driver.drain(f"its walltime is nearly over; job {submit_next(directory)} goes on")
        except DriverError as error:
            talk(f"Cannot put a successor into the queue: {error}")

    def make_room(number: int, frame: FrameType | None) -> None:
        """The walltime of the driver's own job is nearly over: the next one goes on. Slurm may be slow to take it."""
        del number, frame
        threading.Thread(target=follow_up, name="mtui-successor", daemon=True).start()

    handlers: Handlers = {signal.SIGINT: let_go, signal.SIGTERM: let_go}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # under nohup it is ignored, and stays so
        handlers[signal.SIGHUP] = hand_over
    if "SLURM_JOB_ID" in os.environ:
        handlers[signal.SIGUSR2] = make_room
    with _handling(handlers):
        try:
            outcome = driver.run(gone=gone)
        except StudyBusyError:
            return None
    if outcome == "detached":
        successor = _next_owner(directory, driver.state.driver.epoch)
        if successor:
            talk(f"Detached: {successor.words} drives on. Come back with: mtui {shlex.quote(str(directory.root))}")
        return EXIT_FINISHED if successor else None
    talk(_farewell(directory, driver.state, outcome))
    return _EXIT_CODES.get(outcome, 128 + caught[0] if caught else EXIT_FINISHED)


def _next_owner(directory: StudyDirectory, epoch: int) -> Owner | None:
    """Wait for whoever takes the lease after `epoch` was handed over; None if nobody does."""
    until = time.monotonic() + _SUCCESSOR_WAIT
    pause = threading.Event()
    while time.monotonic() < until:
        owner = current_owner(directory.owner)
        if owner and owner.epoch > epoch:
            return owner
        pause.wait(0.05)
    return None


def _watch(
    directory: StudyDirectory,
    study: StudyFile,
    owner: Owner,
    listener: Listener,
    talk: Callable[[str], None],
) -> tuple[int | None, bool]:
    """Tell what another driver does; no exit code when this process is to drive or to watch anew.

    Also whether that driver is gone without having let go: nobody else may be taken for dead unseen.
    """
    state, read = load_state(directory, study)
    follower = Follower(directory.journal, read)
    liveness = Liveness(directory.owner, owner, job_ended=job_has_ended)
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        ended.set()

    with _handling({signal.SIGINT: end, signal.SIGTERM: end}):
        silent = silent_driver(directory)
        if silent:
            talk(f"The last driver seems to be gone ({silent}); to be sure of it may take a minute.")
        else:
            talk(f"Driven by {liveness.words}; watching. [{summary(state.counts)}]")
        is_successor = say_ready()
        while not ended.wait(_SUCCESSOR_LOOK if is_successor else _LOOK_EVERY):
            standing = liveness.standing()  # before the journal is read: what it wrote last is read after
            for event in follower.new_events():
                if isinstance(event, PlanExtended) and event.size > len(state.plan.instances):
                    return None, False  # to be read anew
                if _apply(state, event):
                    listener(event, state)
            if state.driver.epoch > owner.epoch:
                return None, False  # another has taken over already: watch that one
            if standing is Standing.DEAD:
                talk(f"The driver is gone ({owner.words}); taking over.")
                return None, True
            if standing is Standing.RELEASED and state.driver.stopped in (HANDED_OVER, BEGINS_ANEW):
                if not is_successor:
                    _next_owner(directory, owner.epoch)
                return None, False
            if standing is Standing.RELEASED:
                talk(_farewell(directory, state, state.result or "stopped"))
                return _EXIT_CODES.get(state.result, EXIT_ERROR), False
    talk(f"Stopped watching. The study goes on, driven by {owner.words}.")
    return 130, False


def _apply(state: StudyState, event: Event) -> bool:
    try:
        state.apply(event)
    except Impossible:
        return False
    return True


@contextmanager
def _handling(handlers: Handlers) -> Iterator[None]:
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _farewell(directory: StudyDirectory, state: StudyState, outcome: str) -> str:
    paint = Paint(sys.stdout)
    head = f"{safe(state.plan.name)}: {summary(state.counts)}"
    if outcome == "stopped":
        unanswered = sum(not state.attempts[index][-1].job for index in state.live_slurm)
        under_way = len(state.live_slurm) - unanswered + len(open_ones(state))
        here = len(state.live_local)
        lines = [f"{head}. Let go of the study."]
        if under_way:
            lines.append(f"{plural(under_way, 'job')} in Slurm will go on.")
        if unanswered:
            lines.append(f"Slurm has not said yet whether it took {plural(unanswered, 'instance')}; it will be asked.")
        if here and "SLURM_JOB_ID" in os.environ:
            lines.append(f"{plural(here, 'local step')} may end with this Slurm job.")
        elif here:
            lines.append(f"{plural(here, 'local step')} will go on to the end.")
        return "\n".join([*lines, f"Go on with: mtui --no-ui {shlex.quote(str(directory.root))}"])
    lines = [f"{head}. The study {_ENDED[outcome]}."]
    if failures(state):
        lines += failure_lines(directory, state, paint)
    return "\n".join(lines)
