"""sacct's lines on what jobs used."""

from __future__ import annotations

import pytest

from mtui.core.backends.backend import JobIdentity
from mtui.core.backends.usage import Usage, parse_usage

ANY = JobIdentity("1", "")


def test_job_and_its_steps_make_one() -> None:
    text = """\
12|3661|90|4|2|01:02:03|| 8G|mt.a.1-1:x|y
12.batch|3661||2|1|01:00:00|500M||batch
12.0|3600||4|2|00:02:03|1.5G||x
13_7|10|UNLIMITED|1|1|00:00.250||2000Mc|mt.a.1-2:z
13_7.batch|10||1|1|00:00.250|2048K||batch
"""
    first, second = JobIdentity("12", "mt.a.1-1:"), JobIdentity("13_7", "mt.a.")
    assert parse_usage(text, {first, second}) == {
        first: Usage(3661, 5400, 4, 2, 3723.0, 1536.0, 4096.0),
        second: Usage(10, 0, 1, 1, 0.25, 2.0, 2000.0),
    }


def test_other_jobs_with_the_id_used_nothing_of_ours() -> None:
    ours = "12|10|90|1|1|00:05||1G|mt.a.1-1:x\n12.batch|10||1|1|00:05|5M||batch\n"
    other = "12|99|90|8|1|09:00||9G|mt.b.1-1:x\n12.batch|99||8|1|09:00|9G||batch\n"
    job = JobIdentity("12", "mt.a.1-1:")
    expected = {job: Usage(10, 5400, 1, 1, 5.0, 5.0, 1024.0)}
    for text in (ours + other, other + ours):
        assert parse_usage(text, {job}) == expected


def test_two_jobs_of_the_study_with_one_id_are_distinguished() -> None:
    """slurmctld lost its state between the two."""
    lines = "12|10|90|1|1|00:05||1G|mt.a.1-1:x\n12.batch|10||1|1|00:05|5M||batch\n12|99|90|8|1|09:00||9G|mt.a.1-7:x\n"
    found = parse_usage(lines, {JobIdentity("12", "mt.a.1-1:"), JobIdentity("12", "mt.a.1-7:")})
    assert {job.name: (usage.elapsed, usage.memory) for job, usage in found.items()} == {
        "mt.a.1-1:": (10, 5.0),
        "mt.a.1-7:": (99, 0.0),
    }


@pytest.mark.parametrize("text", ["", "garbage\n", "1|2|3\n", "|||||||\n"])
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert all(usage == Usage() for usage in parse_usage(text, {ANY}).values())


@pytest.mark.parametrize(
    ("clock", "seconds"), [("1-02:03:04", 93784.0), ("00:10", 10.0), ("02:03.5", 123.5), ("INVALID", 0.0)]
)
def test_clock(clock: str, seconds: float) -> None:
    assert parse_usage(f"1|0|0|1|1|{clock}|||a\n", {ANY})[ANY].cpu_seconds == seconds


@pytest.mark.parametrize(
    ("asked", "megabytes"), [("4G", 2048.0), ("4Gn", 4096.0), ("1Gc", 2048.0), ("0", 0.0), ("", 0.0), ("?", 0.0)]
)
def test_memory_of_a_node(asked: str, megabytes: float) -> None:
    assert parse_usage(f"1|0|0|4|2|00:00||{asked}|a\n", {ANY})[ANY].asked_memory == megabytes
