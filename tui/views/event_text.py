"""Events as text: a line per event, a JSON record per event, and the history of one instance."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable

from ...core.engine import events as ev
from ...core.engine.allocation import Allocation
from ...core.engine.cause_text import cause_text
from ...core.engine.causes import Cause
from ...core.engine.durable_state import IoError
from ...core.engine.event_codec import to_record
from ...core.engine.state import StudyState
from ...core.engine.status import Status
from ...core.plan.resource_changes import in_words
from ...core.plan.shared_allocations import ANY
from ...core.store.history import InstanceEvent
from .allocation_text import clock, hosts, title
from .io_error_text import io_error_line
from .status_view import summary
from .text import Paint, plural, print_text, safe

# The effect of a command on an instance, by the kind of event.
_COMMANDED = {
    "held": "held",
    "released": "released",
    "retried": "will run again",
    "cancel_requested": "will be cancelled",
}
# By backend: a submission in the history of an instance, and its acceptance. Others go to Slurm.
_SUBMITTED = {"local": "started on this machine", "pack": "assigned to an allocation"}
_ACCEPTED = {"local": "process {}", "pack": "in allocation {}"}
_ENDING = {"signal": "cancelled in Slurm", "idle": "idle", "ended": ""}  # causes given by its leader


class EventLines:
    """Prints events for people. Quiet leaves out everything except failures and what concerns the whole study.

    Output that does not go to stdout has no colours and no limit on the length of lines.
    """

    def __init__(self, quiet: bool, write: Callable[[str], None] = print_text) -> None:
        self._quiet = quiet
        self._write = write
        in_terminal = write is print_text and sys.stdout.isatty()
        self._paint = Paint(sys.stdout if in_terminal else None)
        self._width = shutil.get_terminal_size().columns if in_terminal else sys.maxsize
        self._shown_deferred = ""
        self._members: dict[str, list[int]] = {}  # instances of each submission in progress

    def __call__(self, event: ev.Event, state: StudyState) -> None:
        for index, status, text, matters in self._print(event, state):
            if self._quiet and not matters:
                continue
            name = safe(state.plan.instances[index].name) if index is not None else ""
            words = "  ".join(part for part in (name, text) if part)
            clock = time.strftime("%H:%M:%S", time.localtime(event.at))
            coloured = self._paint.status(status, words) if status else words
            progress = summary(state.counts)
            if len(f"{clock}  {words}  [{progress}]") > self._width:
                progress = progress.partition(" ")[0]  # the line is too long: show only how many are done
            self._write(f"{clock}  {coloured}  [{progress}]")

    def _print(self, event: ev.Event, state: StudyState) -> list[tuple[int | None, Status | None, str, bool]]:
        """Return lines to print: instance, colour, text, and whether it is printed when quiet."""
        match event:
            case ev.SubmitIntended():
                self._members[event.submission] = [index for index, _ in event.members]
                return []
            case ev.Submitted():
                members = self._take(event.submission)
                if own := _allocation(state, members):
                    return _several(members, f"assigned to {own}")
                return [(index, None, _accepted(state, index), False) for index in members]
            case ev.Started():
                own = _allocation(state, [event.instance])
                where = f"in {own}" if own else f"job {event.job}"
                return [(event.instance, Status.RUNNING, f"running: {where} on {event.node}", False)]
            case ev.Exited():
                return [(event.instance, None, _exited(event), False)]
            case ev.Observed():
                return [(event.instance, None, _observed(event), False)]
            case ev.Ended():
                cause = f": {safe(cause_text(event.cause))}" if event.cause else ""
                matters = event.status is not Status.FINISHED or event.cause is not None
                return [(event.instance, event.status, f"{event.status.value}{cause}", matters)]
            case ev.Warned():
                words = f"finished, but Slurm reports: {safe(cause_text(event.cause))}"
                return [(event.instance, Status.FINISHED, words, True)]
            case ev.Reopened():
                return [(event.instance, Status.RUNNING, f"it did start: job {event.job}", True)]
            case ev.Unbound():
                return [(index, None, safe(cause_text(event.cause)), False) for index, _ in event.members]
            case ev.Returned():
                return _several([index for index, _ in event.members], f"returned: {safe(cause_text(event.cause))}")
            case ev.AllocationEvent():
                allocation = state.allocations.by_name.get(event.allocation)
                return [(None, *line) for line in _allocation_line(event, allocation)] if allocation else []
            case ev.SubmitRefused():
                text = f"refused: {safe(event.message)}"
                return [(index, Status.FAILED, text, True) for index in self._take(event.submission)]
            case ev.SubmitDeferred(here=True):
                self._take(event.submission)
                return []  # IoErrorBegan says why, once
            case ev.IoErrorBegan():
                error = IoError(event.at, event.path, event.message, event.code)
                return [(None, Status.FAILED, io_error_line(event.what, error), True)]
            case ev.IoErrorEnded():
                return [(None, None, f"Works again: {safe(event.what)}", True)]
            case ev.SubmitDeferred():
                members = self._take(event.submission)
                if own := _allocation(state, members):
                    return _several(members, f"could not be assigned to {own}: {safe(event.message)}")
                shown, self._shown_deferred = self._shown_deferred, event.message
                here = bool(members) and not state.plan.step_of(state.plan.instances[members[0]]).scheduled
                words = "no more local steps can be started for now" if here else "Slurm accepts no more jobs for now"
                text = f"{words}, waiting: {safe(event.message)}"
                return [] if shown == event.message else [(None, None, text, True)]
            case ev.LimitReached():
                return [(None, None, f"Slurm accepts no more jobs for now, waiting: {safe(event.message)}", True)]
            case ev.SubmitUnclear():
                text = f"unclear answer, checking: {safe(event.message)}"
                return [(index, None, text, True) for index, _ in state.submissions.get(event.submission, ())]
            case ev.Retried() if event.why:
                asked = {key: value for key, value in event.changes if value}
                words = f"is retried automatically ({event.why}{'; ' + in_words(asked) if asked else ''})"
                return [(event.instance, None, safe(words), True)]
            case ev.Marked():
                return [(event.instance, event.status, safe(cause_text(event.cause)), False)]
            case ev.PlanExtended():
                return [(None, None, f"rows were added: {event.size:,} instances", False)]
            case ev.HookRun():
                return [(None, None, f"running the study's command {safe(event.hook)}", False)]
            case ev.Held() | ev.Released() | ev.Retried() | ev.CancelRequested():
                return [(event.instance, None, _COMMANDED[event.kind], False)]
            case ev.CommandDone():
                command = state.commands[event.command]
                asked = " ".join((command.verb, *command.targets))
                words = f"{event.outcome}: {safe(event.message)}" if event.message else event.outcome
                return [(None, None, f"command {safe(asked)}: {words}", True)]
            case ev.CancelFailed():
                return [(None, Status.FAILED, f"cancel failed, trying again: {safe(event.message)}", True)]
            case ev.SlurmSilent():
                return [(None, Status.FAILED, f"Slurm does not answer: {safe(event.message)}", True)]
            case ev.SlurmAnswers():
                return [(None, None, "Slurm answers again", True)]
            case ev.Anomaly():
                return [(None, None, f"noted: {safe(event.message)}", False)]
            case _:
                return []

    def _take(self, submission: str) -> list[int]:
        return self._members.pop(submission, [])


def _allocation(state: StudyState, members: list[int]) -> str:
    """Return the allocation of the members of a submission; empty if they are individual jobs."""
    last = state.last_attempt(members[0]) if members else None
    return title(state.allocations.by_name[last.allocation]) if last and last.allocation else ""


def _several(members: list[int], text: str) -> list[tuple[int | None, Status | None, str, bool]]:
    """Describe an event of several instances in one line; a single instance is named."""
    if len(members) == 1:
        return [(members[0], None, text, False)]
    return [(None, None, f"{plural(len(members), 'instance')} {text}", False)] if members else []


def _accepted(state: StudyState, index: int) -> str:
    attempt = state.attempts[index][-1]
    if attempt.backend == "local":
        return f"running here: process {attempt.job}"
    if state.status[index] is Status.BOUND:
        return f"submitted ahead: job {attempt.job}, bound to its parents"
    return f"submitted: job {attempt.job}"


def _allocation_line(event: ev.AllocationEvent, allocation: Allocation) -> list[tuple[Status | None, str, bool]]:
    """Return the colour, the text, and whether it is printed when quiet; `allocation` has the event applied."""
    name = title(allocation)
    match event:
        case ev.AllocationIntended() if allocation.pool == ANY:
            return []
        case ev.AllocationQueued() if allocation.pool == ANY:
            return [(None, f"{name}, in which this driver runs, is used", False)]
        case ev.AllocationIntended():
            words = f"allocation requested: {plural(event.nodes, 'node')} for {clock(event.seconds)}"
            return [(None, words, False)]
        case ev.AllocationQueued():
            return [(None, f"allocation in Slurm's queue as job {event.job}", False)]
        case ev.AllocationObserved():
            return [(None, f"{name}: {safe(_observed(event))}", False)]
        case ev.AllocationBegan():
            on = f" on {hosts(allocation)}" if event.hosts else ""
            cores = f" with {plural(event.cores, 'core')}" if event.cores else ""
            return [(Status.RUNNING, f"{name} started{on}{cores}", False)]
        case ev.AllocationEnding():
            why = _ENDING.get(cause_text(event.cause), safe(cause_text(event.cause)))
            return [(None, f"{name} is ending{': ' if why else ''}{why}", False)]
        case ev.AllocationOver() if event.cause:
            # A cause names the job.
            return [(event.status, f"allocation ended: {safe(cause_text(event.cause))}", True)]
        case ev.AllocationOver():
            return [(event.status, f"{name} ended", False)]
        case _:
            return []


def _exited(event: ev.Exited) -> str:
    return f"script exited with code {event.code}"


def _observed(event: ev.Observed | ev.AllocationObserved) -> str:
    return event.status.value + (f" ({event.reason})" if event.reason else "")


class EventRecords:
    """Prints each event as one line of JSON, with the instance's name and the counts after the event."""

    def __call__(self, event: ev.Event, state: StudyState) -> None:
        record = to_record(event)
        cause = getattr(event, "cause", None)
        if isinstance(cause, Cause):
            record["cause"], record["cause_code"] = cause_text(cause), cause.code.value
        index = record.get("instance")
        if isinstance(index, int):
            record["name"] = state.plan.instances[index].name
        record["counts"] = {status.value: count for status, count in state.counts.items() if count}
        print_text(json.dumps(record, ensure_ascii=True))


