"""`mtui cancel|retry|hold|release|update|detach DIR`: sends a command and tells what came of it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping

from ..core.driver import Driver
from ..core.errors import EXIT_ERROR, EXIT_FINISHED, StudyBusyError, UsageError
from ..core.store import inbox
from ..core.store.follow import Follower
from ..core.store.layout import StudyDirectory
from ..core.store.reader import read_study
from ..core.study import commands
from ..core.study import events as ev
from ..core.study.state import Command, StudyState
from .event_lines import say
from .status_view import drives
from .text import plural, safe

_ACKNOWLEDGED = 15.0  # seconds for a driver to answer; one on a network file system looks once a second
_LOOK_EVERY = 0.1


def order(
    directory: StudyDirectory,
    verb: str,
    targets: tuple[str, ...],
    options: Mapping[str, str | int],
    *,
    yes: bool = True,
) -> int:
    """Send a command; the exit code. Raises UsageError for targets that mean nothing or changes that cannot be."""
    _, state = read_study(directory)
    indices, unknown = commands.resolve(state.plan, state, targets)
    if unknown:
        known = ", ".join(step.name for step in state.plan.steps[:8])
        raise UsageError(f"no instance or step is called {', '.join(unknown)}", f"steps: {known}; globs work: 'sim_*'")
    if verb in ("retry", "rerun"):
        problem, hint = commands.change_problem(state, indices, {key: str(value) for key, value in options.items()})
        if problem:
            raise UsageError(problem, hint)
    if not yes and not _agreed(verb, targets, state):
        return EXIT_ERROR
    if verb in commands.TARGETED and not drives(directory) and not inbox.waiting(directory.inbox):
        last = commands.carry_out(state, commands.Request("", verb, targets, tuple(options.items())), time.time())[-1]
        if isinstance(last, ev.CommandDone) and last.outcome == "refused":
            say(f"refused: {safe(last.message)}")
            return EXIT_ERROR
    if verb in ("detach", "stop") and not drives(directory):
        hint = f"go on with: mtui --no-ui {directory.root}"
        raise UsageError(f"no driver is running, so there is none to {verb}", hint)
    follower = Follower(directory.journal)
    command = inbox.send(directory.inbox, verb, targets, options)
    driver = drives(directory)
    if driver:
        return _report(_answer(follower, command), driver)
    if verb == "cancel":
        return _carry_out_here(directory, command)
    say(f"Sent. No driver is running; it will be done when one is: mtui --no-ui {directory.root}")
    return EXIT_FINISHED


def _agreed(verb: str, targets: tuple[str, ...], state: StudyState) -> bool:
    """Ask before a command touches a whole study; somebody who pipes or scripts it has decided already."""
    if not sys.stdin.isatty():
        return True
    indices, _ = commands.resolve(state.plan, state, targets)
    answer = input(f"{verb} all {plural(len(indices), 'instance')} of {safe(state.plan.name)}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def _answer(follower: Follower, command: str) -> Command | None:
    """Wait for the driver's word on a command; None if it says nothing in time."""
    until = time.monotonic() + _ACKNOWLEDGED
    pause = threading.Event()
    seen: Command | None = None
    while time.monotonic() < until:
        for event in follower.new_events():
            if isinstance(event, ev.CommandTaken) and event.command == command:
                seen = Command(event.verb, event.targets, event.at)
            if isinstance(event, ev.CommandDone) and event.command == command:
                return Command("", (), event.at, event.outcome, event.message)
        pause.wait(_LOOK_EVERY)
    return seen


def _report(answer: Command | None, driver: str) -> int:
    if answer is None:
        say(f"Sent, but not yet seen by the driver ({driver}).")
        return EXIT_ERROR
    if not answer.outcome:
        say(f"Seen by the driver ({driver}), not yet carried out.")
        return EXIT_ERROR
    say(f"{answer.outcome}: {safe(answer.message)}" if answer.message else answer.outcome)
    return EXIT_FINISHED if answer.outcome == "done" else EXIT_ERROR


def _carry_out_here(directory: StudyDirectory, command: str) -> int:
    """With no driver, drive for as long as the command needs: jobs have to end although nobody watches them."""
    from ..core.store.study_file import read_study_file

    def silent(event: ev.Event, state: StudyState) -> None:
        del event, state

    driver = Driver(directory, read_study_file(directory.study_file), silent)
    try:
        driver.run(only_commands=True)
    except StudyBusyError:
        return _report(_answer(Follower(directory.journal), command), drives(directory))
    return _report(driver.state.commands.get(command), "this command")
