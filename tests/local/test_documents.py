"""What the documents show as a session on one machine is what happens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.sessions import Machine, format_differences, play, with_sessions


@pytest.mark.parametrize("path", with_sessions(slurm=False))
def test_a_session_prints_what_the_document_shows(path: str, tmp_path: Path) -> None:
    different = play(path, Machine(tmp_path, os.environ))
    assert not different, format_differences(different)
