"""Slurm's ways to say how much time is left."""

from __future__ import annotations

import pytest

from mtui.core.packing.remaining_time import time_left, time_until


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1-02:03:04\n", 93784),
        ("2:03:04", 7384),
        ("9:57", 597),
        ("0:00", 0),
        ("5", 5),
        ("UNLIMITED\n", None),
        ("INVALID", None),
        ("NOT_SET", None),
        ("", None),
    ],
)
def test_time_left(text: str, seconds: float | None) -> None:
    assert time_left(text) == seconds


def test_time_until() -> None:
    assert time_until("1100", 1000) == 100
    assert time_until("900", 1000) == 0
    assert time_until("4294967294", 1000) is None
    assert time_until("UNKNOWN", 1000) is None
