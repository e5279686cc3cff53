"""Sends a command to the driver (`mtui cancel|retry|hold|release|update|detach DIR ...`) and prints the result."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ....core.driver import Purpose, Supervisor, SupervisorListener
from ....core.driver.driver import HAND_OVER_FAILED
from ....core.driver.location import DrivenByAnother, DriverReleased
from ....core.engine import commands
from ....core.engine import events as ev
from ....core.engine.state import StudyState
from ....core.errors import EXIT_ERROR, EXIT_FINISHED, UsageError, WrongCluster
from ....core.file_reading import read_tail, size_of
from ....core.store import inbox
from ....core.store.journal_follower import JournalFollower
from ....core.store.lease_owner import Owner, read_current_owner
from ....core.store.study_directory import StudyDirectory, require_place
from ....core.store.study_file import read_study_file
from ....core.store.study_reader import read_study
from ...views.json_output import print_json
from ...views.status_view import drives, silent_driver
from ...views.text import plural, print_text, safe
from ..arguments import print_on_stderr
from ..question import agrees

_ACKNOWLEDGED = 15.0  # seconds that a driver has to answer; on a network file system it reads the inbox once a second
_HANDED_OVER = 60.0  # seconds for a new driver to start, and for the present one to drive again if it ended
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a command: `done` or `refused` by the driver, or one of the outcomes below.

    `matched` is the number of instances that its targets select, `changed` are the indices of those that it changed.
    """

    outcome: str
    message: str
    matched: int = 0
    changed: tuple[int, ...] = ()


_WAITING = "waiting"  # no driver is running; the command is pending
_UNSEEN = "unseen"  # the driver did not read it in time
_SEEN = "seen"  # the driver read it, but did not carry it out in time
_DECLINED = "declined"  # by the user, when asked for confirmation
_SENT = ("done", _WAITING)  # the outcomes that count as success

_CHANGES = (ev.Held, ev.Released, ev.Retried, ev.CancelRequested, ev.Marked, ev.Ended)


def send_and_print(
    directory: StudyDirectory,
    verb: str,
    targets: tuple[str, ...],
    options: Mapping[str, str | int],
    *,
    yes: bool = True,
    as_json: bool = False,
) -> int:
    """Send a command and print its result; return the exit code.

    Raises UsageError for unknown targets, invalid changes, or a driver that is required but not running,
    StudyDirectoryError if the directory is a copy, and WrongCluster for a cancel without a driver on another cluster.
    """
    _, state = read_study(directory)
    answer = _send(directory, state, verb, targets, options, ask=not yes and sys.stdin.isatty())
    if as_json:
        print_json(
            {
                "study": state.plan.name,
                "directory": str(directory.root),
                "verb": verb,
                "targets": list(targets),
                "outcome": answer.outcome,
                "message": answer.message,
                "counts": {"matched": answer.matched, "changed": len(answer.changed)},
                "instances": [state.plan.instances[index].name for index in answer.changed],
            }
        )
    elif answer.outcome in ("done", "refused"):
        print_text(f"{answer.outcome}: {safe(answer.message)}" if answer.message else answer.outcome)
    elif answer.message:
        print_text(answer.message)
    return EXIT_FINISHED if answer.outcome in _SENT else EXIT_ERROR


def _send(
    directory: StudyDirectory,
    state: StudyState,
    verb: str,
    targets: tuple[str, ...],
    options: Mapping[str, str | int],
    ask: bool,
) -> Answer:
    """Send a command, after confirmation if `ask`.

    Raises UsageError, StudyDirectoryError if the directory is a copy of a study, and WrongCluster.
    """
    require_place(directory, state.plan, moved=True)
    indices, unknown = commands.resolve_targets(state.plan, state, targets)
    if unknown:
        known = ", ".join(step.name for step in state.plan.steps[:8])
        raise UsageError(
            f"no instance or step named {', '.join(unknown)}", f"steps: {known}; patterns such as 'sim_*' work"
        )
    if verb in ("retry", "rerun"):
        refusal = commands.check_changes(state, indices, {key: str(value) for key, value in options.items()})
        if refusal:
            raise UsageError(refusal.message, refusal.hint)
    if ask and not _agreed(verb, len(indices), state.plan.name):
        return Answer(_DECLINED, "", len(indices))
    # The host of the last driver does not matter for --host-gone: that of the next one does.
    is_known = verb in commands.TARGETED and commands.HOST_GONE not in options
    if is_known and not drives(directory) and not inbox.pending_commands(directory.inbox):
        last = commands.apply_command(
            state, commands.CommandRequest("", verb, targets, tuple(options.items())), time.time()
        )[-1]
        if isinstance(last, ev.CommandDone) and last.outcome == "refused":
            return Answer("refused", last.message, len(indices))
    if verb in ("detach", "stop") and not drives(directory):
        hint = f"resume with: mtui --no-ui {directory.root}"
        raise UsageError(f"no driver is running, so there is nothing to {verb}", hint)
    last, printed = read_current_owner(directory.owner), size_of(directory.driver_log)
    follower, later = (JournalFollower.from_now(directory.journal) for _ in range(2))
    command = inbox.send_command(directory.inbox, verb, targets, options)
    driver = drives(directory)
    if driver:
        answer = _answer(follower, command, driver, _ACKNOWLEDGED)
        if verb == "detach" and answer.outcome == "done" and last:
            answer = _await_successor(directory, later, last, printed)
    elif verb == "cancel":
        if silent := silent_driver(directory):
            print_on_stderr(f"The last driver seems to have ended ({silent}); checking can take a minute.")
        try:
            answer = _carry_out_here(directory, follower, command)
        except WrongCluster:
            inbox.withdraw_command(directory.inbox, command)
            raise
    else:
        words = f"No driver is running; the command waits for one. Resume with: mtui {directory.root}"
        answer = Answer(_WAITING, words)
    return replace(answer, matched=len(indices))


