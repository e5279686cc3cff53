"""What is awaited for an attempt beyond its events, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from . import events as ev
from .slurm_answers import Awaited, JobAction, JobAnswer

# All waits but REPORT_WAIT are counted by polls: see PolledTime.

# Seconds for Slurm's verdict on a job that reported its own failure. Wanted polls start 1, 3, 7 and 15 s after the
# report (driver/slurm_poller.py), so accounting, which learns of an end last, is queried four times.
VERDICT_WAIT = 10.0
# Seconds for the job's own report after Slurm showed its end. The job wrote it before it ended, so only a network
# file system delays it. A later report changes nothing: the attempt has ended as Slurm showed it.
REPORT_WAIT = 5.0
# Seconds until an unclear submission that no poll found counts as missed: three times the 10 s that Slurm's own
# commands wait for an answer (MessageTimeout, slurm.conf(5)). One that arrives even later loses the claim.
UNCLEAR_WAIT = 30.0
# Seconds that a job may be unknown to Slurm before it counts as lost. An NFS client may show a directory as it was up
# to 60 s ago (acdirmax, nfs(5)): a report that the job left has been found by then. Slurm itself keeps a job for 300 s
# after its end (MinJobAge, slurm.conf(5)), so a single wrong poll without it is followed by others.
LOST_WAIT = 60.0
# Seconds for what ends only if a node or a service is repaired: a job that completes for longer than KillWait (30 s)
# and UnkillableStepTimeout (60 s, slurm.conf(5)) together, one that only accounting still shows as active, and
# accounting that does not answer.
STUCK_WAIT = 120.0


# The answers of polls that cannot last: after how many seconds which action follows. A verdict can be late in any
# state; then the exit code decides.
LIMITS: dict[tuple[Awaited, JobAnswer], tuple[float, JobAction]] = {
    (Awaited.NOTHING, JobAnswer.COMPLETING): (STUCK_WAIT, JobAction.LOSE),
    (Awaited.NOTHING, JobAnswer.UNLISTED): (STUCK_WAIT, JobAction.LOSE),
    (Awaited.NOTHING, JobAnswer.MISSING): (LOST_WAIT, JobAction.LOSE),
    (Awaited.NOTHING, JobAnswer.LEFT_OUT): (LOST_WAIT, JobAction.LOSE),
    (Awaited.NOTHING, JobAnswer.UNANSWERED): (STUCK_WAIT, JobAction.LOSE),
    (Awaited.VERDICT, JobAnswer.RUNNING): (VERDICT_WAIT, JobAction.END_BY_CODE),
    (Awaited.VERDICT, JobAnswer.MISSING): (VERDICT_WAIT, JobAction.END_BY_CODE),
    (Awaited.VERDICT, JobAnswer.LEFT_OUT): (VERDICT_WAIT, JobAction.END_BY_CODE),
    (Awaited.VERDICT, JobAnswer.COMPLETING): (STUCK_WAIT, JobAction.END_BY_CODE),
    (Awaited.VERDICT, JobAnswer.ALIVE): (STUCK_WAIT, JobAction.END_BY_CODE),
    (Awaited.VERDICT, JobAnswer.UNLISTED): (STUCK_WAIT, JobAction.END_BY_CODE),
    (Awaited.VERDICT, JobAnswer.UNANSWERED): (STUCK_WAIT, JobAction.END_BY_CODE),
}


@dataclass(slots=True)
class PolledTime:
    """For how long answered polls have shown the same.

    Only time between polls that were answered counts: silence decides nothing. Each gap between two polls counts for
    at most half of the wait, so that at least three polls decide.
    """

    seconds: float = 0.0
    last: float | None = None  # start of the last poll that was counted

    def covers(self, wait: float, asked: float) -> bool:
        """Count a poll that was started at `asked`; return whether the polls so far cover `wait` seconds."""
        self.seconds += 0.0 if self.last is None else min(max(0.0, asked - self.last), wait / 2)
        self.last = asked
        return self.seconds >= wait


@dataclass(slots=True)
class Expectation:
    """What is awaited and doubted about the current attempt of one instance. Times are the driver's monotonic clock."""

    awaited: Awaited = Awaited.NOTHING
    deadline: float = 0.0  # until when a report is awaited; polls decide about a verdict
    end: Callable[[float], ev.Ended] | None = None  # the end if no report comes, by wall clock; only with REPORT
    doubt: JobAnswer | None = None  # what polls show that cannot last; with REPORT and VERDICT any answer
    polled: PolledTime | None = None  # for how long they show it
    cancel_sent_at: float | None = None  # when Slurm accepted the cancel request; only if it had not begun by then
    never_satisfied: bool = False  # Slurm will not start it: it must be bound again, or is blocked
    has_begun: bool = False  # its claim is taken, whatever Slurm shows
    unconfirmed: bool = False  # its job was found by name and may already be over

    @property
    def is_doubtful(self) -> bool:
        """Whether its job may be over."""
        is_ending = self.awaited is not Awaited.NOTHING
        return is_ending or self.polled is not None or self.never_satisfied or self.unconfirmed


