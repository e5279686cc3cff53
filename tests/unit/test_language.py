"""Texts use plain technical English and the words of Slurm. Phrases of a private idiom are listed here and fail.

Read are strings, docstrings and comments of the product, its shell files, the documents, the samples, and docstrings,
comments and names of tests: other strings of tests are data. Field names, event names, statuses and verbs are no
phrases: journals and `--json` are versioned.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A phrase as a regular expression, and what to write instead.
PHRASES = {
    r"stands? in\b": "is in, is stored in",
    r"stands? as\b": "is unchanged; its status is",
    r"what became of": "the outcome of",
    r"whatever became of": "even if it fails",
    r"what came of": "the result of",
    r"(hangs?|hung) on": "depends on; its dependents",
    r"lets? go\b": "releases; stops",
    r"anew": "again; restarts",
    r"told": "printed, reported, shown",
    r"mend(s|ed)?": "fixes, repairs",
    r"put right": "fix",
    r"gives? way": "yields",
    r"hands? out": "assigns, dispatches",
    r"all the same": "anyway",
    r"by (itself|themselves)": "automatically",
    r"of (its|their) own": "separate",
    r"takes? in\b": "reads, applies, loads",
    r"(goes|go|went) on\b": "continues, resumes",
    r"the study is over": "the study has ended",
    r"as far as is known|to this end": "nothing, or the fact",
    r"ask(s|ed)? for (?!confirmation)": "requests",
    r"to slurm they go": "submitted to Slurm",
}
# A phrase that is right where it is: the file, a part of the line, the reason.
EXCEPTIONS = {
    ("core/backends/submit_errors.py", "Rejecting authentication"): "a message of Slurm",
}
_NAMES_TO_AVOID = (
    r"anew|told|asked_for|asks_for|goes_on|stands_in|mend(s|ed)?|all_the_same|by_itself|by_themselves|let_go"
    r"|hangs?_on|hung_on|gives?_way|whatever_became"
)


def texts_of_python(path: Path) -> Iterator[tuple[int, str]]:
    """Strings, docstrings and comments of a module, each with its line."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def texts_of_test(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings and comments of a module of the tests, each with its line."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            docstring := ast.get_docstring(node, clean=False)
        ):
            yield node.body[0].lineno, docstring
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def texts() -> Iterator[tuple[str, int, str]]:
    """Every text of the product and its documents: the file, the line, the text."""
    for top in ("core", "tui"):
        for path in sorted((ROOT / top).rglob("*")):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix == ".py":
                yield from ((name, line, text) for line, text in texts_of_python(path))
            elif path.suffix in (".sh", ".yaml"):
                yield name, 1, path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests").rglob("*.py")):
        yield from ((path.relative_to(ROOT).as_posix(), line, text) for line, text in texts_of_test(path))
    documents = [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "sample_specs").iterdir()]
    for path in sorted(documents):
        if path.is_file():
            yield path.relative_to(ROOT).as_posix(), 1, path.read_text(encoding="utf-8")


def found(phrase: str) -> list[str]:
    """Places of a phrase, without the exceptions."""
    pattern = re.compile(rf"\b(?:{phrase})(?:\b|(?<=\s))", re.IGNORECASE)
    places: list[str] = []
    for file, first, text in ALL:
        for match in pattern.finditer(text):
            number = text.count("\n", 0, match.start())
            line = text.split("\n")[number]
            if not any(file == where and part in line for where, part in EXCEPTIONS):
                places.append(f"{file}:{first + number}: {line.strip()}")
    return places


ALL = list(texts())


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_text_uses_a_phrase_of_the_list(phrase: str) -> None:
    assert found(phrase) == [], f"write instead: {PHRASES[phrase]}"


def test_names_of_tests_use_no_phrase_of_the_list() -> None:
    pattern = re.compile(rf"def (test_\w*?_(?:{_NAMES_TO_AVOID})(?:_\w*)?)\(")
    names = [
        f"{path.relative_to(ROOT)}: {name[1]}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for name in pattern.finditer(path.read_text(encoding="utf-8"))
    ]
    assert names == []


def test_every_exception_is_needed() -> None:
    lines = {(file, line) for file, _, text in ALL for line in text.split("\n")}
    for file, part in EXCEPTIONS:
        assert any(file == where and part in line for where, line in lines)
