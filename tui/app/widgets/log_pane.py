"""The log pane: the end of a growing file, with colours, search, and wrapping or sideways scrolling."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Resize, Show
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...views.file_tail import FileTail
from ...views.log_search import Hit, Search
from ...views.log_view import LogView
from ...views.text import safe
from .log_paint import LogPaint
from .log_reader import LogReader

_INTERVAL = 0.5  # seconds between two reads of the file
_SIDEWAYS = 8  # cells
_NOTHING_YET = "no output yet"


class LogPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows the end of one file. Follows it until the user scrolls up."""

    BINDING_GROUP_TITLE = "Log"
    HELP = "The end of the file, updated as it grows. Scrolling up stops following."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="log.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="log.down"),
        Binding("left,h", "sideways(-1)", "Left", show=False, id="log.left"),
        Binding("right,l", "sideways(1)", "Right", show=False, id="log.right"),
        Binding("pageup,ctrl+b", "page(-2)", "Page up", show=False, id="log.page_up"),
        Binding("pagedown,ctrl+f", "page(2)", "Page down", show=False, id="log.page_down"),
        Binding("ctrl+u", "page(-1)", "Half a page up", show=False, id="log.half_up"),
        Binding("ctrl+d", "page(1)", "Half a page down", show=False, id="log.half_down"),
        Binding("g,home", "first", "First line", show=False, id="log.first"),
        Binding("G,end", "last", "Last line", show=False, id="log.last", tooltip="Go to the end and follow the file"),
        Binding("F", "follow", "Follow", id="log.follow", tooltip="Follow the file, or stop following"),
        Binding("w", "wrap", "Wrap", id="log.wrap", tooltip="Wrap long lines, or cut them"),
        Binding("slash", "search", "Search", key_display="/", id="log.search",
                tooltip="Search the lines shown here: a regular expression; case matters if it contains capitals"),
        Binding("n", "next_hit(False)", "Next hit", show=False, id="log.next"),
        Binding("N", "next_hit(True)", "Previous hit", show=False, id="log.previous"),
        Binding("escape", "clear_search", "End search", show=False, id="log.clear"),
    ]  # fmt: skip
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--hit", "log--current", "log--note"}
    DEFAULT_CSS = """
    LogPane { overflow-y: scroll; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    LogPane > .log--hit { background: $warning-muted; color: $foreground; }
    LogPane > .log--current { background: $accent; color: $background; text-style: bold; }
    LogPane > .log--note { color: $text-muted; }
    """
    ALLOW_SELECT = False
    virtual_size = Reactive(Size(0, 0), repaint=False)  # lines that are off the screen need no repaint

    class SearchRequested(Message):
        """The user wants to search; `pattern` is the last one."""

        def __init__(self, pattern: str) -> None:
            super().__init__()
            self.pattern = pattern

    class Polled(Message, bubble=False):
        """A read of the file is complete."""

        def __init__(self, tail: FileTail, changed: bool) -> None:
            super().__init__()
            self.tail = tail
            self.changed = changed

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        self.wrapping = False
        self.reader = LogReader(lambda tail, changed: self.post_message(self.Polled(tail, changed)))
        self._empty = ""
        self._title = ""
        self._subtitle = ""
        self._view = LogView(cell_len)
        self._search: Search | None = None
        self._last_pattern = ""
        self._paint = LogPaint(self, self._view)
        self._painted: dict[int, Strip] = {}  # the rows on the screen

    # --- public interface

    def show(self, path: Path | None, title: str, empty: str = "") -> None:
        """Show a file; `empty` is the text while it does not exist. A search continues in the new file."""
        if title != self._title:
            self._title = title
            self.border_title = Text(safe(title))
        if empty != self._empty:
            self._empty = empty
            self._update()
        if path == self.reader.path:
            return
        self.reader.open(path)
        self.following = True
        self.poll_file()
        if not self.reader.is_reading:  # nothing is being read, so no answer will come
            self._clear()

    def _clear(self) -> None:
        """Show no lines of the previous file. Not done at once: until the new file is read, keeping them is free."""
        self._forget_lines()
        self._lay_out()
        self.scroll_to(0, 0, animate=False, force=True)
        self._update()

    def _forget_lines(self) -> None:
        self._view.clear()
        self._paint.keep()
        if self._search:
            self._search = Search(self._search.pattern)

    def poll_file(self) -> None:
        """Read the file now, unless the pane is hidden or a read is in progress."""
        front = self.app.screen
        if self.reader.tail is None or not self.is_on_screen or not (front is self.screen or front.is_modal):
            return
        if self.reader.is_reading:
            if not self.reader.has_answer and self._view.rows:
                self._clear()
            self._tell()
        else:
            self.reader.start()

    def search(self, pattern: str, backwards: bool = False) -> None:
        """Highlight all hits and go to the first one from the top of the pane; an empty pattern ends the search."""
        if not pattern:
            self.action_clear_search()
            return
        self._search = Search(pattern)
        self._last_pattern = pattern
        self._search_from(self._view.first)
        self._paint.keep()
        edge = self._top + (self._height - 1 if backwards else 0)
        number, _ = self._view.line_at(min(edge, max(0, self._view.rows - 1)))
        self._go_to(self._search.start(number, backwards=backwards))
        self.refresh_bindings()

    @property
    def pattern(self) -> str:
        """The current search pattern, empty if there is none."""
        return self._search.pattern if self._search else ""

    def plain_lines(self, count: int) -> list[str]:
        """Return the last lines as safe text without colours."""
        view = self._view
        return [view.text(number) for number in range(max(view.first, view.end - count), view.end)]

    # --- reading

    def on_mount(self) -> None:
        self.set_interval(_INTERVAL, self.poll_file)
        self._tell()

    def on_show(self, _event: Show) -> None:
        self.poll_file()

    def on_log_pane_polled(self, event: Polled) -> None:
        tail = event.tail
        if not self.reader.finish(tail):
            return
        if not event.changed and self.reader.has_answer:
            self._tell()
            return
        if not self.reader.has_answer:
            self._forget_lines()
        self.reader.has_answer = True
        gone = self._view.take(tail)
        changed = max(tail.changed, tail.first)
        self._paint.keep(tail.first, changed)
        if self._search:
            self._search.forget_before(tail.first)
            self._search.forget_from(changed)
            self._search_from(changed)
        top = self._top
        self._lay_out()
        if not self.following and gone:
            self._scroll(top - gone)
        self._update()

    def _search_from(self, number: int) -> None:
        assert self._search is not None
        view = self._view
        if not self._search.add(number, [view.text(line) for line in range(number, view.end)]):
            self._search.add(view.first, [view.text(line) for line in range(view.first, view.end)])

    # --- keys

    def action_move(self, lines: int) -> None:
        self._scroll(self._top + lines)

    def action_page(self, halves: int) -> None:
        self._scroll(self._top + halves * max(1, self._height // 2))

    def action_sideways(self, step: int) -> None:
        self.scroll_to(x=self.scroll_offset.x + step * _SIDEWAYS, animate=False, force=True)
        self._tell()

    def action_first(self) -> None:
        self._follow(False)
        self._scroll(0)

    def action_last(self) -> None:
        self._follow(True)

    def action_follow(self) -> None:
        self._follow(not self.following)

    def action_wrap(self) -> None:
        number, _ = self._view.line_at(self._top)
        self.wrapping = not self.wrapping
        self.scroll_to(x=0, animate=False, force=True)
        self._lay_out()
        if self._view.first <= number < self._view.end and not self.following:
            self._scroll(self._view.top_of(number))
        self.refresh()
        self._tell()

    def action_search(self) -> None:
        self.post_message(self.SearchRequested(self._last_pattern))

    def action_next_hit(self, backwards: bool) -> None:
        if self._search:
            before = self._search.current
            self._go_to(self._search.next(backwards=backwards), before)

    def action_clear_search(self) -> None:
        self._search = None
        self._paint.keep()
        self._update()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a search, leave its keys to the screen."""
        if action in ("next_hit", "clear_search"):
            return self._search is not None
        return super().check_action(action, parameters)

    # --- position

    @property
    def _top(self) -> int:
        return self.scroll_offset.y

    @property
    def _height(self) -> int:
        return self.scrollable_content_region.height

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        # Scrolled by key, wheel or scroll bar. If the end itself moved up, keep following it.
        if self.following and new_value < old_value and round(new_value) < self.max_scroll_y:
            self._follow(False)

    def on_resize(self, _event: Resize) -> None:
        self._painted.clear()
        self._lay_out()

    def _follow(self, following: bool) -> None:
        self.following = following
        if following:
            self._scroll(self.max_scroll_y)
        self._tell()

    def _scroll(self, row: int) -> None:
        self.scroll_to(y=row, animate=False, force=True)

    def _lay_out(self) -> None:
        """Fit rows and scroll bar to the current lines."""
        self._view.wrap_at(max(1, self._width) if self.wrapping else 0)
        size = Size(self._view.width, self._view.rows)
        if size != self.virtual_size:
            self.virtual_size = size
            self.refresh(repaint=False, layout=True)  # for the scroll bar
        if self.following:
            self._scroll(self.max_scroll_y)

    def _go_to(self, hit: Hit | None, before: Hit | None = None) -> None:
        """Show the hit that has become the current one."""
        for changed in (before, hit):
            if changed:
                self._paint.forget(changed.line)
        if hit:
            self.following = False
            column = cell_len(self._view.text(hit.line)[: hit.start])
            row = self._view.top_of(hit.line)
            if self.wrapping:
                row += sum(start <= column for start in self._view.breaks(hit.line)) - 1
            elif not self.scroll_offset.x <= column < self.scroll_offset.x + self._width - 1:
                self.scroll_to(x=max(0, column - self._width // 2), animate=False, force=True)
            if not self._top <= row < self._top + self._height:
                self._scroll(row - self._height // 3)
        self._update()

    # --- painting

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._paint.restyle()

    def render_line(self, y: int) -> Strip:
        strip = self._row(y)
        self._painted[y] = strip
        return strip

    def _update(self) -> None:
        """Repaint what differs from the screen."""
        self._tell()
        if not self.is_attached:
            return
        regions = [
            Region(0, y, self._width, 1)
            for y in range(self._height)
            if y not in self._painted or list(self._painted[y]) != list(self._row(y))
        ]
        if regions:
            self.refresh(*regions)

    def _row(self, y: int) -> Strip:
        if not self._view.lines:
            style = self.get_component_rich_style("log--note")
            note = Segment(safe(self._words()) if y == 0 else "", style)
            return Strip([note]).crop_extend(0, self._width, self.rich_style)
        left = self.scroll_offset.x
        return self._paint.row(self._top + y, self._search, left=left, width=self._width, wrapping=self.wrapping)

    # --- text

    def _words(self) -> str:
        """Return the text of an empty pane."""
        tail = self.reader.tail
        if tail is None:
            return self._empty
        if not self.reader.has_answer:
            return ""
        if tail.missing:
            return self._empty or _NOTHING_YET
        return tail.problem or "the file is empty"

    def _tell(self) -> None:
        """Show the state of the pane in its subtitle, the most important first, because there may be little room."""
        tail = self.reader.tail
        words = ["the file system does not answer"] if self.reader.is_late else []
        if tail is not None and self._view.lines:
            words += [
                tail.problem,
                "the file was deleted" if tail.missing else "",
                "follow" if self.following else "paused",
                "wrap" if self.wrapping else "",
                self._search.count() if self._search else "",
                f"column {self.scroll_offset.x + 1}" if self.scroll_offset.x else "",
                "file was replaced" if tail.generation else "",
                "binary" if tail.binary else "",
                "older lines: v opens the pager" if tail.truncated_head else "",
            ]
        subtitle = ", ".join(filter(None, words))
        if subtitle != self._subtitle:
            self._subtitle = subtitle
            self.border_subtitle = Text(safe(subtitle))
