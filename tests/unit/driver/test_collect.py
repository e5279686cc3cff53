"""Records are taken in in the order in which their job wrote them, however they come to light."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from mtui.core.driver import collect
from mtui.core.driver.allocations.tracker import AllocationTracker
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.collect import Collector
from mtui.core.driver.context import DriverContext
from mtui.core.study import events as ev
from mtui.core.study.status import Status
from tests.unit.study.observing import kinds, pending
from tests.unit.study.script import Watched

START, EXIT = "0.1.start.7", "0.1.exit.7"
BEGUN = '{"v":1,"kind":"start","attempt":"0.1","job":"7","node":"n1"}\n'
DONE = '{"v":1,"kind":"exit","attempt":"0.1","job":"7","node":"n1","code":0,"signal":""}\n'
KILLED = DONE.replace('"code":0', '"code":143')
RECORDS = {START: BEGUN, EXIT: DONE, f"{START}_r1": BEGUN, f"{EXIT}_r1": DONE}


class Spool:
    """A directory of records and a witness of them, without the rest of a driver."""

    def __init__(self, root: Path, watched: Watched) -> None:
        self.root, self.watched = root, watched
        self.told: list[ev.Event] = []
        self.ended: list[str] = []

        def emit_all(events: Iterable[ev.Event]) -> None:
            found = list(events)
            self.told += found
            watched.take(found)

        context = SimpleNamespace(
            slurm=None,
            directory=SimpleNamespace(spool=root),
            observer=watched.observer,
            state=watched.state,
            emit_all=emit_all,
            sync=lambda: None,
        )
        canceller = SimpleNamespace(end_strays=self.ended.extend)
        self.collector = Collector(
            cast(DriverContext, context), cast(Canceller, canceller), cast(AllocationTracker, None)
        )

    def write(self, name: str, part: Callable[[str], str] = str) -> None:
        (self.root / name).write_text(part(RECORDS[name]))

    def read(self) -> list[str]:
        """What is told by one reading."""
        before = len(self.told)
        self.collector.read_spool()
        return kinds(self.told[before:])


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, pending())


def half(text: str) -> str:
    return text[: len(text) // 2]


def test_exit_does_not_overtake_a_start_that_was_being_written_a_moment_ago(spool: Spool) -> None:
    spool.write(START, half)
    assert spool.read() == []
    spool.write(START)
    spool.write(EXIT)
    assert spool.read() == ["started", "ended"]


@pytest.mark.parametrize("found", [[EXIT], [EXIT, START]], ids=["not listed", "listed"])
def test_start_that_the_directory_did_not_list_comes_before_its_exit(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    """A directory that changes while it is listed may show the later of two files and not the earlier one."""
    spool.write(START)
    spool.write(EXIT)
    monkeypatch.setattr(collect, "list_records", lambda *_: found)
    assert spool.read() == ["started", "ended"]


def test_start_of_a_job_that_has_ended_is_no_job_that_must_not_run(spool: Spool) -> None:
    spool.write(START, half)
    spool.write(EXIT)
    assert spool.read() == ["ended"]
    spool.write(START)
    assert (spool.read(), spool.ended) == ([], [])
    assert spool.watched.state.status[0] is Status.FINISHED
    spool.collector.settle(always=True)
    assert list(spool.root.iterdir()) == []


def test_job_that_runs_again_before_the_records_of_its_first_run_are_put_away(spool: Spool) -> None:
    spool.write(START)
    spool.write(EXIT, lambda _: KILLED)
    assert spool.read() == ["started", "exited"]
    (spool.root / EXIT).unlink()  # as its second run does
    spool.write(f"{START}_r1")
    spool.write(f"{EXIT}_r1")
    assert spool.read() == ["started", "ended"]
    assert spool.watched.state.status[0] is Status.FINISHED
    spool.collector.settle(always=True)
    assert list(spool.root.iterdir()) == []


def test_record_is_read_as_soon_as_it_is_complete_if_it_is_young(spool: Spool) -> None:
    for _ in range(5):
        spool.write(START, half)
        assert spool.read() == []
    spool.write(START)
    assert spool.read() == ["started"]


def test_record_that_stays_incomplete_is_looked_at_ever_more_seldom(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.write(START, half)
    looks: list[float] = []
    now = 1000.0

    def read_record(path: Path) -> object:
        looks.append(now - 1000)
        return real(path)

    real = collect.read_record
    monkeypatch.setattr(collect, "read_record", read_record)
    monkeypatch.setattr(collect.time, "monotonic", lambda: now)
    for second in range(600):
        now = 1000.0 + second
        spool.read()
    assert len(looks) < 25
    assert 55 < looks[-1] - looks[-2] < 65
