"""What shells drop of the environment, and the scripts that keep it."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from mtui.core.shell_environment import SET_DROPPED, UNSET_FUNCTIONS, has_dropped

CORE = Path(__file__).parents[2] / "core"


@pytest.mark.parametrize("name", ["BASH_FUNC_module%%", "a.b", "a-b", "1a", "", "é"])
def test_names_that_are_no_identifiers_may_be_dropped(name: str) -> None:
    assert has_dropped(["PATH", name])


def test_identifiers_are_kept() -> None:
    assert not has_dropped(["PATH", "_", "a1_B"])


@pytest.mark.parametrize(
    ("file", "margin"), [("backends/job.sh", "    "), ("packing/fallback.sh", ""), ("packing/srun.sh", "")]
)
def test_shell_programs_have_the_same_lines(file: str, margin: str) -> None:
    text = (CORE / file).read_text()
    assert f"\n{UNSET_FUNCTIONS}\n" in text
    assert f"\n{indent(SET_DROPPED, margin)}\n" in text
