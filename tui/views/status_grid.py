"""The rows and cells of the status grid: which are shown, in which order, and which are marked.

A row is a parameter combination, a column a step. An instance of a step that uses fewer parameters covers several
rows: `GridView.cell` returns the same instance for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...core.engine.state import StudyState
from ...core.engine.status import UNSUCCESSFUL
from ...core.plan.study_plan import Plan, PlannedStep
from .appearance import StatusGroup, group_of
from .filters import Filter, parse_filter

BY_ROW = ""  # the sort key of the order in the study file

# Groups in the order of a sort by state, the most urgent first.
_URGENCY = {
    group: place
    for place, group in enumerate(
        (
            StatusGroup.FAILED,
            StatusGroup.CANCELLED,
            StatusGroup.BLOCKED,
            StatusGroup.RUNNING,
            StatusGroup.QUEUED,
            StatusGroup.WAITING,
            StatusGroup.DONE,
        )
    )
}


@dataclass(frozen=True, slots=True)
class Sort:
    """Sort by a parameter (its key), by the state of a step (`state:` and its name), or by row."""

    key: str = BY_ROW
    descending: bool = False

    @property
    def words(self) -> str:
        if self.key == BY_ROW:
            return "as in the study file"
        what = f"state of {self.key[6:]}" if self.key.startswith("state:") else self.key
        return f"{what}, descending" if self.descending else what


class GridView:
    """What is shown of a study. It does not hold the states of instances: methods get the StudyState."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        used = {key for step in plan.steps for key in step.used}
        self.parameters = [key for key in plan.parameters.keys if key in used]
        rows = len(plan.parameters.values[0]) if self.parameters else 1
        self.row_count = rows if plan.instances else 0
        self.steps: list[PlannedStep] = [step for step in plan.steps if step.instances]
        self.columns = {step.index: column for column, step in enumerate(self.steps)}
        self.filter: Filter = parse_filter("", plan)
        self.sort = Sort()
        self.order: list[int] = list(range(self.row_count))
        self.hits: set[int] | None = None  # the instances that match the filter; None: all
        self.marks: set[int] = set()
        self._places: dict[int, int] | None = None  # the place in `order` of each row shown; None: not computed

    def cell(self, row: int, column: int) -> int:
        """Return the instance at a row and column."""
        step = self.steps[column]
        return step.by_row[row] if step.by_row else step.instances[0]

    def values(self, row: int) -> list[str]:
        """Return the row's parameter values, in the order of `parameters`."""
        return [self.plan.parameters.value(key, row) for key in self.parameters]

    def place(self, index: int) -> tuple[int, int]:
        """Return row and column of an instance; of several rows, the first."""
        instance = self.plan.instances[index]
        return max(0, instance.row), self.columns[instance.step]

    def rows_of(self, index: int) -> list[int]:
        """Return all rows that an instance covers."""
        step = self.plan.steps[self.plan.instances[index].step]
        if not step.by_row:
            return list(range(self.row_count))
        return [row for row, covering in enumerate(step.by_row) if covering == index]

    def is_lit(self, index: int) -> bool:
        """Return whether an instance matches the filter; others are dimmed if their row is shown."""
        return self.hits is None or index in self.hits

    # --- what is shown

    def set_filter(self, text: str, state: StudyState) -> None:
        """Show the rows with a match. Raises FilterError, and changes nothing then."""
        self.filter = parse_filter(text, self.plan)
        self.arrange(state)

    def set_sort(self, sort: Sort, state: StudyState) -> None:
        self.sort = sort
        self.arrange(state)

    @property
    def depends_on_state(self) -> bool:
        """Whether the rows shown may change with the states of instances."""
        return self.hits is not None or self.sort.key.startswith("state:")

    def arrange(self, state: StudyState) -> bool:
        """Recompute the rows that are shown and their order; return whether anything changed."""
        before, hits_before = self.order, self.hits
        self.hits = None if self.filter.is_empty else set(self.filter.matching(state))
        rows: Sequence[int] = range(self.row_count) if self.hits is None else self._rows_with(self.hits)
        key = self._sort_key(state)
        self.order = sorted(rows, key=key, reverse=self.sort.descending) if key else list(rows)
        self._places = None
        return self.order != before or self.hits != hits_before

    def _rows_with(self, hits: set[int]) -> list[int]:
        """Return the rows with a match.

        A row that a term on parameters excludes is not shown because of an instance that covers other rows as well.
        """
        mask = self.filter.row_mask
        return [row for row in self._rows_of_any(hits) if mask is None or mask[row]]

    def _rows_of_any(self, hits: set[int]) -> Sequence[int]:
        rows: set[int] = set()
        for step in self.steps:
            if not step.by_row:
                if step.instances[0] in hits:
                    return range(self.row_count)
            else:
                rows.update(row for row, index in enumerate(step.by_row) if index in hits)
        return sorted(rows)

    def _sort_key(self, state: StudyState) -> Callable[[int], tuple[int, float, str]] | None:
        key = self.sort.key
        if key.startswith("state:"):
            column = next((number for number, step in enumerate(self.steps) if step.name == key[6:]), 0)
            return lambda row: (_URGENCY[group_of(state.status[self.cell(row, column)])], 0.0, "")
        if key in self.parameters:
            values = self.plan.parameters.values[self.plan.parameters.keys.index(key)]
            return lambda row: _natural(values[row])
        return None

    def sorts(self) -> list[Sort]:
        """Return all sort orders."""
        keys = [BY_ROW, *self.parameters, *(f"state:{step.name}" for step in self.steps)]
        return [Sort(key) for key in keys]

    # --- positions on the screen

    def shown_at(self, index: int) -> tuple[int, int] | None:
        """Return place in `order` and column of an instance, by its first row that is shown; None if it is hidden."""
        if self._places is None:
            self._places = {row: place for place, row in enumerate(self.order)}
        row, column = self.place(index)
        if row not in self._places:
            row = next((other for other in self.rows_of(index) if other in self._places), -1)
        return (self._places[row], column) if row >= 0 else None

    def next_hit(self, here: int | None, step: int, state: StudyState) -> int | None:
        """Return the next (`step` 1) or previous (-1) instance on the screen that matches the filter, wrapping around.

        Without a filter, failed instances match. Returns None if there is none.
        """
        hits = self.hits
        if hits is None:
            hits = {index for index, status in enumerate(state.status) if status in UNSUCCESSFUL}
        places = {at: index for index in hits if (at := self.shown_at(index))}
        if not places:
            return None
        at = (None if here is None else self.shown_at(here)) or (-1, -1)
        if step > 0:
            return places[min((place for place in places if place > at), default=min(places))]
        return places[max((place for place in places if place < at), default=max(places))]

    # --- marks

    def shown_instances(self) -> set[int]:
        """Return every instance that matches the filter; without a filter, all."""
        if self.hits is not None:
            return set(self.hits)
        return {index for step in self.steps for index in step.instances}

    def block(self, first: tuple[int, int], last: tuple[int, int]) -> set[int]:
        """Return the matching instances of a rectangle, given by two corners (place in `order`, column)."""
        places = range(min(first[0], last[0]), max(first[0], last[0]) + 1)
        columns = range(min(first[1], last[1]), max(first[1], last[1]) + 1)
        cells = {self.cell(self.order[place], column) for place in places for column in columns}
        return {index for index in cells if self.is_lit(index)}


def _natural(value: str) -> tuple[int, float, str]:
    """Sort key: numbers by size, before texts."""
    try:
        return (0, float(value), value)
    except ValueError:
        return (1, 0.0, value)
