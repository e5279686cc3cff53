"""What the documents show as a session is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.sessions import Machine, format_differences, play, with_sessions
from tests.slurm.cluster import Cluster


@pytest.mark.parametrize("path", with_sessions())
def test_a_session_prints_what_the_document_shows(slurm: Cluster, path: str, tmp_path: Path) -> None:
    different = play(path, Machine(tmp_path, slurm.env))
    assert not different, format_differences(different)
