"""What the tests of the app in a terminal share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A place to work; nothing of it runs after the test."""
    desk = Desk(tmp_path)
    yield desk
    desk.clear()
