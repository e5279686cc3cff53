"""What is expected of an attempt beyond its events, and how long each word on its end is awaited."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from . import events as ev
from .slurm_answers import Awaited

# Seconds for Slurm's verdict on a job that reported its own failure. A poll that is wanted comes after 1, 2, 4 and 8 s
# (driver/looks.py): so accounting, which learns of an end last, is asked four times.
VERDICT_WAIT = 15.0
# Seconds for the job's own report after Slurm called it ended. The job wrote it before it ended, so only a network
# file system keeps it back. What comes later changes nothing: the attempt has Slurm's word for its end.
REPORT_WAIT = 5.0
# Seconds until an unclear submission that no poll found counts as not made: three times the 10 s that Slurm's own
# commands wait for an answer (MessageTimeout, slurm.conf(5)). One that arrives even later loses the claim.
UNCLEAR_WAIT = 30.0
# Seconds that a job may be unknown to Slurm before it counts as lost. An NFS client may list a directory as it was up
# to 60 s ago (acdirmax, nfs(5)): a report that the job left has been found by then. Slurm itself knows a job for 300 s
# after its end (MinJobAge, slurm.conf(5)), so one poll without it that is wrong is followed by others.
LOST_WAIT = 60.0


@dataclass(slots=True)
class Expectation:
    """What is expected of the current attempt of one instance, and doubted. Times are the driver's monotonic clock."""

    awaited: Awaited = Awaited.NOTHING
    deadline: float = 0.0  # until when that is awaited
    end: Callable[[float], ev.Ended] | None = None  # the end if no report comes, by wall clock; only with REPORT
    missing_since: float | None = None  # first poll that did not show its job
    cancel_sent_at: float | None = None  # it had not begun when Slurm took the request to end it
    never_satisfied: bool = False  # Slurm will not begin it: it has to be bound again, or is blocked
    has_begun: bool = False  # its claim is taken, whatever Slurm shows
    unconfirmed: bool = False  # its job was found by name: not known yet whether that is alive

    @property
    def is_doubtful(self) -> bool:
        """Whether its job may be over."""
        is_ending = self.awaited is not Awaited.NOTHING
        return is_ending or self.missing_since is not None or self.never_satisfied or self.unconfirmed


_NOTHING = Expectation()


class Expectations:
    """The expectations of a study, by instance. They are searched often, so what says nothing any more is dropped."""

    def __init__(self) -> None:
        self._by_instance: dict[int, Expectation] = {}

    def __contains__(self, index: int) -> bool:
        return index in self._by_instance

    def get(self, index: int) -> Expectation:
        """What is expected of an instance; not to be changed."""
        return self._by_instance.get(index, _NOTHING)

    @contextmanager
    def change(self, index: int) -> Generator[Expectation]:
        """What is expected of an instance, to be changed."""
        expected = self._by_instance.setdefault(index, Expectation())
        yield expected
        if expected == _NOTHING:
            self._by_instance.pop(index, None)

    def drop(self, index: int) -> None:
        """Nothing is expected of an instance: it is over, or has another attempt."""
        self._by_instance.pop(index, None)

    def wants_poll(self) -> bool:
        """Whether a poll of Slurm would decide something now."""
        return any(
            expected.awaited is Awaited.VERDICT or expected.cancel_sent_at is not None
            for expected in self._by_instance.values()
        )

    def deadline(self) -> float | None:
        """The first time at which something is not awaited any longer."""
        awaited = (each.deadline for each in self._by_instance.values() if each.awaited is not Awaited.NOTHING)
        return min(awaited, default=None)

    def expired(self, now: float) -> list[int]:
        """The instances whose ends were awaited until now."""
        items = self._by_instance.items()
        return [index for index, each in items if each.awaited is not Awaited.NOTHING and now >= each.deadline]

    def forget_cancels(self, then: float) -> None:
        """Expect nothing more of requests to end jobs that Slurm took by then."""
        for index, sent_at in [(index, each.cancel_sent_at) for index, each in self._by_instance.items()]:
            if sent_at is not None and sent_at <= then:
                with self.change(index) as expected:
                    expected.cancel_sent_at = None

    def doubtful(self) -> set[int]:
        """The instances whose jobs may be over."""
        return {index for index, expected in self._by_instance.items() if expected.is_doubtful}

    def never_satisfied(self) -> set[int]:
        """The instances that Slurm will not begin because of what they are bound to."""
        return {index for index, expected in self._by_instance.items() if expected.never_satisfied}
