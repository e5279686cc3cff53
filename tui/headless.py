"""`mtui --no-ui`: drives a study and prints one line per event."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import time
from types import FrameType

from ..core.driver import Driver
from ..core.errors import EXIT_CANCELLED, EXIT_FAILURES, EXIT_FINISHED
from ..core.store.layout import StudyDirectory
from ..core.store.study_file import StudyFile
from ..core.study import events as ev
from ..core.study.state import StudyState
from ..core.study.status import Status
from .status_view import failure_lines, failures, summary
from .text import Paint, plural, safe

_EXIT_CODES = {"finished": EXIT_FINISHED, "failed": EXIT_FAILURES, "cancelled": EXIT_CANCELLED}


class EventLines:
    """Prints events for people. Quiet leaves out everything but failures and what concerns the whole study."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._paint = Paint(sys.stdout)
        self._told_deferred = ""
        self._members: dict[str, list[int]] = {}  # instances of each submission under way

    def __call__(self, event: ev.Event, state: StudyState) -> None:
        for index, status, text, matters in self._tell(event, state):
            if self._quiet and not matters:
                continue
            name = safe(state.plan.instances[index].name) if index is not None else ""
            words = "  ".join(part for part in (name, text) if part)
            clock = time.strftime("%H:%M:%S", time.localtime(event.at))
            coloured = self._paint.status(status, words) if status else words
            print(f"{clock}  [{summary(state.counts)}]  {coloured}", flush=True)

    def _tell(self, event: ev.Event, state: StudyState) -> list[tuple[int | None, Status | None, str, bool]]:
        """What to say: the instance, the colour, the words, whether it matters when quiet."""
        match event:
            case ev.SubmitIntended():
                self._members[event.submission] = [index for index, _ in event.members]
                return []
            case ev.Submitted():
                return [(index, None, _accepted(state, index), False) for index in self._take(event.submission)]
            case ev.Started():
                return [(event.instance, Status.RUNNING, f"running: job {event.job} on {event.node}", False)]
            case ev.Observed():
                why = f" ({event.reason})" if event.reason else ""
                return [(event.instance, None, f"{event.status.value}{why}", False)]
            case ev.Ended():
                cause = f": {safe(event.cause)}" if event.cause else ""
                matters = event.status is not Status.FINISHED
                return [(event.instance, event.status, f"{event.status.value}{cause}", matters)]
            case ev.SubmitRefused():
                text = f"refused: {safe(event.message)}"
                return [(index, Status.FAILED, text, True) for index in self._take(event.submission)]
            case ev.SubmitDeferred():
                self._take(event.submission)
                told, self._told_deferred = self._told_deferred, event.message
                text = f"Slurm takes no more jobs for now, waiting: {safe(event.message)}"
                return [] if told == event.message else [(None, None, text, True)]
            case ev.SubmitUnclear():
                text = f"no clear answer, looking: {safe(event.message)}"
                return [(index, None, text, True) for index in self._members.get(event.submission, [])]
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


def _accepted(state: StudyState, index: int) -> str:
    attempt = state.attempts[index][-1]
    if attempt.backend == "local":
        return f"running here: process {attempt.job}"
    return f"submitted: job {attempt.job}"


class EventRecords:
    """Prints each event as one JSON line, with the instance's name and the counts after it."""

    def __call__(self, event: ev.Event, state: StudyState) -> None:
        record = ev.to_record(event)
        index = record.get("instance")
        if isinstance(index, int):
            record["name"] = state.plan.instances[index].name
        record["counts"] = {status.value: count for status, count in state.counts.items() if count}
        print(json.dumps(record, ensure_ascii=True), flush=True)


def drive(directory: StudyDirectory, study: StudyFile, *, quiet: bool, as_json: bool) -> int:
    """Drive a study to its end, or until Ctrl-C or SIGTERM; the exit code."""
    listener = EventRecords() if as_json else EventLines(quiet)
    driver = Driver(directory, study, listener)
    caught: list[int] = []

    def let_go(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(number)
        if len(caught) > 1:  # asked twice: at once; the journal has everything up to here
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        driver.stop(f"signal {signal.Signals(number).name}")

    previous = {number: signal.signal(number, let_go) for number in (signal.SIGINT, signal.SIGTERM)}
    if not as_json and not quiet:
        print(
            f"{safe(study.plan.name)}: {plural(len(study.plan.instances), 'instance')} in {directory.root}", flush=True
        )
    try:
        outcome = driver.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if not as_json:
        print(_farewell(directory, driver.state, outcome), flush=True)
    return _EXIT_CODES.get(outcome, 128 + caught[0] if caught else 1)


def _farewell(directory: StudyDirectory, state: StudyState, outcome: str) -> str:
    paint = Paint(sys.stdout)
    head = f"{safe(state.plan.name)}: {summary(state.counts)}"
    if outcome == "stopped":
        under_way = len(state.live_slurm)
        here = len(state.live_local)
        lines = [f"{head}. Let go of the study."]
        if under_way:
            lines.append(f"{plural(under_way, 'job')} in Slurm will go on.")
        if here:
            lines.append(f"{plural(here, 'local step')} will go on to the end.")
        return "\n".join([*lines, f"Go on with: mtui --no-ui {shlex.quote(str(directory.root))}"])
    lines = [f"{head}. The study is {outcome}."]
    if failures(state):
        lines += failure_lines(directory, state, paint)
    return "\n".join(lines)
