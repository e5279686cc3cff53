"""Dialogs: what they say, and that nothing happens unless somebody says yes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from textual.app import App
from textual.screen import ModalScreen

from mtui.core.errors import Refusal
from mtui.tui.app.screens.dialogs import ConfirmScreen, PickScreen, RetryScreen
from mtui.tui.app.themes import variable_defaults
from mtui.tui.views.instance_commands import InstanceCommand
from tests.app.app_helpers import lines_of, press

ORDER = InstanceCommand(
    "cancel", (1, 2), "Cancel 2 instances?", ("a_X.1  (running)", "a_X.2  (held)", "", "1 job will be cancelled.")
)
AGAIN = InstanceCommand("retry", (1,), "Retry 1 instance?", ("a_X.1  (timed out)",))
RESOURCES = {"walltime": "00:10:00", "nodes": "", "cores per task": "several"}
CHOICES = [("one", "the first"), ("two", "the second"), ("three", "[bold]the third[/nothing]\x1b[2J")]

_UNSET = "nothing was answered"


def _retry() -> RetryScreen:
    """The question before a retry; a number of nodes must be one."""

    def check(changes: dict[str, str]) -> Refusal | None:
        return None if changes.get("nodes", "1").isdecimal() else Refusal("nodes have to be a number", "2")

    return RetryScreen(AGAIN, RESOURCES, check)


class Asking(App[None]):
    """Asks one question."""

    def __init__(self, question: ModalScreen[Any]) -> None:
        super().__init__()
        self.question = question
        self.answer: Any = _UNSET

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(dark=True)

    def on_mount(self) -> None:
        self.push_screen(self.question, self._answered)

    def _answered(self, answer: Any) -> None:
        self.answer = answer


def _answer(question: ModalScreen[Any], keys: Sequence[str], *says: str, size: tuple[int, int] = (80, 24)) -> Any:
    """What comes of these keys; the dialog has to say something first."""

    async def session() -> Any:
        app = Asking(question)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            text = "\n".join(lines_of(app))
            for words in says:
                assert words in text, f"{words} in\n{text}"
            assert "\x1b" not in text
            await press(pilot, *keys)
            return app.answer

    return asyncio.run(session())


# --- yes or no


@pytest.mark.parametrize(
    "keys", [["enter"], ["n"], ["escape"], ["q"], ["tab", "tab", "enter"], ["right", "left", "enter"]]
)
def test_no_is_what_comes_of_anything_but_yes(keys: list[str]) -> None:
    assert _answer(ConfirmScreen(ORDER), keys) is False


@pytest.mark.parametrize("keys", [["y"], ["tab", "enter"], ["right", "enter"], ["l", "enter"], ["h", "enter"]])
def test_yes_has_to_be_chosen(keys: list[str]) -> None:
    assert _answer(ConfirmScreen(ORDER), keys) is True


@pytest.mark.parametrize("key", ["x", "c", "space", "down", "f5", "j"])
def test_other_keys_answer_nothing_or_no(key: str) -> None:
    assert _answer(ConfirmScreen(ORDER), [key]) in (_UNSET, False)


def test_the_question_says_what_and_how_many() -> None:
    said = (
        "Cancel 2 instances?",
        "a_X.1  (running)",
        "a_X.2  (held)",
        "1 job will be cancelled.",
        "No (n)",
        "Yes, cancel (y)",
    )
    _answer(ConfirmScreen(ORDER), [], *said)
    _answer(ConfirmScreen(ORDER), [], "Cancel 2 instances?", size=(40, 14))


def test_names_in_a_question_are_no_markup() -> None:
    odd = InstanceCommand("hold", (1,), "Hold 1 instance?", ("a_X.[/x][red]  (ready)",))
    _answer(ConfirmScreen(odd), [], "a_X.[/x][red]  (ready)")


# --- retry


@pytest.mark.parametrize("keys", [["enter"], ["n"], ["escape"], ["ctrl+s", "escape"]])
def test_no_retry_without_yes(keys: list[str]) -> None:
    assert _answer(_retry(), keys) is None


@pytest.mark.parametrize("keys", [["y"], ["tab", "ctrl+s"], ["shift+tab", "ctrl+s"]])
def test_a_retry_as_before(keys: list[str]) -> None:
    assert _answer(_retry(), keys, "Retry 1 instance?", "walltime", "00:10:00", "not set") == {}


def test_a_retry_with_other_resources() -> None:
    keys = [*"01:00:00", "tab", *" 2 ", "ctrl+s"]  # a digit begins with the first field
    keys = ["colon" if key == ":" else "space" if key == " " else key for key in keys]
    assert _answer(_retry(), keys) == {"walltime": "01:00:00", "nodes": "2"}


def test_in_a_field_y_and_n_are_letters_and_enter_confirms() -> None:
    keys = ["tab", "y", "n", "enter", "2", "enter", "y", "ctrl+s"]
    assert _answer(_retry(), keys) == {"walltime": "yn", "nodes": "2", "cores per task": "y"}
    assert _answer(_retry(), ["shift+tab", "y", "escape"]) is None


def test_invalid_request_is_reported_and_can_be_fixed() -> None:
    async def session() -> Any:
        app = Asking(_retry())
        async with app.run_test() as pilot:
            await press(pilot, "shift+tab", "shift+tab", *"two", "ctrl+s")
            assert "nodes have to be a number; 2" in "\n".join(lines_of(app))
            assert app.answer == _UNSET
            await press(pilot, "backspace", "backspace", "backspace", "2", "ctrl+s")
            return app.answer

    assert asyncio.run(session()) == {"nodes": "2"}


# --- a choice


def test_a_choice_by_keys() -> None:
    assert _answer(PickScreen("Copy", CHOICES), ["enter"], "Copy", "the first", "[bold]the third[/nothing]") == "one"
    assert _answer(PickScreen("Copy", CHOICES), ["j", "enter"]) == "two"
    assert _answer(PickScreen("Copy", CHOICES), ["down", "down", "k", "enter"]) == "two"


@pytest.mark.parametrize("key", ["escape", "q"])
def test_no_choice(key: str) -> None:
    assert _answer(PickScreen("Copy", CHOICES), ["j", key]) is None
