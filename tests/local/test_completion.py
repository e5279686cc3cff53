"""What a shell gets at a press of TAB, from a separate process each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import mtui

STUDY = """\
description: {name: sweep, description: d}
study:
- {name: sim, description: d, run: {cmd: "echo $(SIZE)"}}
- {name: post, description: d, run: {cmd: "echo $(SIZE)", depends: [sim]}}
global.parameters: {SIZE: {values: [10, 20], label: SIZE.%%}}
"""
SIMS = ["sim_SIZE.10", "sim_SIZE.20"]
POSTS = ["post_SIZE.10", "post_SIZE.20"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with study.yaml, the study `out` of it, and other things."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "study.yaml").write_text(STUDY)
    (folder / "notes.txt").touch()
    (folder / ".hidden.yaml").touch()
    (folder / "esc\x1b[2J.yaml").touch()
    (folder / "more").mkdir()
    (folder / "more" / "two words.yml").touch()
    assert mtui.run("--dry", "-o", "out", "study.yaml", cwd=folder).returncode == 0
    damaged = folder / "damaged" / ".mtui"
    damaged.mkdir(parents=True)
    (damaged / "study.json").write_bytes(b"\xff\x00")
    return folder


def suggested(folder: Path, line: str, *python: str, shell: str = "bash", **env: str) -> list[str]:
    """What is suggested for a line with the cursor at its end."""
    answer = folder / "answer"
    answer.unlink(missing_ok=True)
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SHELL": shell,
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    command = [sys.executable, *python, "-m", "mtui.tui"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **asked, **env}, capture_output=True, check=False)
    assert done.stdout == b""
    (folder / "stderr").write_bytes(done.stderr)
    return [word.strip() for word in answer.read_text().splitlines()] if answer.exists() else []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mtui st", ["status", "stop", "studies", "study.yaml"]),
        ("mtui m", ["more/"]),
        ("mtui plan ", ["damaged", "more/", "out", "study.yaml"]),
        ("mtui plan more/", ["more/two\\ words.yml"]),
        ("mtui plan .", [".hidden.yaml"]),
        ("mtui status ", ["damaged", "more/", "out"]),
        ("mtui status ou", ["out"]),
        ("mtui why out ", [*POSTS, *SIMS]),
        ("mtui why ./out sim", SIMS),
        ("mtui why ~/out sim", SIMS),
        ("mtui why $HOME/out sim", SIMS),
        ("mtui why out --", ["--help", "--json"]),
        ("mtui why more ", []),
        ("mtui why damaged ", []),
        ("mtui why nowhere ", []),
        ("mtui retry out ", ["failed", "post", *POSTS, "sim", *SIMS]),
        ("mtui retry out post f", ["failed"]),
        ("mtui retry nowhere ", []),
        ("mtui retry out --set wall", ["walltime="]),
        ("mtui log out sim_SIZE.10 --s", ["--script", "--stderr"]),
        ("mtui update out --thr", ["--throttle"]),
        ("mtui update out --throttle ", []),
        ("mtui study.yaml --no-u", ["--no-ui"]),
        ("mtui --no-ui stu", ["study.yaml"]),
        ("mtui --dr", ["--dry"]),
        ("mtui plan study.yaml --pgen n", ["notes.txt"]),
        ("mtui completion ", ["bash", "fish", "zsh"]),
        ("mtui nonsense ", []),
    ],
)
def test_suggestions(folder: Path, line: str, words: list[str]) -> None:
    assert sorted(suggested(folder, line, HOME=str(folder))) == words


def test_of_many_files_the_next_part_is_suggested(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"run_{number}").mkdir()
        (tmp_path / f"data_{number}").touch()
    assert sorted(suggested(tmp_path, "mtui status ")) == [f"run_{digit}" for digit in range(10)]
    assert suggested(tmp_path, "mtui status run_29") == ["run_29/", *(f"run_29{digit}/" for digit in range(10))]


def test_zsh_shows_the_whole_line(folder: Path) -> None:
    assert suggested(folder, "cd x && mtui why out sim", shell="zsh") == [f"{name}:" for name in SIMS]


def test_nothing_slow_is_imported(folder: Path) -> None:
    assert suggested(folder, "mtui retry out sim_", "-X", "importtime") == SIMS
    loaded = {line.rpartition("|")[2].strip() for line in (folder / "stderr").read_text().splitlines()}
    assert {"argcomplete", "mtui.core.store.name_index"} <= loaded
    slow = {"textual", "rich", "networkx", "watchfiles", "yaml", "asyncio", "mtui.core.engine", "mtui.core.plan"}
    assert loaded & slow == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_is_printed_says_where_it_goes(shell: str) -> None:
    done = mtui.run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# In ~/.")


def test_other_shells_are_refused() -> None:
    done = mtui.run("completion", "tcsh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "bash" in done.stderr
