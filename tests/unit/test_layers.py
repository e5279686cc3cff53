"""The shape of the source: no import cycles, no long files, no class name that means two things."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping, Set
from pathlib import Path

import pytest

from tests.unit import test_imports as source

ROOT = Path(__file__).parents[2]
MOST_LINES = 400


def imports_of(paths: list[Path]) -> dict[str, set[str]]:
    """The modules of ours that each module imports, also inside functions and for types only."""
    modules = {source._module(path) for path in paths}
    return {source._module(path): {name for _, name in source._imports(path)} & modules for path in paths}


def cycles(imports: Mapping[str, Set[str]]) -> list[list[str]]:
    """The groups of two or more modules that import each other, directly or through others (Tarjan's algorithm)."""
    found: list[list[str]] = []
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in sorted(imports.get(module, ())):
            if other not in order:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], order[other])
        if lowest[module] == order[module]:
            at = stack.index(module)
            group = sorted(stack[at:])
            del stack[at:]
            if len(group) > 1 or module in imports.get(module, ()):
                found.append(group)

    for module in sorted(imports):
        if module not in order:
            visit(module)
    return found


def long_files(paths: list[Path], most: int = MOST_LINES) -> dict[str, int]:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return {name: length for name, length in lengths.items() if length > most}


def ambiguous_classes(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """The class names that are defined more than once, each with its files; `sources` are texts by file name.

    Classes within classes count as well, such as the messages of a widget.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(name)
    return {name: files for name, files in found.items() if len(files) > 1}


# --- the rules


@pytest.mark.parametrize("package", ["core", "tui"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    paths = [path for path in source._files() if path.relative_to(ROOT).parts[0] == package]
    assert cycles(imports_of(paths)) == []


def test_no_file_is_longer_than_400_lines() -> None:
    assert long_files(source._files()) == {}


def test_a_class_name_names_one_class() -> None:
    found = ambiguous_classes({str(path.relative_to(ROOT)): path.read_text() for path in source._files()})
    assert found == {}


# --- the rules can fail


def test_a_circle_through_three_modules_is_found() -> None:
    imports = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set[str]()}
    assert cycles(imports) == [["a", "b", "c"]]


def test_imports_for_types_and_in_functions_are_part_of_a_circle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tui").mkdir()
    texts = {
        "app": "from .screen import Screen",
        "screen": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .app import App\n",
        "one": "def f():\n    from . import two\n",
        "two": "from mtui.tui import one",
    }
    paths = [tmp_path / "tui" / f"{name}.py" for name in texts]
    for path in paths:
        path.write_text(texts[path.stem])
    monkeypatch.setattr(source, "ROOT", tmp_path)
    assert cycles(imports_of(paths)) == [["tui.app", "tui.screen"], ["tui.one", "tui.two"]]


def test_a_file_that_is_too_long_is_named() -> None:
    name = "tests/unit/test_layers.py"
    assert list(long_files([ROOT / name], most=10)) == [name]


def test_a_name_of_two_classes_is_found() -> None:
    sources = {"a.py": "class Part: ...", "b.py": "class Part: ...", "c.py": "class Other: ..."}
    assert ambiguous_classes(sources) == {"Part": ["a.py", "b.py"]}


def test_a_class_within_another_counts_as_well() -> None:
    sources = {"a.py": "class Grid:\n    class Moved: ...", "b.py": "class Tree:\n    class Moved: ..."}
    assert ambiguous_classes(sources) == {"Moved": ["a.py", "b.py"]}
