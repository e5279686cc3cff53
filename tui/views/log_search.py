"""Searches the lines of a log that keeps changing."""

from __future__ import annotations

import re
import signal
import threading
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

MOST_HITS = 20_000  # the newest are kept
_PATIENCE = 1.0  # seconds; a regular expression that takes longer is searched as plain text


class Hit(NamedTuple):
    """The position of a match: a line number, and a range of its characters."""

    line: int
    start: int
    end: int


class Search:
    """All hits of a pattern, a regular expression if it is valid. Case is ignored unless it has capital letters."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.hits: list[Hit] = []
        self.current: Hit | None = None
        self._regex = _compiled(pattern)

    def forget_before(self, number: int) -> None:
        """Drop hits in lines before this one, which are gone."""
        del self.hits[: bisect_left(self.hits, Hit(number, 0, 0))]

    def forget_from(self, number: int) -> None:
        """Drop hits in this line and those after it, which are gone or changed."""
        del self.hits[bisect_left(self.hits, Hit(number, 0, 0)) :]

    def add(self, number: int, texts: list[str]) -> bool:
        """Search new lines at the end; return False if the pattern was too slow: then pass all lines again."""
        try:
            with _patience():
                self.hits += _found(self._regex, number, texts)
        except _TooSlow:
            self.hits.clear()
            self._regex = re.compile(re.escape(self.pattern), self._regex.flags & re.IGNORECASE)
            return False
        del self.hits[:-MOST_HITS]
        return True

    def in_line(self, number: int) -> list[Hit]:
        return self.hits[bisect_left(self.hits, Hit(number, 0, 0)) : bisect_left(self.hits, Hit(number + 1, 0, 0))]

    def start(self, number: int, *, backwards: bool) -> Hit | None:
        """Select the first hit in or after a line; backwards, the last one in or before it."""
        self.current = Hit(number + 1, 0, 0) if backwards else Hit(number, 0, 0)
        return self.next(backwards=backwards)

    def next(self, *, backwards: bool) -> Hit | None:
        """Select the next hit; after the last one, the first."""
        at = self.current or Hit(-1, 0, 0)
        place = bisect_left(self.hits, at) - 1 if backwards else bisect_right(self.hits, at)
        self.current = self.hits[place % len(self.hits)] if self.hits else None
        return self.current

    def count(self) -> str:
        """Return the number of the current hit and the total, as in `3/17`."""
        if not self.hits:
            return "no hits"
        total = f"{len(self.hits)}+" if len(self.hits) == MOST_HITS else str(len(self.hits))
        place = bisect_left(self.hits, self.current) if self.current else len(self.hits)
        known = place < len(self.hits) and self.hits[place] == self.current
        return f"{place + 1 if known else '-'}/{total}"


def _found(regex: re.Pattern[str], number: int, texts: list[str]) -> list[Hit]:
    """Return the hits in `texts`, whose first line is `number`, in order; if there are too many, the last ones."""
    found: list[Hit] = []
    for line in range(len(texts) - 1, -1, -1):
        if len(found) >= MOST_HITS:
            break
        matches = [match.span() for match in regex.finditer(texts[line])]
        found += [Hit(number + line, start, end) for start, end in reversed(matches) if end > start]
    found.reverse()
    return found


def _compiled(pattern: str) -> re.Pattern[str]:
    letters = re.sub(r"\\.", "", pattern)  # \S is no capital letter
    flags = re.RegexFlag(0) if letters != letters.lower() else re.IGNORECASE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError):
        return re.compile(re.escape(pattern), flags)


class _TooSlow(Exception):
    """The pattern takes longer than _PATIENCE."""


@contextmanager
def _patience() -> Iterator[None]:
    """Limit the time of a regular expression: matching blocks every thread, and some patterns never end.

    The re module checks for signals while matching, so a timer can interrupt it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)
