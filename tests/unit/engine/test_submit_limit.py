"""The window under a submit limit: kept full, and not run into."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mtui.core.engine.submit_limit import FORGET_AFTER, UNKNOWN, SubmitLimit

LATER = 100.0  # seconds, after which nothing lingers


@pytest.mark.parametrize(
    ("limit", "live", "others", "room"),
    [
        (100, 0, 0, 100),
        (100, 60, 0, 40),
        (100, 60, 30, 10),
        (100, 100, 0, 0),
        (100, 90, 30, 0),
        (0, 0, 0, 0),
        (None, 0, 0, UNKNOWN),
        (None, 1000, 700, UNKNOWN - 1000),
    ],
)
def test_room_under_a_limit_is_what_is_left(limit: int | None, live: int, others: int, room: int) -> None:
    if limit is None:
        assert SubmitLimit(limit).room(live, others, 0.0) >= room
    else:
        assert SubmitLimit(limit).room(live, others, 0.0) == room


def test_refusal_halves_what_lies_between_what_fits_and_what_does_not() -> None:
    window = SubmitLimit()
    window.refused(128, 0, 0.0)
    assert window.room(0, 0, 1.0) == 64
    window.accepted(64)
    assert window.room(64, 0, 1.0) == 32
    window.refused(96, 0, 1.0)
    assert window.room(64, 0, 1.0) == 16
    window.accepted(80)
    window.refused(81, 0, 1.0)
    assert window.room(80, 0, 1.0) == 0
    assert window.room(79, 0, 1.0) == 1


def test_smaller_one_of_what_is_stated_and_what_was_learned_counts() -> None:
    window = SubmitLimit(100)
    window.refused(101, 0, 0.0)
    window.refused(60, 50, 0.0)  # others had more than the last look showed
    assert window.room(20, 0, 1.0) == 10
    assert window.room(20, 75, 1.0) == 5


def test_one_is_tried_now_and_then_where_others_fill_the_queue() -> None:
    window = SubmitLimit()
    window.refused(1, 0, 0.0)
    assert window.room(0, 0, 1.0) == 0
    due = window.due(1.0)
    assert due is not None
    assert 10 <= due <= 60
    assert (window.room(0, 0, due), window.room(1, 0, due), window.due(due)) == (1, 0, None)


def test_refusal_of_fewer_than_once_fitted_counts() -> None:
    window = SubmitLimit()
    window.accepted(100)
    window.refused(50, 0, 0.0)
    assert 0 < window.room(0, 0, 1.0) < 50
    assert window.room(49, 0, 1.0) == 0


def test_what_was_refused_and_fits_now_is_no_limit_any_more() -> None:
    window = SubmitLimit()
    window.refused(50, 0, 0.0)
    window.accepted(50)
    assert window.room(50, 0, 1.0) > 1000


def test_what_was_learned_is_forgotten_after_a_while() -> None:
    window = SubmitLimit(1000)
    window.refused(10, 1000, 5.0)
    assert window.room(0, 0, 5.0 + FORGET_AFTER - 1) < 10
    assert window.room(0, 0, 5.0 + FORGET_AFTER) == 1000
    window.refused(10, 1000, 1000.0)
    window.refused(10, 1000, 1500.0)  # said again: it counts from then
    assert window.room(0, 0, 1001.0 + FORGET_AFTER) < 10


# --- what has ended


def test_job_that_has_ended_counts_for_a_moment_still() -> None:
    window = SubmitLimit(10)
    assert window.due(0.0) is None
    window.ended(0.0)
    assert window.room(9, 0, 0.0) == 0
    due = window.due(0.0)
    assert due is not None
    assert 0.0 < due <= 1.0
    assert (window.room(9, 0, due), window.due(due)) == (1, None)


def test_refusal_below_the_limit_that_is_stated_means_that_ended_ones_count_longer() -> None:
    window = SubmitLimit(10)
    waits: list[float] = []
    for now in (0.0, 1000.0, 2000.0, 3000.0):
        window.ended(now)
        window.refused(10, 0, now)
        due = window.due(now)
        assert due is not None
        waits.append(due - now)
        assert window.room(0, 0, now) == 0
        assert window.room(0, 0, now + LATER) == 10  # it is no lower limit
    assert waits == sorted(waits)
    assert waits[0] < waits[-1] <= 60


# --- a study of many jobs


@dataclass
class Site:
    """A queue with a limit that changes with time, and a study that submits through its window, 0.1 s a turn."""

    window: SubmitLimit
    limit: Callable[[float], int]
    jobs: int = 50_000
    most: int = 1000  # in one array
    others: Callable[[float], int] = lambda _: 0
    linger: float = 0.0  # for which the limit counts a job that has ended
    live: int = 0
    now: float = 0.0
    refusals: list[float] = field(default_factory=list[float])
    idle: float = 0.0  # places that were empty, in job seconds
    ends: deque[float] = field(default_factory=deque[float])
    chance: random.Random = field(default_factory=lambda: random.Random(3))

    def turn(self) -> None:
        """Each job ends within about two seconds."""
        self.now += 0.1
        for _ in range(sum(self.chance.random() < 0.05 for _ in range(self.live))):
            self.live -= 1
            self.ends.append(self.now)
            self.window.ended(self.now)
        while self.ends and self.now - self.ends[0] >= self.linger:
            self.ends.popleft()
        others = self.others(self.now)
        size = min(self.window.room(self.live, others, self.now), self.most, self.jobs)
        free = self.limit(self.now) - others - len(self.ends) - self.live
        if size > free:
            self.refusals.append(self.now)
            self.window.refused(self.live + size, others, self.now)
        elif size:
            self.live += size
            self.jobs -= size
            self.window.accepted(self.live)
        self.idle += 0.1 * max(0, free - size) * bool(self.jobs)

    def until(self, now: float) -> Site:
        while self.now < now and self.jobs:
            self.turn()
        return self

    def through(self) -> Site:
        self.until(50_000)
        assert self.jobs == 0
        return self

    @property
    def idle_share(self) -> float:
        return self.idle / (self.now * self.limit(self.now))


@pytest.mark.parametrize("linger", [0.0, 0.3])
def test_study_goes_through_a_limit_that_is_known_without_a_refusal(linger: float) -> None:
    site = Site(SubmitLimit(100), lambda _: 100, linger=linger).through()
    assert site.refusals == []
    assert site.idle_share < 0.3


def test_study_learns_for_how_long_slurm_counts_what_has_ended() -> None:
    site = Site(SubmitLimit(100), lambda _: 100, linger=5.0).through()
    assert len(site.refusals) <= 10
    assert site.idle_share < 0.3


def test_study_passes_an_unknown_limit_with_few_refusals() -> None:
    site = Site(SubmitLimit(), lambda _: 100).through()
    # About log2(1000) to find it, and once more whenever it was forgotten.
    assert len(site.refusals) <= 12 * (1 + site.now / FORGET_AFTER)
    assert site.idle_share < 0.3


def test_window_that_has_found_the_limit_keeps_below_it() -> None:
    site = Site(SubmitLimit(), lambda _: 100).until(100)
    before = len(site.refusals)
    site.until(FORGET_AFTER - 10)
    assert len(site.refusals) - before <= 3


@pytest.mark.parametrize(("first", "then"), [(100, 30), (30, 300)], ids=["less", "more"])
def test_limit_that_changes_meanwhile_is_found_again(first: int, then: int) -> None:
    site = Site(SubmitLimit(), lambda now: first if now < 300 else then, jobs=30_000).through()
    assert site.now > 300
    # Where the limit falls below what is in the queue, each job that ends until then costs a refusal.
    assert len(site.refusals) <= 12 * (2 + site.now / FORGET_AFTER) + max(0, first - then)


def test_other_jobs_of_the_user_are_left_their_place() -> None:
    site = Site(SubmitLimit(100), lambda _: 100, jobs=5000, others=lambda now: 40 if now < 50 else 5).through()
    assert site.refusals == []
