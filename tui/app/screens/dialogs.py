"""Dialogs: a confirmation whose default is No, a choice, and the options of a retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from ....core.errors import Refusal
from ...views.instance_commands import InstanceCommand
from ...views.text import safe


class ConfirmScreen(ModalScreen[bool]):
    """Shows what a command will do to how many instances. Enter means No until Yes is selected."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm.no"),
        Binding("left,right,h,l,tab", "other", "Other button", show=False, id="confirm.other"),
    ]

    def __init__(self, order: InstanceCommand) -> None:
        super().__init__()
        self._order = order

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self._order.title), classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                yield Static(Text("\n".join(self._order.lines)))
            yield from self.compose_more()
            with Horizontal(classes="dialog--buttons"):
                yield Button("No (n)", id="no")
                yield Button(f"Yes, {self._order.verb} (y)", id="yes", variant="primary")

    def compose_more(self) -> ComposeResult:
        yield from ()

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    def action_other(self) -> None:
        here = self.focused.id if self.focused else ""
        self.query_one("#yes" if here == "no" else "#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_answer(event.button.id == "yes")


class RetryScreen(ModalScreen[dict[str, str] | None]):
    """Asks for confirmation and for options: resources to change, or a reason. Returns None for No."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "No", id="retry.no"),
        Binding("ctrl+s", "yes_from_field", "Retry", id="retry.yes", tooltip="Retry with these resources"),
    ]

    def __init__(
        self,
        order: InstanceCommand,
        resources: Mapping[str, str],
        check: Callable[[dict[str, str]], Refusal | None],
        heading: str = "Request (empty: unchanged)",
    ) -> None:
        """`resources` maps the keys that can be changed to their current values; `several` if they differ.

        `check` returns why the changes are impossible, with a hint; None if they are possible.
        """
        super().__init__()
        self._check = check
        self._order = order
        self._resources = resources
        self._heading = heading

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self._order.title), classes="dialog--title")
            with VerticalScroll(classes="dialog--body", can_focus=False):
                yield Static(Text("\n".join(self._order.lines)))
                yield Label(Text(self._heading), classes="dialog--group")
                for key, value in self._resources.items():
                    with Horizontal(classes="dialog--field"):
                        yield Label(Text(key))
                        yield Input(
                            id=_field(key), placeholder=safe(value) or "not set", compact=True, select_on_focus=False
                        )
            hint = "tab goes to the fields; in a field, ctrl+s means yes"
            yield Label(Text(hint), classes="dialog--hint", id="hint")
            with Horizontal(classes="dialog--buttons"):
                yield Button("No (n)", id="no")
                yield Button(f"Yes, {self._order.verb} (y)", id="yes", variant="primary")

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one("#no", Button).focus()

    def on_key(self, event: Key) -> None:
        """Handle y and n on the buttons as in every dialog; move to the first field on tab or a digit."""
        if not isinstance(self.focused, Button):
            return
        digit = event.character if event.character and event.character.isdigit() else ""
        if event.key in ("y", "n"):
            self.action_yes() if event.key == "y" else self.action_no()
        elif digit or (event.key == "tab" and self.focused.id == "no"):
            field = self.query(Input).first()
            field.focus()
            field.insert_text_at_cursor(digit)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_input_submitted(self) -> None:
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_yes() if event.button.id == "yes" else self.action_no()

    def action_no(self) -> None:
        self.dismiss(None)

    def action_yes_from_field(self) -> None:
        if isinstance(self.focused, Input):
            self.action_yes()

    def action_yes(self) -> None:
        fields = {key: self.query_one(f"#{_field(key)}", Input).value.strip() for key in self._resources}
        changes = {key: value for key, value in fields.items() if value}
        refusal = self._check(changes)
        if refusal:
            words = f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
            self.query_one("#hint", Label).update(Text(words, style="bold"))
        else:
            self.dismiss(changes)


def _field(key: str) -> str:
    return "field-" + key.replace(" ", "-")


class PickScreen(ModalScreen[str | None]):
    """A choice from a short list; returns None on escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "none", "Close", id="pick.close"),
        Binding("j", "cursor_down", "Down", show=False, id="pick.down"),
        Binding("k", "cursor_up", "Up", show=False, id="pick.up"),
    ]

    def __init__(self, title: str, choices: Sequence[tuple[str, str]]) -> None:
        """`choices` are pairs of the returned value and its label."""
        super().__init__()
        self._title = title
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self._title), classes="dialog--title")
            yield OptionList(*(Option(Text(safe(words))) for _, words in self._choices))
            yield Label("enter chooses, esc closes", classes="dialog--hint")

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def action_cursor_down(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_cursor_up(self) -> None:
        self.query_one(OptionList).action_cursor_up()

    def action_none(self) -> None:
        self.dismiss(None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._choices[event.option_index][0])
