"""Text for terminals: its width in cells, and tables that are aligned in them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from rich.cells import cell_len

from mtui.tui.views.text import Paint, cell_width, pad, shorten_paths, table, within
from tests import mtui

TEXTS = {
    "ascii": ("abc", 3),
    "accents": ("é", 1),
    "combining": ("e\u0301", 1),
    "kanji": ("計算", 4),
    "kana": ("シミュ", 6),
    "half-width kana": ("ｼﾐｭ", 3),
    "full-width letters": ("ＡＢ", 4),
    "hangul": ("한국", 4),
    "emoji": ("🚀", 2),
    "glyphs of mtui": ("▸✓✗⚑", 4),
    "zero-width space": ("a\u200bb", 2),
    "empty": ("", 0),
}


@pytest.mark.parametrize(("text", "width"), TEXTS.values(), ids=TEXTS)
def test_width_is_counted_in_cells(text: str, width: int) -> None:
    assert cell_width(text) == width
    assert cell_len(text) == width, "the app counts alike"


def test_table_is_aligned_in_cells() -> None:
    rows = [("NAME", "N", "END"), ("計算", "1", "END"), ("abc", "1,000", "END"), ("e\u0301🚀", "計", "END")]
    assert {cell_width(line) for line in table(rows, right=frozenset({1}))} == {len("NAME  1,000  END")}


def test_padding_never_cuts() -> None:
    assert pad("計算", 3) == "計算"
    assert pad("計", 4) == "計  "
    assert pad("計", 4, right=True) == "  計"


def test_paths_of_the_study_are_relative() -> None:
    assert within("/a/b/.mtui/owner: no", Path("/a/b")) == ".mtui/owner: no"
    assert within("/a/bc: no", Path("/a/b")) == "/a/bc: no"


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("cannot read /a/b/c/d/owner: no", 80, "cannot read /a/b/c/d/owner: no"),
        ("cannot read /a/b/c/d/owner: no", 25, "cannot read .../owner: no"),
        ("/a/long/path/x is a copy of /a/longer/path/y, no", 40, "/a/long/path/x is a copy of .../y, no"),
        ("/a/long/path/x is a copy of /a/longer/path/y, no", 9, ".../x is a copy of .../y, no"),
        (".mtui/journal/x: no", 5, ".mtui/journal/x: no"),
        ("nothing to shorten", 5, "nothing to shorten"),
        ("/t/a", 3, "/t/a"),
    ],
)
def test_paths_are_shortened_before_a_reason_is_cut_off(text: str, width: int, shown: str) -> None:
    assert shorten_paths(text, width) == shown


def columns_of(text: str, *words: str) -> list[int]:
    """In which cell the first of these words begins, on each line that has one."""
    found: list[int] = []
    for line in text.splitlines():
        places = [line.index(word) for word in words if word in line]
        found += [cell_len(line[: min(places)])] if places else []
    return found


def test_tables_of_the_command_line_are_aligned_behind_wide_names(tmp_path: Path) -> None:
    names = ("計算a", "abc", "シミュレーションb")
    steps = "\n".join(f"- {{name: {name}, description: d, run: {{cmd: 'true'}}}}" for name in names)
    spec = mtui.write_study(tmp_path / "study.yaml", steps, name="研究")
    other = mtui.write_study(tmp_path / "other.yaml", steps, name="plain")
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    plan = mtui.run("plan", spec, env=env).stdout
    assert len(set(columns_of(plan, "WHERE", " here"))) <= 2, plan
    assert len(set(columns_of(plan, " here"))) == 1, plan
    for name, file in (("a", spec), ("b", other)):
        assert mtui.run("--no-ui", "-q", "-o", tmp_path / name, file, env=env).returncode == 0
    status = mtui.run("status", tmp_path / "a", env=env).stdout
    rows = [line for line in status.splitlines() if line.startswith(("STEP", *names))]
    assert len(rows) >= 3, status
    assert len({cell_len(row) for row in rows}) == 1, status
    studies = mtui.run("studies", env=env).stdout
    assert len(set(columns_of(studies, "finished"))) == 1, studies
    assert len(set(columns_of(studies, str(tmp_path)))) == 1, studies


@pytest.mark.parametrize(("value", "coloured"), [(None, True), ("", True), ("1", False), ("0", False)])
def test_no_color_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch, value: str | None, coloured: bool) -> None:
    class Screen:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    screen: object = Screen()
    assert (Paint(screen).bold("x") != "x") is coloured  # pyright: ignore[reportArgumentType]


def test_no_colour_without_a_terminal() -> None:
    done = subprocess.run([*mtui.COMMAND, "--help"], capture_output=True, check=True)
    assert b"\x1b" not in done.stdout
