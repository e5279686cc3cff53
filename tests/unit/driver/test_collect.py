"""Records are read in the order in which their job wrote them, whatever order they are found in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mtui.core.driver import collect
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.collect import Collector
from mtui.core.engine.status import Status
from tests.plans import step
from tests.unit.driver.fake_context import Clock, FakeContext

START, EXIT = "0.1.start.7", "0.1.exit.7"
BEGUN = '{"v":1,"kind":"start","attempt":"0.1","job":"7","node":"n1"}\n'
DONE = '{"v":1,"kind":"exit","attempt":"0.1","job":"7","node":"n1","code":0,"signal":""}\n'
KILLED = DONE.replace('"code":0', '"code":143')
RECORDS = {START: BEGUN, EXIT: DONE, f"{START}_r1": BEGUN, f"{EXIT}_r1": DONE}


class Spool:
    """The spool of a study whose only job is pending, and its collector."""

    def __init__(self, folder: Path) -> None:
        self.context = FakeContext(folder, step("a"))
        self.context.submit(0)
        self.root = self.context.directory.spool
        self.collector = Collector(self.context, Canceller(self.context))

    def write(self, name: str, part: Callable[[str], str] = str) -> None:
        (self.root / name).write_text(part(RECORDS[name]))

    def read(self) -> list[str]:
        """The events of one reading."""
        before = len(self.context.fake_log.events)
        self.collector.read_spool()
        return self.context.since(before)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


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
    assert (spool.read(), spool.context.fake_slurm.cancelled) == ([], [])
    assert spool.context.state.status[0] is Status.FINISHED
    spool.collector.remove_journalled(always=True)
    assert list(spool.root.iterdir()) == []


def test_job_that_runs_again_before_the_records_of_its_first_run_are_put_away(spool: Spool) -> None:
    spool.write(START)
    spool.write(EXIT, lambda _: KILLED)
    assert spool.read() == ["started", "exited"]
    (spool.root / EXIT).unlink()  # as its second run does
    spool.write(f"{START}_r1")
    spool.write(f"{EXIT}_r1")
    assert spool.read() == ["started", "ended"]
    assert spool.context.state.status[0] is Status.FINISHED
    spool.collector.remove_journalled(always=True)
    assert list(spool.root.iterdir()) == []


def test_record_is_read_as_soon_as_it_is_complete_if_it_is_young(spool: Spool) -> None:
    for _ in range(5):
        spool.write(START, half)
        assert spool.read() == []
    spool.write(START)
    assert spool.read() == ["started"]


def test_record_that_stays_incomplete_is_read_ever_more_seldom(
    spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.write(START, half)
    begun, reads = clock.now, list[float]()

    def read_record(path: Path) -> object:
        reads.append(clock.now - begun)
        return real(path)

    real = collect.read_record
    monkeypatch.setattr(collect, "read_record", read_record)
    for _ in range(600):
        spool.read()
        clock.pass_time(1)
    assert len(reads) < 25
    assert 55 < reads[-1] - reads[-2] < 65


def test_records_are_removed_only_after_the_journal_is_on_the_disk(spool: Spool, clock: Clock) -> None:
    spool.write(START)
    spool.read()
    spool.collector.remove_journalled()
    assert spool.context.trace == ["started", "sync"]
    assert list(spool.root.iterdir()) == []
    spool.write(EXIT)
    spool.read()
    spool.collector.remove_journalled()
    assert list(spool.root.iterdir()) != [], "a second has not passed yet"
    assert spool.collector.due() == clock.now + 1
    clock.pass_time(1)
    spool.collector.remove_journalled()
    assert list(spool.root.iterdir()) == []


def test_adopted_process_that_is_gone_ends_its_step(tmp_path: Path, clock: Clock) -> None:
    context = FakeContext(tmp_path, step("a", local=True))
    context.submit(0, "4711", backend="local")
    collector = Collector(context, Canceller(context))
    context.fake_local.running = {"0.1"}
    collector.adopt(0, 1, "4711")
    collector.step()
    assert (context.trace, collector.due()) == ([], clock.now + 0.5)
    context.fake_local.running.clear()
    collector.step()
    assert context.trace == ["ended"]
    assert context.state.status[0] is Status.FAILED
    assert collector.due() is None