def _agreed(verb: str, count: int, study: str) -> bool:
    """Ask for confirmation of a command on a whole study."""
    return agrees(f"{verb} all {plural(count, 'instance')} of {safe(study)}?")


def _answer(follower: JournalFollower, command: str, driver: str, seconds: float) -> Answer:
    """Wait for the driver to answer a command; collect the instances that it changed."""
    until = time.monotonic() + seconds
    pause = threading.Event()
    seen = False
    changed: list[int] = []
    while True:
        for event in follower.new_events():
            if isinstance(event, ev.CommandTaken) and event.command == command:
                seen = True
            elif isinstance(event, ev.CommandDone) and event.command == command:
                return Answer(event.outcome, event.message, changed=tuple(sorted(changed)))
            elif seen and isinstance(event, _CHANGES):  # a driver writes no other events between the two
                changed.append(event.instance)
        if time.monotonic() >= until:
            break
        pause.wait(_LOOK_EVERY)
    if seen:
        return Answer(_SEEN, f"Received by the driver ({driver}), not yet carried out.")
    return Answer(_UNSEEN, f"Sent, but not yet received by the driver ({driver}).")


def _await_successor(directory: StudyDirectory, follower: JournalFollower, last: Owner, printed: int) -> Answer:
    """Wait until another driver than `last` holds the lease, or the hand-over has failed.

    `printed` is how many bytes earlier drivers have written to driver.log.
    """
    until = time.monotonic() + _HANDED_OVER
    pause = threading.Event()
    while time.monotonic() < until:
        for event in follower.new_events():
            if isinstance(event, ev.Anomaly) and event.message.startswith(HAND_OVER_FAILED):
                return Answer("refused", f"{event.message}. The driver is still {last.words}.")
            if isinstance(event, ev.StudyEnded):
                return Answer("done", f"study {event.result}")
        owner = read_current_owner(directory.owner)
        if owner and owner.epoch > last.epoch:
            if (owner.host, owner.pid, owner.start) != (last.host, last.pid, last.start):
                return Answer("done", "")
            output = read_tail(directory.driver_log, printed) or "it printed nothing"
            return Answer(
                "refused", f"the new driver did not take over the study ({output}). The driver is still {last.words}."
            )
        pause.wait(_LOOK_EVERY)
    return Answer(
        _SEEN, f"Received by the driver ({last.words}), but no new driver has taken over the study: see driver.log."
    )


def _carry_out_here(directory: StudyDirectory, follower: JournalFollower, command: str) -> Answer:
    """Drive the study for the command alone: jobs must be cancelled even if no driver is running."""
    study = read_study_file(directory.study_file)
    outcome = Supervisor(directory, study, Purpose.COMMANDS, SupervisorListener()).run()
    if isinstance(outcome, DrivenByAnother):
        return _answer(follower, command, drives(directory), _ACKNOWLEDGED)
    answer = _answer(follower, command, "this command", 0)
    state = outcome.state if isinstance(outcome, DriverReleased) else None
    if state and state.live_slurm:  # Slurm cancels jobs asynchronously, and a driver has to record that
        note = f"No driver is running; run 'mtui --no-ui {directory.root}' to record how they end"
        answer = replace(answer, message="; ".join(filter(None, (answer.message, note))))
    return answer
