"""What the user's environment names for the app."""

from __future__ import annotations

import locale

import pytest

from mtui.tui.views.environment import editor_command, has_utf8, pager_command, shell_command


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAGER", "VISUAL", "EDITOR", "SHELL"):
        monkeypatch.delenv(name, raising=False)


def test_programs_that_every_system_has_are_fallbacks() -> None:
    assert [pager_command(), editor_command(), shell_command()] == [["less"], ["vi"], ["/bin/sh"]]


def test_options_follow_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "'/opt/my pager' -R")
    assert pager_command() == ["/opt/my pager", "-R"]


def test_visual_comes_before_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "ed")
    assert editor_command() == ["ed"]
    monkeypatch.setenv("VISUAL", "emacs")
    assert editor_command() == ["emacs"]


@pytest.mark.parametrize("value", ["", "   ", "less 'with a quote that is open"])
def test_a_value_that_names_no_program_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PAGER", value)
    assert pager_command() == ["less"]


@pytest.mark.parametrize(("name", "shows"), [("UTF-8", True), ("utf8", True), ("ANSI_X3.4-1968", False)])
def test_the_locale_says_whether_it_shows_more_than_ascii(
    monkeypatch: pytest.MonkeyPatch, name: str, shows: bool
) -> None:
    monkeypatch.setattr(locale, "getpreferredencoding", lambda _: name)
    assert has_utf8() is shows
