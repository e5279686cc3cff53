"""The environment pass: in Maestro's order, each entry once."""

from __future__ import annotations

from typing import Any

import pytest

from mtui.core.spec import Dependency, EnvEntry
from mtui.core.spec.environment_block import build_environment
from mtui.core.spec.study_spec import DependencyKind


def applied(text: str, *entries: tuple[str, Any], dependencies: tuple[Dependency, ...] = ()) -> str:
    listed = [EnvEntry(name, raw) for name, raw in entries]
    return build_environment(listed, dependencies, "/out", "/specs", "/cwd")[0].apply(text)


PATH = Dependency(DependencyKind.PATH, "P", "lib")
GIT = Dependency(DependencyKind.GIT, "G", "$(BASE)/git", "https://$(HOST)/g")


@pytest.mark.parametrize(
    ("text", "entries", "expected"),
    [
        ("$(A) $(B)", [("A", 1), ("B", 1.50)], "1 1.5"),
        ("$(L)", [("A", "x"), ("L", "$(A)/y")], "x/y"),
        ("$(L)", [("L", "$(A)/y"), ("A", "x")], "x/y"),  # the first entry of all is plain, and A comes after it
        ("$(L2)", [("A", "x"), ("L2", "$(L3)/b"), ("L3", "$(A)/c")], "x/c/b"),
        ("$(L3)", [("A", "x"), ("L2", "$(A)/b"), ("L3", "$(L2)/c")], "$(L2)/c"),
        ("$(B)", [("A", "x"), ("B", "y"), ("L", "$(B)")], "y"),
        ("$(A)", [("A", "$(B)"), ("B", "$(C)"), ("C", "x")], "$(B)"),  # B is label-like and had its turn
        ("$(LIST)", [("A", "x"), ("B", "b"), ("LIST", ["$(A)"])], "['$(A)']"),  # only text is label-like
        ("$(A)$(A)$$(A)", [("A", "x")], "xx$x"),
        ("$(OUTPUT_PATH) $(SPECROOT)", [("OUTPUT_PATH", "./study")], "/out /specs"),
        ("$(L)", [("OUTPUT_PATH", "./study"), ("L", "$(A)"), ("A", "x")], "x"),
        ("$(L2)", [("OUTPUT_PATH", "o"), ("L2", "$(L3)"), ("L3", "$(A)"), ("A", "x")], "x"),
        ("$(L)", [("A", "x"), ("L", "$(OUTPUT_PATH)/$(SPECROOT)")], "/out//specs"),
        ("no token", [("A", "x")], "no token"),
    ],
)
def test_entries_are_applied_in_order(text: str, entries: list[tuple[str, Any]], expected: str) -> None:
    assert applied(text, *entries) == expected


def test_dependencies_come_between_label_like_and_plain_entries() -> None:
    entries = (("FIRST", "$(P)"), ("BASE", "/base"), ("HOST", "h"), ("L", "$(P):$(G)"))
    assert applied("$(L) $(FIRST)", *entries, dependencies=(PATH, GIT)) == "/cwd/lib:/base/git/G $(P)"


def test_paths_are_absolute_and_only_those_of_git_take_variables() -> None:
    path = Dependency(DependencyKind.PATH, "P", "$(BASE)/../lib")
    entries = [EnvEntry("BASE", "/base"), EnvEntry("HOST", "h")]
    _, placed = build_environment(entries, [GIT, path], "/out", "/specs", "/cwd")
    assert [(item.name, item.path, item.url) for item in placed] == [
        ("P", "/cwd/lib", ""),
        ("G", "/base/git/G", "https://h/g"),
    ]


def test_names_are_those_of_all_tokens() -> None:
    environment, _ = build_environment(
        [EnvEntry("OUTPUT_PATH", "o"), EnvEntry("A", 1), EnvEntry("L", "$(A)")], [PATH], "/out", "/specs", "/cwd"
    )
    assert environment.names == {"A", "L", "P", "OUTPUT_PATH", "SPECROOT"}
