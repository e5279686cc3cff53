"""Studies and logs that would drive a terminal, break a markup or burst a line: the app shows them and survives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests import mtui
from tests.terminal.desk import Desk
from tests.terminal.screen import Terminal

VALUES = (
    "[/x]",
    "[red]on[/red] [@click=app.quit()]me[/]",
    "clip\x1b]52;c;SE9TVElMRQ==\x07board",
    "title\x1b]0;hostile\x07 \x9b31m \x90q",
    "\u202eright to left\u2066 isolated",
    "漢字 wide 🚀 e\u0301",
    "n" * 300,
    "$(nothing) %s {0} \\ ' \"",
)
STUDY = "[/x] \x1b]52;c;SE9TVElMRQ==\x07 \u202e " + "n" * 300

# Lines of a log, as arguments of printf.
LINES = (
    r"[/x] [red]markup[/red]\n",
    r"clip\033]52;c;SE9TVElMRQ==\007board\n",
    r"title \033]0;hostile\007 \033Pq#0\033\\ \033[2J\033[1;1H\033[?1049l\033c \033[6n\n",
    r"\302\233 31m \302\235 52;c;SE9TVElMRQ==\007 \377\376 \000\n",
    r"\342\200\256right to left \342\201\246\n",
    r"\346\274\242\345\255\227 wide\n",
    r"\033[1;31mred, and never black again\n",
    r"10 %%\r50 %%\r100 %%\n",
)

IN_GRID = "Details"  # in the footer, while the grid has the focus

# What only a payload can have sent: Textual knows other sequences, and none of these.
FOREIGN = re.compile(rb"\x1b\]52;|\x1b\]0;|\x1bP|\x1bc|\x1b\[6n|SE9TVElMRQ==\x07|hostile\x07")
CONTROLS = re.compile("[\x80-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(terminal: Terminal) -> None:
    raw = terminal.raw
    assert FOREIGN.findall(raw) == []
    assert CONTROLS.findall(raw.decode("utf-8", "replace")) == []


def visit(terminal: Terminal, key: str, words: str) -> None:
    """Press a key in the grid, wait for what it opens, and go back."""
    terminal.keys(key)
    terminal.wait_for(words)
    terminal.keys("escape")
    terminal.wait_for(lambda text: words not in text and IN_GRID in text)


def look_around(terminal: Terminal) -> None:
    """Visit every screen from the grid, and the tree of steps."""
    visit(terminal, "?", "esc closes")
    visit(terminal, "T", " submitted so far")
    visit(terminal, "C", "Commands, and calls of Slurm programs")
    visit(terminal, "S", "Sort the rows by")
    visit(terminal, "y", "this study    mtui")
    visit(terminal, ":", "Search for commands")
    terminal.keys("1")
    terminal.wait_for("To the grid")
    terminal.keys("j", "k", "G", "g", "enter")
    terminal.wait_for(IN_GRID)


def show_only(terminal: Terminal, value: str) -> None:
    """Filter by a text."""
    terminal.keys("/")
    terminal.wait_for(lambda text: "/ Filter" in text and IN_GRID not in text)
    example = "SIZE>100"  # the placeholder of an empty field
    if example not in terminal.text:
        terminal.keys("ctrl+u")
        terminal.wait_for(example)
    terminal.type(value)
    terminal.wait_for(lambda text: value[:8] in text and example not in text)
    terminal.keys("enter")
    terminal.wait_for(IN_GRID)


def write(desk: Desk, steps: str, values: tuple[str, ...] | None = None) -> Path:
    parameters = f"  V: {{values: {_quoted(list(values))}, label: V.%%}}" if values is not None else ""
    return mtui.write_study(desk.folder / "study.yaml", steps, parameters=parameters, name=_quoted(STUDY))


def _quoted(value: str | list[str]) -> str:
    return yaml.safe_dump(value, default_flow_style=True, default_style='"', width=10_000).strip()


def step(*lines: str) -> str:
    body = "".join(f"      {line}\n" for line in lines)
    return f'- name: "[/x] [red] st"\n  description: "[/x]"\n  run:\n    cmd: |\n{body}'


@pytest.mark.parametrize("size", [(160, 45), (80, 24)], ids=["160x45", "80x24"])
def test_hostile_values_and_logs_are_shown_and_do_nothing(desk: Desk, size: tuple[int, int]) -> None:
    printed = [f"printf '{line}' | tee /dev/stderr" for line in LINES]
    long = "head -c 100000 /dev/zero | tr '\\0' x | tee /dev/stderr; echo; echo the last line | tee /dev/stderr"
    spec = write(desk, step(": <<'END'", "$(V)", "END", *printed, long, "exit 3"), VALUES)
    assert mtui.run("--no-ui", "-q", "--hashws", "-o", desk.out, spec).returncode == 2
    terminal = desk.terminal(desk.out, size=size)
    terminal.wait_for(f"✗ failed {len(VALUES)}")
    look_around(terminal)
    for value in ("[@click", "clip", "title", "right to left", "wide", "nnnn", "[/x]"):
        show_only(terminal, value)
        visit(terminal, "enter", "esc Back")
    visit(terminal, "r", "Retry 1 instance?")
    terminal.keys("escape")
    terminal.wait_without("8 shown")
    terminal.keys("3")
    terminal.wait_for(lambda text: "F Follow" in text and "the last line" in text)
    terminal.keys("o")
    terminal.wait_for("exit 3")  # the end of the script
    terminal.keys("o")
    terminal.wait_without("exit 3")
    terminal.keys("o")
    terminal.wait_for("the last line")
    terminal.keys("w")
    terminal.wait_for("xxxxxxxx")
    terminal.keys("g")
    terminal.wait_for("100 %")
    terminal.wait_for("[/x] [red]markup[/red]")
    terminal.keys("q")
    assert terminal.exit_code() == 2
    terminal.wait_for("To return, run: mtui")
    harmless(terminal)


def test_study_of_one_instance(desk: Desk) -> None:
    terminal = desk.terminal("-o", desk.out, write(desk, step("echo one")), size=(80, 24))
    terminal.wait_for("study finished")
    look_around(terminal)
    visit(terminal, "enter", "esc Back")
    terminal.keys("q")
    assert terminal.exit_code() == 0
    harmless(terminal)


def test_study_without_instances(desk: Desk) -> None:
    terminal = desk.terminal("-o", desk.out, write(desk, step("echo $(V)"), ()), size=(80, 24))
    terminal.wait_for("study finished")
    look_around(terminal)
    terminal.keys("enter", "c", "r", "A", "H", "U", "space", "V", "*", "n", "N", "f", "v", "e", "s", "o", "R", "z", "j")
    look_around(terminal)
    terminal.keys("q")
    assert terminal.exit_code() == 0
    harmless(terminal)
