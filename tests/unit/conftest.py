"""Fixtures of all unit tests."""

from __future__ import annotations

import pytest

from tests.no_threads import NoThreads


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> NoThreads:
    """From now on no thread can be started."""
    return NoThreads(monkeypatch)
