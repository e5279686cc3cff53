"""The step tree: the steps in topological order, each with its counts and a bar of shares.

Indentation shows the depth. `+` marks a step with several parents; `*` marks a step that depends on all instances of
another one (a funnel, `step_*` in the study file), or on a group of them. The lines below the list show the
dependencies of the step under the cursor.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message

from ....core.engine.state import StudyState
from ....core.plan.study_plan import Plan, PlannedStep
from ...views.appearance import BAR_GLYPHS, GROUP_GLYPHS, StatusGroup, by_group
from ...views.status_grid import GridView
from ...views.step_words import above_words
from ...views.text import plural
from .line_view import LineView, fit

_MOST_INDENT = 6  # levels; deeper ones are not indented further
# The order in a bar. Failures are between finished and running ones, never lost at an edge.
_BAR_ORDER = (
    StatusGroup.DONE,
    StatusGroup.FAILED,
    StatusGroup.CANCELLED,
    StatusGroup.BLOCKED,
    StatusGroup.RUNNING,
    StatusGroup.QUEUED,
    StatusGroup.WAITING,
)


def depths(plan: Plan) -> list[int]:
    """Return for each step the length of its longest chain of ancestors."""
    found: list[int] = []
    for step in plan.steps:  # in topological order
        above = step.above
        found.append(1 + max(found[parent] for parent in above) if above else 0)
    return found


def shares(counts: dict[StatusGroup, int], width: int) -> dict[StatusGroup, int]:
    """Return the cells of a bar for each group: proportional, but at least one for a group with instances."""
    total = sum(counts.values())
    if not total or width <= 0:
        return {}
    present = [group for group in _BAR_ORDER if counts.get(group)]
    cells = {group: max(1, counts[group] * width // total) for group in present}
    order = sorted(present, key=lambda group: counts[group], reverse=True)
    while sum(cells.values()) < width:  # cells left over by rounding go to the groups that lost most by it
        short = max(order, key=lambda group: counts[group] * width / total - cells[group])
        cells[short] += 1
    while sum(cells.values()) > width and max(cells.values()) > 1:
        cells[max(order, key=lambda group: cells[group])] -= 1
    return cells


def waits_for(plan: Plan, step: PlannedStep) -> str:
    """Return the dependencies of a step as text."""
    return " and ".join(above_words(plan, step)) or "nothing"


class StepTree(LineView):
    """The steps. Moving the cursor posts a message, by which the screen moves the cursor of the grid."""

    BINDING_GROUP_TITLE = "Steps"
    HELP = "+ depends on several steps, * depends on all instances of a step."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="steps.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="steps.down"),
        Binding("g,home", "move(-1000000)", "First", show=False, id="steps.first"),
        Binding("G,end", "move(1000000)", "Last", show=False, id="steps.last"),
        Binding("pageup,ctrl+u", "move(-10)", "Ten up", show=False, id="steps.page_up"),
        Binding("pagedown,ctrl+d", "move(10)", "Ten down", show=False, id="steps.page_down"),
        Binding("enter", "choose", "To the grid", id="steps.choose", tooltip="Go to this step's column in the grid"),
    ]

    class StepHighlighted(Message):
        """The cursor moved to another step; `column` is its column in the grid."""

        def __init__(self, column: int) -> None:
            super().__init__()
            self.column = column

    class StepSelected(StepHighlighted):
        """Enter was pressed: continue in the grid."""

    def __init__(self, view: GridView, state: StudyState, *, plain: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self.state = state
        self.plain = plain
        self.column = 0
        self.is_read = False  # whether the states are known
        self._depths = depths(view.plan)

    @property
    def step(self) -> PlannedStep | None:
        return self.view.steps[self.column] if self.view.steps else None

    def go_to(self, column: int) -> None:
        """Move the cursor to a step without posting a message."""
        self.column = max(0, min(column, len(self.view.steps) - 1))
        top, height = self.scroll_offset.y, max(1, self.size.height - _DETAIL)
        if not top <= self.column < top + height:
            self.scroll_to(y=max(0, self.column - height // 2), animate=False, immediate=True)
        self.repaint()

    def action_move(self, down: int) -> None:
        self.go_to(self.column + down)
        self.post_message(self.StepHighlighted(self.column))

    def action_choose(self) -> None:
        self.post_message(self.StepSelected(self.column))

    def on_click(self, event: Click) -> None:
        place = event.y + self.scroll_offset.y
        if event.y < self.size.height - _DETAIL and place < len(self.view.steps):
            self.go_to(place)
            self.post_message(self.StepHighlighted(self.column))

    def on_mount(self) -> None:
        self.virtual_size = Size(10, len(self.view.steps) + _DETAIL)

    def on_resize(self, event: Resize) -> None:
        del event
        self.go_to(self.column)
        self.refresh()

    # --- painting

    def segments(self, y: int) -> list[Segment]:
        from_end = self.size.height - y
        if from_end <= _DETAIL and self.size.height > 2 * _DETAIL:
            return self._detail(_DETAIL - from_end)
        place = y + self.scroll_offset.y
        return self._line(place) if place < len(self.view.steps) else []

    def _line(self, place: int) -> list[Segment]:
        step, width = self.view.steps[place], self.size.width
        counts = by_group(self.state.step_counts[step.index]) if self.is_read else {}
        total = len(step.instances)
        tally = f"{counts.get(StatusGroup.DONE, 0):,}/{total:,}"
        room = max(3, min(12, width // 4))
        mark = "*" if step.funnels or step.groups else "+" if len(step.parents) > 1 else " "
        indent = min(self._depths[step.index], _MOST_INDENT)
        lead = f" {'  ' * (indent - 1)}{'`-' if self.plain else '╰╴'}" if indent else " "
        name_width = width - room - len(tally) - len(lead) - 4
        here = place == self.column
        styles = ("line--cursor",) if here else ()
        segments = [
            Segment(lead, self.style_of("line--faint")),
            Segment(mark, self.style_of("line--strong", *styles)),
            Segment(fit(step.name, max(4, name_width)), self.style_of(*styles)),
            Segment(f" {tally} ", self.style_of("line--faint")),
        ]
        return segments + bar(self, counts, room, plain=self.plain)

    def _detail(self, line: int) -> list[Segment]:
        step = self.step
        if step is None or line == 0:
            return []
        counts = by_group(self.state.step_counts[step.index]) if self.is_read else {}
        if line == 1:
            where = " in Slurm" if step.scheduled else ", local"
            return [Segment(fit(f" {step.name}: {plural(len(step.instances), 'instance')}{where}", self.size.width),
                            self.style_of("line--strong"))]  # fmt: skip
        if line == 2:
            return [Segment(fit(f" depends on {waits_for(self.view.plan, step)}", self.size.width),
                            self.style_of("line--faint"))]  # fmt: skip
        words = [f"{count:,} {group.value}" for group, count in counts.items()]
        if len("  ".join(words)) + 2 > self.size.width:  # a failure at the end must not be cut off
            words = [f"{GROUP_GLYPHS[group][int(self.plain)]} {count:,}" for group, count in counts.items()]
        styles = [self.style_of(f"state--{group.value}") for group in counts]
        return [Segment(" "), *(Segment(f"{word}  ", style) for word, style in zip(words, styles, strict=True))]


_DETAIL = 4  # lines at the bottom: an empty one, name, dependencies, counts


def bar(view: LineView, counts: dict[StatusGroup, int], width: int, *, plain: bool) -> list[Segment]:
    """Return a bar of shares as segments: a glyph per group, so that it can be read without colour."""
    glyph = 1 if plain else 0
    return [
        Segment(BAR_GLYPHS[group][glyph] * cells, view.style_of(f"state--{group.value}"))
        for group, cells in shares(counts, width).items()
    ]
