"""The fake programs, the backend that calls them, and a study for the job-side runner."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.backends import slurm as module
from mtui.core.backends.slurm import Slurm
from tests.unit.backends.fake import Fake
from tests.unit.backends.job_study import FOUND, SHELLS, Study


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


@pytest.fixture(params=FOUND)
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Study]:
    study = Study(tmp_path, SHELLS[request.param])
    yield study
    for process in study.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
