"""Fixtures of tests that run the app: separate preferences for each, and a study that ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import mtui
from tests.app.app_helpers import run_study


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that ran; no test may change it."""
    return run_study(tmp_path_factory.mktemp("ran"))


@pytest.fixture
def own(ran: Path, tmp_path: Path) -> Path:
    """A copy of the study that the test may change."""
    return mtui.copied(ran, tmp_path / "out")


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    return tmp_path / "config"
