"""What a person keeps: damaged files and homes that cannot be written are no reason to stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtui.tui.app import preferences
from mtui.tui.app.preferences import Preferences


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def _write(content: str | bytes) -> None:
    path = preferences.preferences_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_what_is_written_is_read() -> None:
    kept = Preferences("mtui-light", True, {"study.cancel": "x", "grid.mark": "m,insert"})
    preferences.write_preferences(kept)
    assert preferences.read_preferences() == kept
    assert [path.name for path in preferences.preferences_path().parent.iterdir()] == ["preferences.json"]


def test_without_a_file_there_are_the_defaults() -> None:
    assert preferences.read_preferences() == Preferences("", None, {})


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "7", '"text"', "\0", b"\xff\xfe", '{"theme": {"a": []}, "keys": 3, "ascii": 2}']
)
def test_a_damaged_file_is_as_none(content: str | bytes) -> None:
    _write(content)
    assert preferences.read_preferences() == Preferences()


def test_of_a_file_that_is_partly_understood_that_part_counts() -> None:
    _write(json.dumps({"theme": "mtui-mono", "ascii": "yes", "keys": {"a": "x", "b": 3}, "of a newer mtui": [1]}))
    assert preferences.read_preferences() == Preferences("mtui-mono", None, {"a": "x"})


def test_a_file_that_cannot_be_read_is_as_none(home: Path) -> None:
    (home / "mtui" / "preferences.json").mkdir(parents=True)
    assert preferences.read_preferences() == Preferences()


def test_a_home_that_cannot_be_written_keeps_nothing(home: Path) -> None:
    home.write_text("a file where the directory should be")
    preferences.write_preferences(Preferences("mtui-light"))
    assert preferences.read_preferences() == Preferences()


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", classmethod(none))
    preferences.write_preferences(Preferences("mtui-light"))
    assert preferences.read_preferences() == Preferences()


@pytest.mark.parametrize(("content", "is_wrong"), [("{", True), ("[]", True), ("{}", False), ('{"new": 1}', False)])
def test_a_file_without_effect_is_reported(content: str, is_wrong: bool) -> None:
    assert preferences.preferences_problem() == ""
    _write(content)
    assert bool(preferences.preferences_problem()) is is_wrong
