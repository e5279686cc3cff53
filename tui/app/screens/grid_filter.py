"""The filter and the sort order of the grid: set by text or by keys, and reapplied as states change."""

from __future__ import annotations

import time
from dataclasses import replace

from ...views.appearance import StatusGroup, by_group
from ...views.filters import FilterError
from ...views.study_session import StudySession
from ..widgets.bars import WordLine
from ..widgets.grid import StatusGrid

_CYCLE = ("", "state:failed", "state:running", "state:queued", "state:waiting")
_REAPPLY_EVERY = 1.0  # seconds; the cost of a filter grows with the study


class GridFilter:
    """Updates the study's view and the grid; `notice` shows errors in a filter, and that nothing was found."""

    def __init__(self, study: StudySession, grid: StatusGrid, notice: WordLine) -> None:
        self._study = study
        self._grid = grid
        self._notice = notice
        self._last = ""  # the last filter that was not empty
        self._applied_at = 0.0  # monotonic

    @property
    def proposal(self) -> str:
        """The text that a new filter starts with."""
        return self._study.view.filter.text or self._last

    @property
    def group(self) -> str:
        """The name of the group of states that is shown alone; empty for any other filter."""
        text = self._study.view.filter.text
        return text.partition(":")[2] if text.startswith("state:") else ""

    def set(self, text: str) -> bool:
        """Set the filter, empty to show everything; return False if the text is invalid, and change nothing then."""
        try:
            self._study.view.set_filter(text, self._study.state)
        except FilterError as error:
            self._notice.show_words([(f" {error.message}  ", "state--failed"), (error.hint, "line--faint")])
            return False
        self._notice.show_words([])  # it may be about an earlier filter
        if text:
            self._last = text
        self._grid.arranged()
        hits = self._study.view.hits
        if hits and self._grid.index not in hits:
            self.go_to_hit(1)
        return True

    def cycle(self) -> None:
        """Switch to the next group of states that has instances; after the last one, show everything."""
        text = self._study.view.filter.text
        place = _CYCLE.index(text) if text in _CYCLE else 0
        counts = by_group(self._study.state.counts)
        following = (_CYCLE[(place + step) % len(_CYCLE)] for step in range(1, len(_CYCLE) + 1))
        self.set(
            next(choice for choice in following if not choice or counts.get(StatusGroup(choice.partition(":")[2])))
        )

    def reapply(self) -> None:
        """Apply the filter to the current states, at most once per _REAPPLY_EVERY."""
        now = time.monotonic()
        if self._study.view.depends_on_state and now - self._applied_at >= _REAPPLY_EVERY:
            self._applied_at = now
            if self._study.view.arrange(self._study.state):
                self._grid.arranged()

    def go_to_hit(self, step: int) -> None:
        """Move to the next instance that matches the filter; without a filter, to the next failed one."""
        found = self._study.view.next_hit(self._grid.index, step, self._study.state)
        if found is None:
            nothing = "nothing has failed" if self._study.view.hits is None else "the filter matches nothing"
            self._notice.show_words([(f" {nothing}", "state--done")])
        else:
            self._grid.go_to(found)

    def sort_by(self, key: str) -> None:
        """Sort by a key of the view; the same key again reverses the order."""
        before = self._study.view.sort
        sort = next(sort for sort in self._study.view.sorts() if sort.key == key)
        again = before.key == key and bool(key)
        self._study.view.set_sort(replace(sort, descending=again and not before.descending), self._study.state)
        self._grid.arranged()
