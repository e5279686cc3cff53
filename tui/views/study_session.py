"""A study that is open in the app: its state from the journal, the commands sent, and their descriptions.

The driver may be a thread of this process or any other process; nothing here depends on that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from ...core.backends.pending_reasons import reason_words
from ...core.driver.location import CannotDrive, DrivenElsewhere, DrivenHere, DriverLocation
from ...core.engine.cause_text import cause_text
from ...core.engine.events import PlanExtended
from ...core.engine.state import StudyState
from ...core.engine.status import IN_SLURM, LIVE, UNSUCCESSFUL, Status
from ...core.errors import MtuiError
from ...core.maestro import MaestroDirectory
from ...core.store import inbox
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_file import StudyFile
from . import instance_commands
from .allocation_text import Occupancy, Use, kind_of, open_words, waits_for
from .appearance import group_of
from .driver_thread import DriverThread, why_not_driven
from .estimate import Estimate, Estimator, rough_words, span_words
from .io_error_text import io_error_lines
from .journal_feed import JournalFeed, apply
from .maestro_view import MaestroConductor, MaestroFeed
from .status_grid import GridView
from .study_opening import require_ours
from .text import plural, safe, within

STALE_AFTER = 10.0  # seconds without a read of the journal or a sign of life from the driver until a warning
_ESTIMATE_EVERY = 1.0  # seconds: each change is written to the terminal, and no one reads faster
_MOST_SENT = 50  # commands of this app that are kept

Words = list[tuple[str, str]]  # text and the class of its colour


@dataclass(frozen=True, slots=True)
class Sent:
    """A command that this app has sent."""

    command: str  # its id
    words: str
    at: float


class StudySession:
    """An open study. `changed` is called from other threads when there is something to `take`."""

    def __init__(self, directory: StudyDirectory, study: StudyFile, changed: Callable[[], None]) -> None:
        self.directory = directory
        self.sent: list[Sent] = []
        self._unstarted: list[JournalFeed | MaestroFeed | DriverThread | MaestroConductor] = []
        self._changed = changed
        self._read(study)
        if isinstance(directory, MaestroDirectory):
            self.driving: DriverThread | MaestroConductor = MaestroConductor(directory)
        else:
            self.driving = DriverThread(directory, study, changed, lambda: self.feed.wake())

    def _read(self, study: StudyFile) -> None:
        """Reset the state and create the feed that reads it."""
        self.study = study
        self.plan = study.plan
        self.is_outdated = False  # the plan on disk has more rows
        self.state = StudyState(replace(study.plan, steps=(), instances=()))  # until the journal has been read once
        self.is_read = False
        self.view = GridView(study.plan)
        self.estimator = Estimator(study.plan)
        self._estimated: tuple[float, Estimate] | None = None
        self._occupancy = Occupancy(study.plan)
        self._used: tuple[float, dict[str, Use]] | None = None
        if isinstance(self.directory, MaestroDirectory):
            self.feed: JournalFeed | MaestroFeed = MaestroFeed(self.directory, study, self._changed)
        else:
            self.feed = JournalFeed(self.directory, study, self._changed)

    def start(self) -> None:
        self._unstarted = [self.feed, self.driving]
        self.start_missing()

    def start_missing(self) -> None:
        """Start what could not be started before, because no thread could be."""
        self._unstarted = [part for part in self._unstarted if part.start() is False]

    def stop(self) -> None:
        self._unstarted = []
        self.feed.stop()

    def restart(self, study: StudyFile) -> None:
        """Read everything again, because the plan has more rows. The driver is not affected."""
        self.feed.stop()
        self._unstarted = [part for part in self._unstarted if part is not self.feed]
        self._read(study)
        self._unstarted.append(self.feed)
        self.start_missing()

    def apply_events(self) -> bool:
        """Apply new events of the journal; return whether there were any."""
        first, events = self.feed.take_events()
        if first is not None:
            self.state = first
            self.is_read = True
            self.estimator.resume_from(first)
        for event in events:
            if isinstance(event, PlanExtended) and event.size > len(self.plan.instances):
                self.is_outdated = True  # read all again: later events may be about instances missing in this plan
            if self.is_outdated:
                break
            apply(self.state, event)
            self.estimator.note(event, self.state)
        return first is not None or bool(events)

    @property
    def failure(self) -> MtuiError | None:
        """Why the study can never be shown."""
        return self.feed.failure if isinstance(self.feed, JournalFeed) else None

    # --- commands

    def send(self, order: instance_commands.InstanceCommand, options: Mapping[str, str] | None = None) -> Sent:
        """Send a command; raise StudyDirectoryError if it cannot be written, UsageError for a study of Maestro."""
        require_ours(self.directory, order.verb)
        with_what = ", ".join(f"{key} {value}" for key, value in (options or {}).items())
        words = f"{order.verb} {self._whom(order.indices)}" + (f" with {with_what}" if with_what else "")
        names = instance_commands.targets(self.state, order.indices)
        command = inbox.send_command(self.directory.inbox, order.verb, names, dict(options or {}))
        sent = Sent(command, words, time.time())
        self.sent = [*self.sent[-_MOST_SENT:], sent]
        self.feed.wake()
        return sent

    def _whom(self, indices: Collection[int]) -> str:
        if len(indices) == 1:
            return safe(self.plan.instances[next(iter(indices))].name)
        return plural(len(indices), "instance")

    def describe_progress(self, sent: Sent) -> tuple[str, str]:
        """Return the progress of a command as text, and the class of its colour."""
        command = self.state.commands.get(sent.command)
        if command is None:
            if isinstance(self.driving.location, (DrivenHere, DrivenElsewhere)):
                return "sent, not yet received", "state--queued"
            return "sent, waits for a driver", "state--queued"
        if not command.outcome:
            return "received, not yet done", "state--running"
        kind = "state--done" if command.outcome == "done" else "state--failed"
        return f"{command.outcome}: {self._in_line(command.message)}" if command.message else command.outcome, kind

    # --- descriptions

    def describe_driver(self) -> Words:
        """Describe the driver, and any reason why the screen may be outdated."""
        words: Words = []
        if self.feed.problem:
            words.append((f"cannot read the journal: {self._in_line(self.feed.problem)}", "state--failed"))
        if isinstance(self.driving, MaestroConductor):
            words.append((safe(self.driving.words), "line--faint"))
        else:
            words += self._location_words(self.driving.location)
        words += [(within(line, self.directory.root), "state--failed") for line in self._io_error_lines()]
        if self.state.slurm_silent_since:
            since = time.strftime("%H:%M", time.localtime(self.state.slurm_silent_since))
            words.append((f"no answer from Slurm since {since}: {safe(self.state.slurm_message)}", "state--failed"))
        elif self.state.deferred:
            words.append((f"Slurm accepts no more for now: {safe(self.state.deferred)}", "state--queued"))
        if packed := open_words(self.state, self.uses()):
            words.append((packed, "line--faint"))
        if not self.feed.problem and self.feed.read_at and time.monotonic() - self.feed.read_at > STALE_AFTER:
            words.append((f"shown as of {rough_words(time.monotonic() - self.feed.read_at)} ago", "state--failed"))
        return words

    def _io_error_lines(self) -> list[str]:
        """Return what the driver cannot do. That of this process is queried: it may be unable to write its journal."""
        if isinstance(self.driving, DriverThread) and isinstance(self.driving.location, DrivenHere):
            return self.driving.io_errors
        return io_error_lines(self.state)

    def _location_words(self, location: DriverLocation) -> Words:
        match location:
            case DrivenHere():
                return [("driven here", "line--faint")]
            case DrivenElsewhere(_, driver, quiet_for):
                words: Words = [(f"driven by {safe(driver)}", "line--faint")]
                if quiet_for > STALE_AFTER:
                    words.append((f"no heartbeat for {rough_words(quiet_for)}", "state--failed"))
                return words
            case CannotDrive():
                reason = why_not_driven(location).partition("\n")[0]
                reason = reason.replace(f"cannot continue in {self.directory.root}: ", "")
                return [(f"not driven, D tries again: {self._in_line(reason)}", "state--failed")]
            case _:
                kind = "line--faint" if self.state.result else "state--failed"
                return [(f"no driver: {self._in_line(why_not_driven(location))}", kind)]

    def _in_line(self, message: str) -> str:
        return safe(within(message, self.directory.root))

    def progress_words(self, now: float) -> Words:
        """Describe the result or the time left, the throughput, and the elapsed time."""
        state = self.state
        if not self.is_read:
            return [("reading the journal", "line--faint")]
        began = self.study.created
        if state.result:
            kind = "state--done" if state.result == "finished" else "state--failed"
            return [(state.result, kind), (f"took {span_words(state.last_event_at - began)}", "line--faint")]
        if self._estimated is None or not 0 <= now - self._estimated[0] < _ESTIMATE_EVERY:
            self._estimated = (now, self.estimator.estimate(state, now))
        estimate = self._estimated[1]
        rate = f"{estimate.rate_per_minute:.3g}/min" if estimate.rate_per_minute else ""
        return [
            (estimate.words, "state--running"),
            (rate, "line--faint"),
            (f"elapsed {rough_words(now - began)}", "line--faint"),
        ]

    def uses(self) -> dict[str, Use]:
        """Return the use of each open allocation, at most _ESTIMATE_EVERY old."""
        now = time.monotonic()
        if self._used is None or now - self._used[0] >= _ESTIMATE_EVERY:
            self._used = (now, self._occupancy.look(self.state))
        return self._used[1]

    def subject(self, index: int, now: float) -> Words:
        """Describe an instance in one line: its status and the reason."""
        state = self.state
        status = state.status[index]
        words: Words = [
            (f" {safe(self.plan.instances[index].name)} ", "line--strong"),
            (f" {status.value}", f"state--{group_of(status).value}"),
        ]
        why = self._why(index, status)
        if why:
            words.append((f": {why}", f"state--{group_of(status).value}"))
        last = state.last_attempt(index)
        if last is None:
            return words
        facts: list[str] = []
        if last.number > 1:
            facts.append(f"attempt {last.number}")
        if last.job:
            facts.append(f"{kind_of(last)} {last.job}")
        if last.node:
            facts.append(f"on {last.node}")
        if last.started_at and last.ended_at:
            facts.append(f"ran {span_words(last.ended_at - last.started_at)}")
        elif last.started_at:
            facts.append(f"for {rough_words(now - last.started_at)}")
        elif last.queued_at and not last.ended_at:
            facts.append(f"queued for {rough_words(now - last.queued_at)}")
        return [*words, ("  " + ", ".join(facts), "line--faint")]

    def _why(self, index: int, status: Status) -> str:
        state = self.state
        if status in UNSUCCESSFUL:
            return self._in_line(cause_text(state.cause(index)))
        last = state.last_attempt(index)
        if last and last.cancelled and status in LIVE:
            return "being cancelled"
        if last and last.allocation and status in (Status.BOUND, Status.PENDING):
            return waits_for(state.allocations.by_name[last.allocation], state.waits_for(index))
        if status is Status.BOUND:
            return f"queued in Slurm, waiting for {plural(state.waits_for(index), 'parent')}"
        if status in IN_SLURM and last and last.reason:
            return safe(reason_words(last.reason))
        if status is Status.WAITING:
            left = state.waits_for(index)
            return f"for {plural(left, 'parent')}" if left else ""
        if status is Status.BLOCKED:
            return "a parent failed or was cancelled"
        return ""
