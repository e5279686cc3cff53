"""The mutations of a file, and the copies in which mutants are tested."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import find_mutants, suites_of
from tests.mutants.copies import ROOT, Copy
from tests.mutants.mutations import find_mutations


def mutants_of(source: str) -> list[str]:
    return [mutation.apply(source) for mutation in find_mutations(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", ["a <= b", "a >= b"]),
        ("a == b", ["a != b"]),
        ("a in b", ["a not in b"]),
        ("a and b", ["(a or b)", "(b)", "(a)"]),
        ("not a", ["(a)"]),
        ("a - b", ["(a + b)"]),
        ("x = True", ["x = False"]),
        ("x = 3", ["x = 4"]),
        ("max(a, b)", ["min(a, b)"]),
        ("x = sorted(a, key=f)", ["x = list(a)"]),
        ("if f(): x", ["if (not f()): x"]),
        ("x.y = z", ["pass"]),
        ("x += y", ["pass"]),
    ],
)
def test_each_kind_of_code_has_its_mutations(source: str, expected: list[str]) -> None:
    assert set(expected) <= set(mutants_of(source))


def test_calls_and_results_are_left_out() -> None:
    source = "def f():\n    g()\n    return x\n"
    assert mutants_of(source) == ["def f():\n    pass\n    return x\n", "def f():\n    g()\n    return None\n"]


def test_annotations_decorators_and_texts_are_left_alone() -> None:
    source = '@d(frozen=True)\nclass A:\n    """1 < 2"""\n    x: int | None\n    def f(self, y: 1 < 2) -> a | b: ...\n'
    assert mutants_of(source) == []


def test_every_mutant_of_a_module_is_a_program_with_one_change() -> None:
    source = (ROOT / "core" / "engine" / "submission_policy.py").read_text()
    mutations = find_mutations(source)
    assert len(mutations) > 30
    for mutation in mutations:
        assert ast.dump(ast.parse(mutation.apply(source))) != ast.dump(ast.parse(source)), mutation


def test_the_change_is_shown_line_by_line() -> None:
    source = 'first\nx = "ä" if a < b else c\nlast\n'
    (mutation, *_) = find_mutations(source)
    assert mutation.line == 2
    assert mutation.diff(source) == '-x = "ä" if a < b else c\n+x = "ä" if a <= b else c'


def test_a_copy_is_changed_and_the_tree_is_not(tmp_path: Path) -> None:
    copy = Copy.create(tmp_path)
    name = "core/engine/submit_limit.py"
    before = (ROOT / name).read_text()
    with copy.changed(name, "raise SystemExit(3)\n"):
        assert (copy.root / name).read_text() == "raise SystemExit(3)\n"
        assert (ROOT / name).read_text() == before
        assert copy.run_tests(["tests/unit/engine/test_submit_limit.py"]) not in (0, None)
    assert (copy.root / name).read_text() == before
    assert copy.run_tests(["tests/unit/engine/test_submit_limit.py"], seconds=0.01) is None


def test_mutants_know_the_tests_of_their_package() -> None:
    mutants = find_mutants(["core/store"])
    assert {mutant.package for mutant in mutants} == {"core/store"}
    assert "core/store/lease.py" in {mutant.name for mutant in mutants}
    assert suites_of("core/store")[0] == ["tests/unit/store"]
