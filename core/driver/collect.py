"""Collects reports of jobs and local processes: records in the spool, and processes that ended."""

from __future__ import annotations

import time
from collections import deque

from ..claims import attempt_name
from ..engine import events as ev
from ..engine.job_reports import DuplicateReport, JobReport
from ..store.spool import UnreadableRecord, list_records, read_record, remove_records, start_record_of
from .cancel import Canceller
from .context import DriverContext
from .crash_points import crash_point
from .part import DriverPart

_REMOVE_EVERY = 1.0  # seconds between two removals of records that are in the journal
_REMOVE_AT = 50  # records that are removed sooner: every read of the spool lists them
_REMOVE_MOST = 500  # records that are removed between two checks of the lease
_READ_FOR = 2.0  # seconds in one turn, so that the heartbeat and commands are not held up
_INCOMPLETE_FIRST = 0.1  # seconds to the second read of an incomplete record; doubled each time
_INCOMPLETE_YOUNG = 2 * _INCOMPLETE_FIRST  # up to its second read it is read whenever anything happens
_INCOMPLETE_MOST = 60.0  # the longest pause: on a full disk a record never becomes complete
_ADOPTED_EVERY = 0.5  # seconds between two checks of local processes that are not child processes


class Collector(DriverPart):
    """The part of a driver that collects reports."""

    def __init__(self, context: DriverContext, canceller: Canceller) -> None:
        self._context = context
        self._canceller = canceller
        self._read: dict[str, None] = {}  # records read and not yet removed
        self._incomplete: dict[str, tuple[float, float]] = {}  # incomplete records: next read, pause before it
        self._removed_at = 0.0
        self._read_at = 0.0  # monotonic start of the last complete read of the spool
        self._unread: deque[str] = deque()  # records that were listed
        self._early: dict[str, JobReport] = {}  # records of attempts that are not in the journal yet
        self.is_behind = False  # records are left for the next turn
        self._ended_unread: list[tuple[str, str, int | None]] = []  # ended processes, until the spool is read
        self._adopted: dict[int, tuple[int, str]] = {}  # instance -> attempt, process id

    def due(self) -> float | None:
        if self.is_behind:
            return 0.0
        times = [self._context.observer.deadline()]
        times.append(self._removed_at + _REMOVE_EVERY if self._read else None)
        times.append(time.monotonic() + _ADOPTED_EVERY if self._adopted or self._ended_unread else None)
        times += [due for due, _ in self._incomplete.values()]
        return min((due for due in times if due is not None), default=None)

    def step(self) -> None:
        """Read the spool, and end attempts whose further report is overdue."""
        if not self.read_spool() and self.is_behind:
            return
        self._context.emit_all(self._context.observer.tick(time.time(), self._read_at))
        unread, self._ended_unread = self._ended_unread, []
        for attempt, pid, code in unread:
            self.process_ended(attempt, pid, code)
        self._check_adopted()

    # --- records

    def read_spool(self) -> bool:
        """Read the records that are complete and whose attempts are known; the others are read again later.

        Return whether all were read. If there are very many, the rest is read in the next turn. Until then, and while
        the spool cannot be listed, a missing report means nothing.
        """
        started = time.monotonic()
        self.is_behind = False
        is_listed = False
        while not is_listed:
            if not self._unread:
                is_listed = True
                if not self._list_records():
                    return False
            while self._unread:
                if time.monotonic() - started >= _READ_FOR:
                    self.is_behind = True
                    return False
                self._read_record(self._unread.popleft())
        self._read_at = started
        return True

    def _list_records(self) -> bool:
        names = list_records(self._context.directory.spool, self._read)
        if names is None:
            return False
        self._incomplete = {name: self._incomplete[name] for name in names if name in self._incomplete}
        self._early = {name: self._early[name] for name in names if name in self._early}
        self._unread.extend(names)
        return True

    def _read_record(self, name: str) -> None:
        context, now = self._context, time.monotonic()
        due, pause = self._incomplete.get(name, (0.0, _INCOMPLETE_FIRST))
        if now < due and pause > _INCOMPLETE_YOUNG:
            return
        if name in self._read:
            return  # with its exit record
        report = self._early.pop(name, None) or read_record(context.directory.spool / name)
        if report is UnreadableRecord.INCOMPLETE:
            if now >= due:
                self._incomplete[name] = now + pause, min(2 * pause, _INCOMPLETE_MOST)
            return
        self._incomplete.pop(name, None)
        if not isinstance(report, UnreadableRecord) and context.observer.is_early(report):
            self._early[name] = report
            return
        start = start_record_of(name)
        if start and start not in self._read and (context.directory.spool / start).exists():
            # The job wrote it first, so it is complete, listed or not. Read after the end, it would look like an
            # orphan job.
            self._incomplete.pop(start, None)
            self._read_record(start)
            self._incomplete.pop(start, None)
            self._read[start] = None
        self._read[name] = None
        if isinstance(report, UnreadableRecord):
            context.emit(ev.Anomaly(at=time.time(), message=f"unreadable record: {name}"))
            return
        context.emit_all(context.observer.apply_report(report, time.time(), time.monotonic()))
        self._canceller.cancel_orphans(map(context.job_of_study, context.observer.orphans.take()))
        if isinstance(report, DuplicateReport) and report.owner and report.instance in context.state.live_local:
            self.adopt(report.instance, report.attempt, report.owner)

    def remove_journalled(self, *, always: bool = False) -> None:
        """Remove records that were read, once the journal is on disk; now and then, or `always`."""
        now = time.monotonic()
        due = len(self._read) >= _REMOVE_AT or now - self._removed_at >= _REMOVE_EVERY
        if self._read and (always or due):
            self._removed_at = now
            crash_point("records.journalled")
            if not self._context.log.sync():
                return
            crash_point("records.synced")
            names = list(self._read)
            for first in range(0, len(names), _REMOVE_MOST):
                self._context.log.renew()
                remove_records(self._context.directory.spool, names[first : first + _REMOVE_MOST])
            crash_point("records.removed")
            self._read.clear()

    # --- local processes

    def process_ended(self, attempt: str, pid: str, code: int | None) -> None:
        """Handle the end of a local step's process; `code` is None unless it was a child process."""
        index, _, number = attempt.partition(".")
        if not self.read_spool():
            self._ended_unread.append((attempt, pid, code))
            return
        events = self._context.observer.process_ended(int(index), int(number), pid, code, time.time())
        self._context.emit_all(events)

    def adopt(self, index: int, number: int, pid: str) -> None:
        """Watch the process of a local step that is not a child process: nothing else reports its end."""
        self._adopted[index] = (number, pid)

    def _check_adopted(self) -> None:
        for index, (number, pid) in list(self._adopted.items()):
            attempt = attempt_name(index, number)
            if index not in self._context.state.live_local:
                del self._adopted[index]
            elif not self._context.local.is_running(attempt, pid):
                del self._adopted[index]
                self.process_ended(attempt, pid, None)