def history_text(found: InstanceEvent, index: int) -> str:
    """Describe an event in the history of the instance `index`; empty if there is nothing to show."""
    event, backend = found
    match event:
        case ev.SubmitIntended():
            attempt = dict(event.members)[index]
            return f"attempt {attempt} {_SUBMITTED.get(backend, 'submitted')}"
        case ev.Submitted():
            return _ACCEPTED.get(backend, "accepted as job {}").format(event.job)
        case ev.Returned():
            return f"returned: {cause_text(event.cause)}"
        case ev.Warned():
            return f"Slurm reports: {cause_text(event.cause)}"
        case ev.Reopened():
            return f"it did start, as job {event.job}"
        case ev.Unbound() | ev.Marked():
            return cause_text(event.cause)
        case ev.SubmitDeferred():
            return f"deferred: {event.message}"
        case ev.SubmitUnclear():
            return f"no clear answer: {event.message}"
        case ev.SubmitMissed():
            return "the submission had not reached Slurm"
        case ev.SubmitRefused():
            return f"refused: {event.message}"
        case ev.Started():
            return f"running as job {event.job} on {event.node}"
        case ev.Exited():
            return _exited(event)
        case ev.Observed():
            return _observed(event)
        case ev.Ended():
            cause = f": {cause_text(event.cause)}" if event.cause else ""
            return event.status.value + cause
        case ev.Retried() if event.why:
            return f"retried automatically: {event.why}"
        case ev.Held() | ev.Released() | ev.Retried() | ev.CancelRequested():
            return f"{_COMMANDED[event.kind]} by command"
        case ev.CancelSent():
            return "cancellation of its job requested"
        case _:
            return ""
