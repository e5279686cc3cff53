"""A start makes the directories and scripts that Maestro makes of it, but for the deviations in their table.

Both are run as a user does, with the same words, each in a separate place that looks the same.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtui.tui.cli.maestro_flags import before_the_verb
from mtui.tui.cli.parser import make_parser
from tests.mtui import COMMAND

from .deviations import OPTIONS, OTHERWISE, STARTS
from .plans import same_script

pytestmark = pytest.mark.filterwarnings("ignore:the load_module")  # in what Maestro imports
MAESTRO = (sys.executable, "-m", "maestrowf.maestro")
DRY = ("run", "--dry", "-fg", "-y")  # these words both understand


@dataclass(frozen=True)
class Place:
    """Where one of the two runs: a home, a folder with specs, and the one in which it is started."""

    root: Path

    @property
    def out(self) -> Path:
        return self.root / "here" / "out"

    def start(self, program: Sequence[str], *words: str) -> int:
        """Run a command line in which @ denotes the root; the exit code."""
        env = {**os.environ, "HOME": str(self.root / "home"), "USER": "ann", "XDG_STATE_HOME": str(self.root / "home")}
        command = [*program, *(word.replace("@", str(self.root)) for word in words)]
        return subprocess.run(
            command, cwd=self.root / "here", env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
        ).returncode

    def write(self, text: str, spec: str) -> None:
        path = self.root / "here" / spec
        path.write_text(text.replace("@", str(self.root)), encoding="utf-8")

    def plain(self, text: str) -> str:
        """A text without what is of this place and second."""
        return re.sub(r"\d{8}-\d{6}", "TIME", text.replace(str(self.root), "@"))

    def made(self) -> list[str]:
        """The path of the script of the step `s`, and its text."""
        found = self.root.rglob("s/s.sh")
        return [self.plain(f"{path}: {path.read_text().partition('echo ')[2].strip()}") for path in found]


@pytest.fixture
def places(tmp_path: Path) -> tuple[Place, Place]:
    for place in ("maestro", "mtui"):
        for folder in ("home", "here", "specs"):
            (tmp_path / place / folder).mkdir(parents=True)
    return Place(tmp_path / "maestro"), Place(tmp_path / "mtui")


# --- the study's directory, and the tokens of it


@dataclass(frozen=True)
class Start:
    name: str = "study"
    output_path: str = ""
    words: Sequence[str] = ()
    spec: str = "s.yaml"
    there: str = ""  # a script that is there before

    @property
    def text(self) -> str:
        where = f"    OUTPUT_PATH: '{self.output_path}'\n" if self.output_path else ""
        return (
            f"description: {{name: '{self.name}', description: d}}\nenv:\n  variables:\n{where}    V: v\n"
            "study:\n- {name: s, description: d, run: {cmd: echo $(OUTPUT_PATH) $(SPECROOT) $(WORKSPACE)}}\n"
        )


CASES: Mapping[str, Start] = {
    "name with blanks": Start("two  words"),
    "name with dots, dashes, brackets": Start("a.b-c_(d)..e"),
    "name with unicode": Start("größe 日本"),
    "name of unicode alone": Start("日本"),
    "name of dots": Start(".."),
    "name with signs": Start("a%b&c;d$(V)"),
    "name with a slash": Start("a/b"),
    "relative path": Start(output_path="runs/./deep/../er"),
    "absolute path": Start(output_path="@/elsewhere/"),
    "path with blanks": Start(output_path="my runs"),
    "path above": Start(output_path=".."),
    "path in the home": Start(output_path="~/runs"),
    "path with a token": Start(output_path="@/$(V)/runs"),
    "path with the place of the spec": Start(output_path="$(SPECROOT)/runs", spec="../specs/s.yaml"),
    "path with a variable of the shell": Start(output_path="$HOME/runs"),
    "out": Start(words=("-o", "out")),
    "out deep": Start(words=("-o", "deep/er/out/"), output_path="elsewhere"),
    "out absolute": Start(words=("--out", "@/a/../b")),
    "out that exists": Start(words=("-o", "out"), there="out/s/s.sh"),
    "out in the home": Start(words=("--out=~/out",)),
    "out empty": Start(words=("-o", "")),
    "spec elsewhere": Start(spec="../specs/s.yaml"),
    "spec absolute": Start(spec="@/specs/s.yaml"),
}


@pytest.mark.parametrize("case", CASES)
def test_directory_and_its_tokens_are_those_of_maestro(case: str, places: tuple[Place, Place]) -> None:
    start = CASES[case]
    made: list[list[str]] = []
    for place, program in zip(places, (MAESTRO, COMMAND), strict=True):
        spec = start.spec.replace("@", str(place.root))
        place.write(start.text, spec)
        if start.there:
            (place.root / "here" / start.there).parent.mkdir(parents=True)
            place.write("echo precious", start.there)
        place.start(program, *DRY, *start.words, spec)
        made.append(place.made())
    check(case, *made)


def check(case: str, theirs: Sequence[str], ours: Sequence[str]) -> None:
    """Both made the same, or what the table of deviations says."""
    deviation = STARTS.get(case)
    if deviation is None:
        assert ours == theirs
        assert ours
    else:
        assert (theirs, ours) == (deviation.maestro, deviation.mtui)


# --- all that --dry makes

SWEEP = """\
description: {name: sweep, description: d}
batch: {type: TYPE, host: h, bank: b, queue: q}
env: {variables: {WORD: hi}}
study:
- {name: make it, description: d, run: {cmd: "echo $(WORD) $(OUTPUT_PATH) $(SPECROOT)"}}
- name: sim
  description: of $(SIZE)
  run: {cmd: "$(LAUNCHER) sim $(SIZE) $(SIZE.label) > $(WORKSPACE)/x", procs: 2, nodes: 1, depends: [make it]}
