"""Commands and studies that the documents show are ones that mtui takes."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtui.core.errors import UsageError
from mtui.core.spec.resources import RESOURCES
from mtui.core.spec.study_parser import _TOP_KEYS, load_study
from mtui.tui.cli.main import _with_verb
from mtui.tui.cli.parser import VERBS, make_parser, take_targets
from tests.docs.markdown import Block, blocks, documents, read

# A study in which every part that the documents show alone has what it speaks of.
BASE: dict[str, Any] = {
    "description": {"name": "base", "description": "d"},
    "batch": {"type": "slurm", "host": "h", "bank": "", "queue": ""},
    "study": [
        {"name": name, "description": "d", "run": {"cmd": "echo $(SIZE)", "procs": 1, "walltime": "00:10:00"}}
        for name in ("simulate", "run", "post")
    ]
    + [
        {"name": name, "description": "d", "run": {"cmd": "true", "depends": ["simulate_*", "run_*"]}}
        for name in ("report", "mean")
    ],
    "global.parameters": {"SIZE": {"values": [1, 2, 3], "label": "SIZE.%%"}},
}
WORDS = {
    "VERB": "plan",
    "N": "1",
    "SEC": "1",
    "DIR": "./DIR",
    "first": "./first",  # the study of the tutorial
}


def shown() -> Iterator[tuple[str, str]]:
    """Each command line of mtui in the documents, with the place of the document: in blocks, and within text."""
    for path in documents():
        for block in blocks(path):
            if block.language in ("", "sh", "bash", "console"):
                yield from ((path, line.strip()) for line in block.text.splitlines() if _is_command(line.strip()))
        text = re.sub(r"(?ms)^```.*?^```$", "", read(path))
        named = re.findall(r"`(mtui [^`\n]+)`", text)
        yield from ((path, code) for code in named if code.removeprefix("mtui ") not in VERBS)  # a verb by its name


def _is_command(line: str) -> bool:
    return re.match(r"(\S+/bin/)?mtui( |$)", line) is not None


def variants(line: str) -> list[list[str]]:
    """What somebody would type: without the explanation behind it, one for each of its alternatives."""
    line = re.split(r"\s{2,}|\s#\s|\s\|\s?|\s&&\s|\s>", line)[0].replace("\\|", "|")
    line = re.sub(r"\[sbatch options\]|\[OPTION \.\.\.\]", "", line)
    line = re.sub(r"\[([^\]]*)\]", r"\1", line) if "'" not in line and "{" not in line else line
    line = re.sub(r"\s*\.\.\.", "", line)
    words = [word.split("|") if re.fullmatch(r"[\w.|-]+", word) else [word] for word in shlex.split(line)[1:]]
    return [[WORDS.get(word, word) for word in chosen] for chosen in itertools.product(*words)]


def taken(words: list[str]) -> bool:
    """Whether the parser takes the words of a command line."""
    try:
        words = _with_verb(words)
        further = take_targets(*make_parser().parse_known_args(words))
    except UsageError:
        return False
    except SystemExit as end:
        return end.code == 0  # --help, --version
    return not further or words[0] == "submit"


@pytest.mark.parametrize("path", documents())
def test_commands_are_taken(path: str) -> None:
    wrong = [line for place, line in shown() if place == path and not all(taken(words) for words in variants(line))]
    assert wrong == []


def test_there_are_many() -> None:
    assert len(list(shown())) > 100


@pytest.mark.parametrize("line", ["mtui plan", "mtui cancel --nope DIR", "mtui update DIR --throttle x"])
def test_wrong_commands_are_found(line: str) -> None:
    assert not all(taken(words) for words in variants(line))


# --- Python


def test_modules_that_are_called_exist() -> None:
    for path in documents():
        for module in re.findall(r"python3? -m (tests[\w.]*)", read(path)):
            assert importlib.util.find_spec(module), f"{path}: python -m {module}"


# --- studies


def studies() -> Iterator[tuple[str, Block]]:
    """The blocks that are a study, or a part of one."""
    for path in documents():
        for block in blocks(path):
            first = re.match(r"[\w.]+(?=:)", block.text)
            if first and first.group() in _TOP_KEYS:
                yield path, block


@pytest.mark.parametrize(("path", "block"), [pytest.param(*case, id=f"{case[0]}:{case[1].line}") for case in studies()])
def test_studies_are_read_without_a_warning(path: str, block: Block, tmp_path: Path) -> None:
    content = yaml.safe_load(block.text)
    for name in re.findall(r"[\w-]+\.csv", block.text):
        (tmp_path / name).write_text("MATERIAL,MODULUS\noak,11\n")
    spec = tmp_path / "study.yaml"
    spec.write_text(block.text if "study" in content else yaml.safe_dump({**BASE, **content}, sort_keys=False))
    _, problems = load_study(spec)
    assert [problem.message for problem in problems.warnings] == [], path


def test_help_names_every_resource_that_a_retry_can_change() -> None:
    line = next(line for line in read("docs/commands.md").splitlines() if line.startswith("| `--set KEY=VALUE`"))
    named = {re.sub(r" \(.*\)|'", "", word).strip() for word in re.split("[,:;]", line)}
    assert {key for key, resource in RESOURCES.items() if resource.by_hand} <= named
