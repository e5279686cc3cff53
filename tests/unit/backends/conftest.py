"""The fake programs, and the backend that calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.backends import slurm as module
from mtui.core.backends.slurm import Slurm
from tests.unit.backends.fake import Fake


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake(tmp_path)
    monkeypatch.setenv("PATH", str(fake.folder))
    monkeypatch.setattr(module, "_SUBMIT_DEADLINE", 0.3)
    monkeypatch.setattr(module, "_QUERY_DEADLINE", 0.3)
    return fake


@pytest.fixture
def slurm(fake: Fake) -> Slurm:
    """On the PATH of the fake programs."""
    return Slurm(Path("/h"), fake.log)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, slurm: Slurm) -> Slurm:
    """One that gives its programs the time that a busy machine takes."""
    monkeypatch.setattr(module, "_SUBMIT_DEADLINE", 30)
    monkeypatch.setattr(module, "_QUERY_DEADLINE", 30)
    return slurm
