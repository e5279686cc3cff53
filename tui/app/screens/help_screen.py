"""The help screen: lists the keys of the focused pane and of the screen, from their bindings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from ...views.appearance import LOOKS

_KEY_WIDTH = 20
_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "backslash": "\\",
    "asterisk": "*",
    "colon": ":",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "full_stop": ".",
    "comma": ",",
}


class HelpScreen(ModalScreen[None]):
    """The keys that can be used, and the glyphs of the states."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "Close", id="help.close"),
        Binding("j,down", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("k,up", "scroll(-1)", "Up", show=False, id="help.up"),
        Binding("pagedown,space,ctrl+d", "scroll(10)", "Page down", show=False, id="help.page_down"),
        Binding("pageup,ctrl+u", "scroll(-10)", "Page up", show=False, id="help.page_up"),
        Binding("g,home", "scroll(-1000)", "First line", show=False, id="help.first"),
        Binding("G,end", "scroll(1000)", "Last line", show=False, id="help.last"),
    ]

    def __init__(self, chain: Iterable[DOMNode], *, plain: bool) -> None:
        """`chain` is the widget that has the focus, followed by its ancestors."""
        super().__init__()
        self._text = _help_text(chain)
        self._text.append_text(_signs(plain))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -tall"):
            yield Label("Keys", classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                yield Static(self._text)
            yield Label("esc closes; : finds any action by name", classes="dialog--hint")

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)


def _help_text(chain: Iterable[DOMNode]) -> Text:
    text = Text()
    seen: set[str] = set()
    for node in chain:
        rows = [binding for binding in _own(node) if binding.id and binding.id not in seen]
        if not rows:
            continue
        seen.update(binding.id for binding in rows if binding.id)
        if text:
            text.append("\n")
        text.append(f"{node.BINDING_GROUP_TITLE or type(node).__name__}\n", style="bold underline")
        if node.HELP:
            text.append(f"{node.HELP}\n", style="italic")
        for binding in rows:
            text.append(f" {key_words(binding.key):<{_KEY_WIDTH}}", style="bold")
            text.append(f" {binding.tooltip or binding.description}\n")
    return text


def _signs(plain: bool) -> Text:
    """Return the legend of the state glyphs."""
    states: dict[str, list[str]] = {}
    for status, look in LOOKS.items():
        states.setdefault(look.plain if plain else look.glyph, []).append(status.value)
    text = Text("\n").append("Signs\n", style="bold underline")
    for sign, names in states.items():
        text.append(f" {sign:<{_KEY_WIDTH}}", style="bold").append(f" {', '.join(names)}\n")
    return text


def key_words(keys: str) -> str:
    """Return the keys of a binding in readable form."""
    return " ".join(_NAMES.get(key, key) for key in keys.split(","))


def _own(node: DOMNode) -> list[Binding]:
    """Return the bindings that mtui's own classes declare; those of Textual's base classes are left out."""
    found: list[Binding] = []
    for cls in type(node).__mro__:
        if cls.__module__.partition(".")[0] == "mtui":
            found += [binding for binding in cls.__dict__.get("BINDINGS", ()) if isinstance(binding, Binding)]
    return found
