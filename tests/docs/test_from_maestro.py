"""docs/from-maestro.md against Maestro itself: every option and verb that it has is spoken of, or the same here."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mtui.tui.cli.parser import make_parser
from tests.docs.markdown import read

MAESTRO = Path(sys.executable).with_name("maestro")
NOT_HERE = {"status": {"--layout", "--disable-theme", "--disable-pager"}}  # how its tables are shown


def options_of_maestro(verb: str) -> set[str]:
    reported = subprocess.run([MAESTRO, verb, "--help"], capture_output=True, text=True, check=True).stdout
    options = reported[reported.index("\noptions:") :]
    return set(re.findall(r"(?<![\w-])--?\w[\w-]*(?=[ ,\n])", re.sub(r"^ {24}.*$", "", options, flags=re.M))) - {
        "-h",
        "--help",
    }


def options_of_mtui(verb: str) -> set[str]:
    verbs = next(action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {option for action in verbs.choices[verb]._actions for option in action.option_strings}


@pytest.mark.parametrize("verb", ["run", "status", "cancel", "update"])
def test_options_of_maestro_are_taken(verb: str) -> None:
    options = options_of_maestro(verb) - NOT_HERE.get(verb, set())
    assert options - options_of_mtui(verb) == set()


@pytest.mark.parametrize("verb", ["run", "status", "cancel", "update"])
def test_every_verb_of_maestro_is_in_the_table(verb: str) -> None:
    assert f"| `maestro {verb}" in read("docs/from-maestro.md")
