"""The fixtures of tests on Slurm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.lone_allocation import Allocation


@pytest.fixture
def allocation(slurm: Cluster, tmp_path: Path) -> Allocation:
    return Allocation(slurm, tmp_path / "study")