- {name: post, description: d, run: {cmd: "cat $(sim.workspace)/x", restart: "cat $(WORKSPACE)/y", depends: [sim]}}
- {name: all, description: d, run: {cmd: "cat $(post.workspace)/*/*.out", depends: ["post_*"]}}
global.parameters:
  SIZE: {values: [1, 2, "b c", d.e, 5, 6, 7, 8, 9, 10, 11], label: "SIZE.%%"}
  MODE: {values: [x, y, x, y, x, y, x, y, x, y, x], label: "MODE.%%"}
"""


def safe(name: str) -> str:
    """Maestro keeps blanks in the names of restart scripts alone; that ours are all safe is in the table."""
    return name.replace(" ", "_")


@pytest.mark.parametrize("kind", ["local", "slurm"])
@pytest.mark.parametrize("hashws", [(), ("--hashws",)], ids=["labels", "hashws"])
def test_dry_writes_the_same_directories_and_scripts(
    places: tuple[Place, Place], kind: str, hashws: tuple[str, ...]
) -> None:
    folders: list[set[str]] = []
    scripts: list[dict[str, str]] = []
    for place, program in zip(places, (MAESTRO, COMMAND), strict=True):
        place.write(SWEEP.replace("TYPE", kind), "s.yaml")
        assert place.start(program, *DRY, *hashws, "-o", "out", "s.yaml") == 0
        found = [path for step in ("make_it", "sim", "post", "all") for path in (place.out / step).rglob("*")]
        folders.append({str(path.relative_to(place.out)) for path in found if path.is_dir()})
        files = [path for path in found if path.is_file()]
        scripts.append({safe(str(path.relative_to(place.out))): place.plain(path.read_text()) for path in files})
    assert folders[1] == folders[0]
    assert scripts[1].keys() == scripts[0].keys()
    assert len(scripts[0]) == 1 + 11 + 2 * 11 + 1
    for name, script in scripts[0].items():
        assert same_script(script, scripts[1][name]), name


# --- dependencies


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a tag, a branch, and a commit after them."""
    folder = tmp_path / "source"
    git(tmp_path, "init", "-q", "-b", "main", "source")
    for number, mark in enumerate((["tag", "first"], ["branch", "side"], ["branch", "other"])):
        git(folder, "commit", "-q", "--allow-empty", "-m", str(number))
        git(folder, *mark)
    return folder


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def with_dependencies(source: Path, *items: str) -> str:
    """A study that names its dependencies; DATA is in the folder of the specs."""
    lines = "".join(f"    - {{{item}}}\n" for item in items)
    tokens = " ".join(f"$({item.split(',')[0].split()[1]})" for item in items)
    return (
        "description: {name: study, description: d}\nenv:\n"
        f"  variables: {{WHERE: '@/clones', FROM: 'file://{source.parent}'}}\n"
        "  dependencies:\n    paths: [{name: DATA, path: ../specs/./data}]\n"
        f"    git:\n{lines}study:\n- {{name: s, description: d, run: {{cmd: echo $(DATA) {tokens}}}}}\n"
    )


