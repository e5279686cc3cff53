"""sacct's lines on what jobs used."""

from __future__ import annotations

import pytest

from mtui.core.backends.usage import Usage, parse_usage


def test_job_and_its_steps_make_one() -> None:
    text = """\
12|3661|90|4|2|01:02:03|| 8G
12.batch|3661||2|1|01:00:00|500M|
12.0|3600||4|2|00:02:03|1.5G|
13_7|10|UNLIMITED|1|1|00:00.250||2000Mc
13_7.batch|10||1|1|00:00.250|2048K|
"""
    assert parse_usage(text) == {
        "12": Usage(3661, 5400, 4, 2, 3723.0, 1536.0, 4096.0),
        "13_7": Usage(10, 0, 1, 1, 0.25, 2.0, 2000.0),
    }


@pytest.mark.parametrize("text", ["", "garbage\n", "1|2|3\n", "|||||||\n"])
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert all(usage == Usage() for usage in parse_usage(text).values())


@pytest.mark.parametrize(
    ("clock", "seconds"), [("1-02:03:04", 93784.0), ("00:10", 10.0), ("02:03.5", 123.5), ("INVALID", 0.0)]
)
def test_clock(clock: str, seconds: float) -> None:
    assert parse_usage(f"1|0|0|1|1|{clock}||\n")["1"].cpu_seconds == seconds


@pytest.mark.parametrize(
    ("asked", "megabytes"), [("4G", 2048.0), ("4Gn", 4096.0), ("1Gc", 2048.0), ("0", 0.0), ("", 0.0), ("?", 0.0)]
)
def test_memory_of_a_node(asked: str, megabytes: float) -> None:
    assert parse_usage(f"1|0|0|4|2|00:00||{asked}\n")["1"].asked_memory == megabytes
