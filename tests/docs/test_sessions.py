"""How the sessions of the documents are read and compared; tests/local and tests/slurm run them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.markdown import documents
from tests.docs.sessions import Command, Machine, same, shown


def test_what_is_not_run_needs_another_machine() -> None:
    reasons = {reason for path in documents() for reason in shown(path).elsewhere}
    assert reasons <= {"Perlmutter", "root", "another machine"}


# --- how outputs are compared


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["a", "c"], False),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b"], False),
        (["12:00:01  sim  running: job 4_1 on node2"], ["09:30:59  sim  running: job 17_0 on node1"], True),
        (["exit code 3"], ["exit code 4"], False),
        (["took 26s"], ["took 31s"], True),
    ],
)
def test_outputs_are_compared_without_what_differs(expected: list[str], actual: list[str], equal: bool) -> None:
    assert same(expected, actual) is equal


def test_a_command_that_prints_something_else_is_found(tmp_path: Path) -> None:
    machine = Machine(tmp_path, os.environ)
    assert machine.run(Command("echo one; pwd", [])) == ["one", "/home/ada"]