def test_clones_are_those_of_maestro(places: tuple[Place, Place], source: Path) -> None:
    first = git(source, "rev-parse", "first")
    text = with_dependencies(
        source,
        "name: NEWEST, path: $(WHERE), url: $(FROM)/source",
        "name: TAG, path: $(WHERE)/of/it, url: $(FROM)/source, tag: first",
        "name: BRANCH, path: '@/clones', url: $(FROM)/source, branch: side",
        f"name: HASH, path: $(OUTPUT_PATH)/deps, url: $(FROM)/source, hash: {first}",
        "name: HERE, path: ., url: $(FROM)/source",
    )
    made: list[tuple[list[str], dict[str, tuple[str, str, str]]]] = []
    for place, program in zip(places, (MAESTRO, COMMAND), strict=True):
        (place.root / "specs" / "data").mkdir()
        place.write(text, "s.yaml")
        assert place.start(program, *DRY, "-o", "out", "s.yaml") == 0
        clones = [path.parent for path in place.root.rglob(".git")]
        at = {place.plain(str(clone)): (git(clone, "rev-parse", "HEAD"), git(clone, "branch", "--show-current"),
                                        git(clone, "remote", "get-url", "origin")) for clone in clones}  # fmt: skip
        made.append((place.made(), at))
    assert made[1] == made[0]
    assert len(made[0][1]) == 5


@pytest.mark.parametrize("wrong", ["tag: nosuch", "branch: nosuch", "hash: ffffffff", "url", "taken", "data", "no git"])
def test_dependency_that_maestro_refuses_is_refused_and_leaves_nothing(
    places: tuple[Place, Place], source: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = "name: GOOD, path: $(WHERE)/new, url: $(FROM)/source"
    bad = "name: BAD, path: $(WHERE)/newer, url: $(FROM)/" + ("nosuch" if wrong == "url" else "source")
    text = with_dependencies(source, good, f"{bad}, {wrong}" if ":" in wrong else bad)
    if wrong == "no git":
        monkeypatch.setenv("PATH", "/nowhere")
    for place, program in zip(places, (MAESTRO, COMMAND), strict=True):
        if wrong != "data":
            (place.root / "specs" / "data").mkdir()
        if wrong == "taken":
            (place.root / "clones" / "newer" / "BAD").mkdir(parents=True)
        place.write(text, "s.yaml")
        before = sorted(place.root.rglob("*"))
        assert place.start(program, *DRY, "-o", "deep/er/out", "s.yaml") != 0
        left = sorted(place.root.rglob("*"))
        assert left == before if program is COMMAND else left != before


# --- two starts at once


def test_starts_in_the_same_second_do_not_share_a_directory(places: tuple[Place, Place]) -> None:
    _, place = places
    place.write(Start().text, "s.yaml")
    command = [*COMMAND, *DRY, "s.yaml"]
    starts = [subprocess.Popen(command, cwd=place.root / "here", stdout=subprocess.PIPE) for _ in range(5)]
    assert [start.wait() for start in starts if start.communicate()] == [0] * 5
    said = place.made()
    assert len(said) == 5
    assert len({line.replace("TIME", "") for line in said}) == 1
    for script in place.root.rglob("s/s.sh"):
        out = script.parents[1]
        assert f"echo {out} " in script.read_text()
        assert re.fullmatch(r"study_\d{8}-\d{6}", out.name)


# --- the words of the command line


def _maestro() -> argparse.ArgumentParser:
    from maestrowf.maestro import setup_argparser

    return setup_argparser()


def _options(parser: argparse.ArgumentParser) -> dict[str, bool]:
    """Every option of a parser, and whether it takes a value."""
    return {
        word: action.nargs != 0
        for action in parser._actions
        for word in action.option_strings
        if not isinstance(action, argparse._HelpAction)
    }


def _verb(parser: argparse.ArgumentParser, verb: str) -> argparse.ArgumentParser:
    (verbs,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return verbs.choices[verb]


@pytest.mark.parametrize("verb", ["run", "update", "cancel"])
def test_every_option_of_maestros_verb_is_taken(verb: str) -> None:
    theirs, ours = _options(_verb(_maestro(), verb)), _options(_verb(make_parser(), verb))
    assert theirs
    assert {word: ours.get(word) for word in theirs} == theirs


def test_every_option_before_maestros_verb_is_taken() -> None:
    ours = _options(_verb(make_parser(), "run")) | {"-v": False, "--version": False}
    theirs = _options(_maestro())
    assert {word: ours.get(word) for word in theirs} == theirs
    for word in theirs.keys() - {"-v", "--version"}:
        value = ["5"] if theirs[word] else []
        assert before_the_verb([word, *value, "run", word]) == 1 + len(value)


def test_every_deviation_is_of_something_that_there_is() -> None:
    known = _options(_verb(_maestro(), "run")) | _options(_maestro())
    assert OPTIONS.keys() - known.keys() == set()
    assert STARTS.keys() - CASES.keys() == set()
    assert OTHERWISE.keys() - globals().keys() == set()
