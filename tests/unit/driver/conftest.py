"""The clock of the tests of a driver's parts, a study with shared allocations, and the world of a supervisor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.spec.study_spec import PackingOptions
from mtui.core.store.study_file import Settings
from tests.unit.driver.fake_context import Clock, FakeContext
from tests.unit.driver.packed_study import Packed
from tests.unit.driver.supervised import World


@pytest.fixture(autouse=True)
def end_threads() -> Iterator[None]:
    """End the threads of the drivers' parts after each test."""
    FakeContext.created.clear()
    yield
    for context in FakeContext.created:
        context.end_threads()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In place of the machine's monotonic clock; it does not advance until the test moves it."""
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "out")


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    return Packed(tmp_path, Settings(pack=PackingOptions(), submit_ahead=False))
