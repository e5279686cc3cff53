"""Prepares the files of attempts before they are submitted: an error there concerns one instance only.

If the error may pass (a full disk), the instance is delayed, with increasing delays. Otherwise (a file where its
workspace should be) it fails. The other members of its submission are submitted without it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..engine import events as ev
from ..engine.durable_state import prepare_words
from ..engine.status import Status
from ..errors import error_text, may_pass
from ..store.study_directory import prepare_attempt
from .context import DriverContext

_MOST_REPORTED = 3  # instances of one submission whose delays are reported: on a full disk it is the same for all


@dataclass(frozen=True, slots=True)
class Unprepared:
    """The answer to a submission that was not made: the errors by instance.

    `is_general`: all members failed for a reason that may pass, so others most likely fail as well (a full disk).
    """

    errors: Mapping[int, OSError]
    is_general: bool


def prepare_members(
    context: DriverContext, members: Sequence[tuple[int, int]], changes: Mapping[int, Mapping[str, str]]
) -> Unprepared | None:
    """Prepare the files of all members (instance, attempt); return which ones failed, None if all succeeded.

    Runs on any thread: uses directory and plan only.
    """
    errors: dict[int, OSError] = {}
    for index, number in members:
        try:
            context.directory.home.stat()  # a study directory that is unavailable must not be created again
            prepare_attempt(context.directory, context.plan, context.plan.instances[index], number, changes[index])
        except OSError as error:
            errors[index] = error
    if not errors:
        return None
    return Unprepared(errors, len(errors) == len(members) and all(map(may_pass, errors.values())))


def note_prepared(context: DriverContext, members: Sequence[int]) -> None:
    """Record that the files of these instances are written."""
    for index in members:
        context.delayed.forget(index)
        context.errors.worked(_what(context, index))


def forget_settled(context: DriverContext) -> None:
    """Forget delayed instances that were cancelled, held, marked or blocked meanwhile."""
    waiting = (Status.READY, Status.WAITING, Status.SUBMITTING)
    note_prepared(context, [index for index in context.delayed if context.state.status[index] not in waiting])


def put_off_unprepared(context: DriverContext, submission: str, backend: str, answer: Unprepared) -> None:
    """Put the submission off. Its failed members are delayed, or fail; the others can be submitted at once."""
    at = time.time()
    workspace = {index: context.directory.workspace(context.plan.instances[index]) for index in answer.errors}
    first = next(iter(answer.errors))
    message = error_text(answer.errors[first], workspace[first])
    context.emit(ev.SubmitDeferred(at=at, submission=submission, message=message, here=True))
    is_usable = os.access(context.directory.root, os.W_OK | os.X_OK)  # if not, the error is not about one instance
    reported = 0
    for index, error in answer.errors.items():
        status = context.state.status[index]
        if status not in (Status.READY, Status.WAITING):
            continue  # cancelled or held meanwhile
        if is_usable and not may_pass(error) and status is Status.READY:
            _fail(context, index, backend, error_text(error, workspace[index]))
            continue
        context.delayed.delay(index)
        if reported < _MOST_REPORTED or context.errors.is_failing(_what(context, index)):
            reported += 1
            context.errors.failed(_what(context, index), error, workspace[index])


def _fail(context: DriverContext, index: int, backend: str, message: str) -> None:
    submission = context.new_submission()
    members = ((index, context.state.next_attempt(index)),)
    context.emit(ev.SubmitIntended(at=time.time(), submission=submission, backend=backend, members=members))
    context.emit(
        ev.SubmitRefused(at=time.time(), submission=submission, message=f"cannot prepare its workspace: {message}")
    )
    context.errors.worked(_what(context, index))


def _what(context: DriverContext, index: int) -> str:
    return prepare_words(context.plan.instances[index].name)
