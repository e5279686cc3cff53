"""The input line for a filter of the grid, or for a search in the log."""

from __future__ import annotations

from textual import on
from textual.suggester import SuggestFromList
from textual.widgets import Input

from ....core.plan.study_plan import Plan
from ...views.filters import completions


class FilterLine(Input):
    """Hidden until it is opened. `searching` is true for a search in the log, false for a filter."""

    def __init__(self, plan: Plan, *, id: str) -> None:
        super().__init__(id=id, classes="-hidden", compact=True)
        self.cursor_blink = False
        self.searching = False
        self._plan = plan

    @property
    def is_open(self) -> bool:
        return not self.has_class("-hidden")

    def ask_for_filter(self, text: str) -> None:
        """Open the line to edit a filter, starting with `text`."""
        self._ask(text, "state:failed step:sim SIZE>100 text", searching=False)

    def ask_for_search(self) -> None:
        self._ask("", "search in the log; a regular expression", searching=True)

    def close(self) -> None:
        self.add_class("-hidden")

    def _ask(self, text: str, placeholder: str, *, searching: bool) -> None:
        self.searching = searching
        self.placeholder = placeholder
        self.value = text
        self._suggest()
        self.remove_class("-hidden")
        self.focus()

    @on(Input.Changed)
    def _suggest(self) -> None:
        found = [] if self.searching else completions(self.value, self._plan)
        self.suggester = SuggestFromList(found, case_sensitive=False)