_NOTHING = Expectation()


class Expectations:
    """The expectations of a study, by instance. They are searched often, so empty ones are dropped."""

    def __init__(self) -> None:
        self._by_instance: dict[int, Expectation] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._by_instance

    def get(self, index: int) -> Expectation:
        """Return what is expected of an instance; read-only."""
        return self._by_instance.get(index, _NOTHING)

    @contextmanager
    def change(self, index: int) -> Generator[Expectation]:
        """Yield what is expected of an instance, for changes."""
        expected = self._by_instance.setdefault(index, Expectation())
        yield expected
        if expected == _NOTHING:
            self._by_instance.pop(index, None)

    def await_end(
        self, index: int, awaited: Awaited, deadline: float = 0.0, end: Callable[[float], ev.Ended] | None = None
    ) -> None:
        """Set what is awaited for the end of an instance's attempt, replacing anything awaited before."""
        with self.change(index) as expected:
            expected.awaited, expected.deadline, expected.end = awaited, deadline, end
            expected.doubt, expected.polled = None, None

    def stop_awaiting(self, index: int, awaited: Awaited) -> None:
        """Stop waiting for `awaited`, if that is what the attempt's end waits for."""
        if self.get(index).awaited is awaited:
            self.await_end(index, Awaited.NOTHING)

    def count(self, index: int, answer: JobAnswer, asked: float) -> JobAction | None:
        """Count a poll with an answer that cannot last; return what follows if it has lasted too long."""
        awaited = self.get(index).awaited
        limit = LIMITS.get((awaited, answer))
        if limit is None:
            if index in self and awaited is Awaited.NOTHING:
                with self.change(index) as expected:
                    expected.doubt, expected.polled = None, None
            return None
        wait, action = limit
        with self.change(index) as expected:
            if expected.polled is None or (awaited is Awaited.NOTHING and expected.doubt is not answer):
                expected.polled = PolledTime()
            expected.doubt = answer
            return action if expected.polled.covers(wait, asked) else None

    def drop(self, index: int) -> None:
        """Drop what is expected of an instance that is over or has another attempt."""
        self._by_instance.pop(index, None)

    def wants_poll(self) -> bool:
        """Whether a poll of Slurm would decide something now."""
        return any(
            expected.awaited is Awaited.VERDICT or expected.cancel_sent_at is not None
            for expected in self._by_instance.values()
        )

    def deadline(self) -> float | None:
        """Return the earliest deadline of a report."""
        awaited = (each.deadline for each in self._by_instance.values() if each.awaited is Awaited.REPORT)
        return min(awaited, default=None)

    def expired(self, now: float) -> list[int]:
        """Return the instances whose report was awaited until `now`."""
        items = self._by_instance.items()
        return [index for index, each in items if each.awaited is Awaited.REPORT and now >= each.deadline]

    def forget_cancels(self, then: float) -> None:
        """Drop cancel requests that Slurm accepted up to `then`."""
        for index, sent_at in [(index, each.cancel_sent_at) for index, each in self._by_instance.items()]:
            if sent_at is not None and sent_at <= then:
                with self.change(index) as expected:
                    expected.cancel_sent_at = None

    def doubt(self, index: int) -> None:
        """Record that the job of an instance is not confirmed: it may be over, until a poll shows it."""
        with self.change(index) as expected:
            expected.unconfirmed = True

    def doubtful(self) -> set[int]:
        """Return the instances whose jobs may be over."""
        return {index for index, expected in self._by_instance.items() if expected.is_doubtful}

    def never_satisfied(self) -> set[int]:
        """Return the instances that Slurm will not start because of their dependencies."""
        return {index for index, expected in self._by_instance.items() if expected.never_satisfied}
