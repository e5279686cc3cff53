"""Shared by the parts that use allocations: attempt names, withdrawals, lists of leaders."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from ...claims import attempt_name
from ...debug_log import get_logger
from ...engine import events as ev
from ...engine.causes import Cause
from ...engine.state import StudyState
from ...engine.status import Status
from ...store.allocation_files import append
from ..context import DriverContext
from ..crash_points import crash_point

NOT_BEGUN = (Status.BOUND, Status.PENDING)  # of an instance assigned to an allocation

_log = get_logger(__name__)


def last_attempt_name(state: StudyState, index: int) -> str:
    """Return the name of the last attempt of an instance."""
    return attempt_name(index, state.attempts[index][-1].number)


def append_to_list(context: DriverContext, allocation: str, text: str) -> bool:
    """Append to the list that the leader of an allocation reads; False if it cannot be written now."""
    try:
        append(context.directory.allocation_file(allocation, "list"), text)
    except OSError as error:
        _log.warning("cannot write the list of allocation %s: %s", allocation, error)
        return False
    return True


def return_instances(context: DriverContext, instances: Iterable[int], cause: Cause) -> None:
    """Withdraw instances that their allocation has not started, by revoking their claims."""
    state = context.state
    returned: list[tuple[int, int]] = []
    for index in instances:
        number = state.attempts[index][-1].number
        waits = index in state.live_packed and state.status[index] in NOT_BEGUN
        context.log.renew()
        with suppress(OSError):  # disk full, or this one claim: the next try finds the revoked ones revoked
            if waits and context.directory.claims.revoke(attempt_name(index, number)):
                returned.append((index, number))
    if returned:
        with suppress(OSError):  # they are revoked, unless the power fails now
            context.directory.claims.sync()
        crash_point("return.claimed")
        context.emit(ev.Returned(at=time.time(), members=tuple(returned), cause=cause))
        crash_point("return.journalled")


def refuse_instances(context: DriverContext, instances: Sequence[int], message: str) -> None:
    """Fail ready instances for which there will be no allocation."""
    if not instances:
        return
    submission, at = context.new_submission(), time.time()
    members = tuple((index, context.state.next_attempt(index)) for index in instances)
    context.emit(ev.SubmitIntended(at=at, submission=submission, backend="pack", members=members))
    context.emit(ev.SubmitRefused(at=at, submission=submission, message=message))
