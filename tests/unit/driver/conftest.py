"""The clock of the tests of a driver's parts."""

from __future__ import annotations

import time

import pytest

from tests.unit.driver.fake_context import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the machine's monotonic clock; it stands still until the test moves it."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock
