"""The status grid: a row per parameter combination, a column per step, a cell per instance.

An instance of a step that does not use all parameters spans several rows: its state is in the first row that is shown,
a dotted line in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from ....core.engine.state import StudyState
from ...views.appearance import LOOKS
from ...views.status_grid import GridView
from ...views.text import cell_width
from .line_view import LineView, fit

_NARROWEST, _USUAL, _WIDEST = 5, 11, 16  # cells of a step's column
_WIDEST_LABEL = 18
_WORD_FROM = 7  # cells from which the state's word is shown beside its glyph


class StatusGrid(LineView):
    """The grid. `view` defines what is shown; the cursor stays on its instance."""

    BINDING_GROUP_TITLE = "Status grid"
    HELP = "Rows are parameter combinations, columns are steps. Dotted line: the cell above also covers this row."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1, 0)", "Up", show=False, id="grid.up"),
        Binding("down,j", "move(1, 0)", "Down", show=False, id="grid.down"),
        Binding("left,h", "move(0, -1)", "Left", show=False, id="grid.left"),
        Binding("right,l", "move(0, 1)", "Right", show=False, id="grid.right"),
        Binding("pageup,ctrl+b", "page(-2)", "Page up", show=False, id="grid.page_up"),
        Binding("pagedown,ctrl+f", "page(2)", "Page down", show=False, id="grid.page_down"),
        Binding("ctrl+u", "page(-1)", "Half a page up", show=False, id="grid.half_up"),
        Binding("ctrl+d", "page(1)", "Half a page down", show=False, id="grid.half_down"),
        Binding("g,home", "edge(-1)", "First row", show=False, id="grid.first"),
        Binding("G,end", "edge(1)", "Last row", show=False, id="grid.last"),
        Binding("enter", "choose", "Details", id="grid.choose", tooltip="Show all details of this instance"),
        Binding("space", "mark", "Mark", id="grid.mark", tooltip="Mark this instance and go down"),
        Binding("V", "range", "Range", show=False, id="grid.range", tooltip="Start a range here; again: mark it"),
        Binding("asterisk", "mark_shown", "Mark shown", show=False, id="grid.mark_shown",
                tooltip="Mark all that match the filter"),
        Binding("backslash", "unmark", "No marks", show=False, id="grid.unmark", tooltip="Remove all marks"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--mark", "grid--range", "grid--head"}
    DEFAULT_CSS = """
    StatusGrid { overflow-y: scroll; }
    StatusGrid > .grid--mark { background: $mark; text-style: bold; }
    StatusGrid > .grid--range { background: $mark; }
    StatusGrid > .grid--head { color: $faint; text-style: bold; }
    """

    class CellHighlighted(Message):
        """The cursor moved to another instance, None if there is none."""

        def __init__(self, index: int | None) -> None:
            super().__init__()
            self.index = index

    class CellSelected(Message):
        """The user selected an instance to see its details."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    class MarksChanged(Message):
        """The marks changed."""

    def __init__(self, view: GridView, state: StudyState, *, plain: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self.state = state
        self.plain = plain
        self._row = 0  # of the cursor, in the numbering of the view
        self._place = 0  # of the cursor, among the rows shown
        self._column = 0
        self._anchor: tuple[int, int] | None = None  # where a range begins
        self._label_widths: list[int] = []
        self._widths: list[int] = []  # of the steps' columns
        self.is_read = False  # whether the states are known

    # --- public interface

    @property
    def index(self) -> int | None:
        """The instance under the cursor."""
        if not self.view.order or not self.view.steps:
            return None
        return self.view.cell(self._row, self._column)

    @property
    def column(self) -> int:
        return self._column

    def go_to(self, index: int) -> bool:
        """Move the cursor to an instance; return False if the filter hides it."""
        at = self.view.shown_at(index)
        if at is None:
            return False
        self._set(*at)
        return True

    def go_to_column(self, column: int) -> None:
        self._set(self._place, column)

    def arranged(self) -> None:
        """Apply a changed filter or order; the cursor stays on its row if that is still shown."""
        order = self.view.order
        try:
            self._place = order.index(self._row)
        except ValueError:
            self._place = max(0, min(self._place, len(order) - 1))
        self._anchor = None
        self._lay_out()
        self.refresh()
        self._set(self._place, self._column)

    # --- keys

    def action_move(self, down: int, right: int) -> None:
        place = self._place + down
        if down and self.view.order:  # leave a cell that spans several rows in one step
            index = self.index
            while (
                0 < place < len(self.view.order) - 1 and self.view.cell(self.view.order[place], self._column) == index
            ):
                place += down
            if not self._spans_on(index, place):
                self._set(place, self._column + right)
                return
            place = self._place + down
        self._set(place, self._column + right)

    def _spans_on(self, index: int | None, place: int) -> bool:
        """Return whether the same instance covers the row at `place`."""
        inside = 0 <= place < len(self.view.order)
        return inside and self.view.cell(self.view.order[place], self._column) == index

    def action_page(self, halves: int) -> None:
        self._set(self._place + halves * max(1, self._height // 2), self._column)

    def action_edge(self, where: int) -> None:
        self._set(0 if where < 0 else len(self.view.order) - 1, self._column)

    def action_choose(self) -> None:
        if self.index is not None:
            self.post_message(self.CellSelected(self.index))

    def action_mark(self) -> None:
        if self.index is None:
            return
        self.view.marks ^= {self.index}
        self._marked()
        self.action_move(1, 0)

    def action_range(self) -> None:
        if self.index is None:
            return
        if self._anchor is None:
            self._anchor = (self._place, self._column)
        else:
            self.view.marks |= self.view.block(self._anchor, (self._place, self._column))
            self._anchor = None
        self._marked()

    def action_mark_shown(self) -> None:
        self.view.marks |= self.view.shown_instances()
        self._marked()

    def action_unmark(self) -> None:
        self.view.marks.clear()
        self._anchor = None
        self._marked()

    def _marked(self) -> None:
        self.repaint()
        self.post_message(self.MarksChanged())

    def action_range_off(self) -> None:
        self._anchor = None
        self._marked()

    @property
    def selecting(self) -> bool:
        """Whether a range is being selected."""
        return self._anchor is not None

    # --- mouse

    def on_click(self, event: Click) -> None:
        place = event.y - 1 + self.scroll_offset.y
        if event.y < 1 or place >= len(self.view.order):
            return
        x = event.x - self._label_width + self.scroll_offset.x
        column = self._column
        if event.x >= self._label_width:
            edges = list(accumulate(self._widths))
            column = next((number for number, edge in enumerate(edges) if x < edge), len(edges) - 1)
        again = (place, column) == (self._place, self._column)
        self._set(place, column)
        if again or event.chain > 1:
            self.action_choose()

    # --- layout

    def on_mount(self) -> None:
        self._lay_out()

    def on_resize(self, event: Resize) -> None:
        del event
        self._lay_out()
        self._show_cursor()
        self.refresh()

    @property
    def _height(self) -> int:
        """Number of rows on the screen."""
        return max(1, self.scrollable_content_region.height - 1)

    @property
    def _label_width(self) -> int:
        return sum(self._label_widths) + len(self._label_widths) + 1

    def _lay_out(self) -> None:
        view, width = self.view, self.room.width
        if not width:
            return
        table = view.plan.parameters
        wanted: list[int] = []
        for key in view.parameters:
            longest = max(map(cell_width, table.values[table.keys.index(key)]), default=0)
            wanted.append(min(_WIDEST_LABEL, max(cell_width(key), longest)))
        while sum(wanted) + len(wanted) > max(12, width * 2 // 5) and max(wanted, default=0) > 3:
            wanted[wanted.index(max(wanted))] -= 1
        self._label_widths = wanted
        left = width - self._label_width
        widths = [max(_USUAL, min(_WIDEST, cell_width(step.name) + 2)) for step in view.steps]
        while sum(widths) > left and max(widths, default=0) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
        self._widths = widths
        self.virtual_size = Size(self._label_width + sum(widths), len(view.order) + 1)

    def _set(self, place: int, column: int) -> None:
        """Move the cursor to the nearest valid place and column."""
        before = self.index
        order = self.view.order
        self._place = max(0, min(place, len(order) - 1))
        self._column = max(0, min(column, len(self.view.steps) - 1))
        self._row = order[self._place] if order else 0
        self._show_cursor()
        self.repaint()
        if self.index != before or not order:
            self.post_message(self.CellHighlighted(self.index))

    def _show_cursor(self) -> None:
        """Scroll half a page if the cursor is off the screen, because each scroll repaints the whole widget."""
        top = self.scroll_offset.y
        if not top <= self._place < top + self._height:
            self.scroll_to(y=max(0, self._place - self._height // 2), animate=False, immediate=True)
        start = sum(self._widths[: self._column])
        end = start + (self._widths[self._column] if self._widths else 0)
        left, room = self.scroll_offset.x, self.scrollable_content_region.width - self._label_width
        if start < left or end > left + room:
            self.scroll_to(x=max(0, start - room // 2), animate=False, immediate=True)

    # --- painting

    def segments(self, y: int) -> list[Segment]:
        left = self.scroll_offset.x
        if y == 0:
            labels, cells = self._head()
        else:
            place = y - 1 + self.scroll_offset.y
            if not self.is_read:
                return [Segment(" reading the journal ...", self.style_of("line--faint"))] if y == 1 else []
            if place >= len(self.view.order):
                if y == 1:
                    text = "no instance matches the filter" if self.view.row_count else "this study has no instances"
                    return [Segment(f" {text}", self.style_of("line--faint"))]
                return []
            labels, cells = self._line(place, first=y == 1)
        if left:
            cells = list(Strip(cells).crop(left, left + self.size.width))
        return [*labels, *cells]

    def _head(self) -> tuple[list[Segment], list[Segment]]:
        head = self.style_of("grid--head")
        names = zip(self.view.parameters, self._label_widths, strict=False)
        labels = [Segment(" " + "".join(fit(key, width) + " " for key, width in names), head)]
        cells = [
            Segment(
                fit(f" {step.name}", width - 1) + " ",
                self.style_of("line--strong") if column == self._column else head,
            )
            for column, (step, width) in enumerate(zip(self.view.steps, self._widths, strict=False))
        ]
        return labels, cells

    def _line(self, place: int, *, first: bool) -> tuple[list[Segment], list[Segment]]:
        view, order = self.view, self.view.order
        row = order[place]
        here = place == self._place
        above = order[place - 1] if place and not first else None
        values = zip(view.values(row), self._label_widths, strict=False)
        text = " " + "".join(fit(value, width, keep_end=True) + " " for value, width in values)
        labels = [Segment(text, self.style_of("line--strong" if here else "line--faint"))]
        corners = [self._anchor, (self._place, self._column)] if self._anchor else []
        cells: list[Segment] = []
        for column, width in enumerate(self._widths):
            index = view.cell(row, column)
            look = LOOKS[self.state.status[index]]
            marked = index in view.marks
            if above is not None and view.cell(above, column) == index:
                glyph, word = ("|" if self.plain else "╎"), ""
            else:
                glyph, word = (look.plain if self.plain else look.glyph), look.word
            text = f"{'*' if marked else ' '}{glyph} {word if width >= _WORD_FROM else ''}"
            names = [f"state--{look.group.value}"] if view.is_lit(index) and (word or marked) else ["line--faint"]
            if marked:
                names.append("grid--mark")
            elif corners and _inside(corners, place, column):
                names.append("grid--range")
            if here and column == self._column:
                names.append("line--cursor")
            cells.append(Segment(fit(text, width), self.style_of(*names)))
        return labels, cells


def _inside(corners: Sequence[tuple[int, int]], place: int, column: int) -> bool:
    places = [corner[0] for corner in corners]
    columns = [corner[1] for corner in corners]
    return min(places) <= place <= max(places) and min(columns) <= column <= max(columns)
