"""The benchmarks still run, at a size that takes no time. No verdict depends on what they measure."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.__main__ import ON_SLURM
from tests.bench.maestro import MaestroMissing, find_maestro
from tests.bench.place import SMALL, Place
from tests.slurm.cluster import Cluster


@pytest.fixture(scope="session")
def maestro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return find_maestro(tmp_path_factory.mktemp("maestro"))
    except MaestroMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def place(slurm: Cluster, maestro: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The benches' place on the cluster of the tests."""
    monkeypatch.setenv("MTUI_MAESTRO", str(maestro))
    place = Place(SMALL, slurm)
    yield place
    place.close()


@pytest.mark.parametrize("name", ON_SLURM)
def test_bench_on_slurm_runs(name: str, place: Place) -> None:
    lines = list(importlib.import_module(f"tests.bench.bench_{name}").run(place))
    assert any(line.target for line in lines)


def test_one_command_prints_a_table(maestro: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTUI_MAESTRO", str(maestro))
    command = [sys.executable, "-m", "tests.bench", "--small", "local"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "| 10 trivial local steps | " in done.stdout


def test_the_apps_bench_runs() -> None:
    command = [sys.executable, "-m", "tests.bench.bench_app", "40"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "key to paint while it drives" in done.stdout
