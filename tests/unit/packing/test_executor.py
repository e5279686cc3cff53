"""What a leader starts, and when: with a clock that the test sets."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtui.core.claims import Claims
from mtui.core.packing.executor import Executor
from mtui.core.packing.protocol import NOT_BEGUN, Dispatch, ResourceRequest, WorkItem
from mtui.core.packing.record_files import RecordWriter
from mtui.core.packing.slots import Node
from mtui.core.packing.timers import Timers


class Leading:
    """The runs of a leader on one node of two cores."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now, time=lambda: self.now, strftime=lambda _: "12:00:00")
        monkeypatch.setattr("mtui.core.packing.executor.time", clock)
        self.root = root
        self.claims = Claims(root / "claims")
        self.claims.folder.mkdir()
        self.timers = Timers()
        self._records = RecordWriter(root / "records")
        self.runs = Executor("7", self.claims, 1, {}, self._records, self.timers)
        self.runs.join(Node("n1", 2), ())

    def give(self, *attempts: str, **ask: Any) -> None:
        items = tuple(WorkItem(attempt, ResourceRequest(**ask), "w", "a.sh", "a", ()) for attempt in attempts)
        self.runs.queue.add(Dispatch("1", items, {}))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.timers.run(self.now)
        self.runs.start_what_fits()

    def records(self, kind: str) -> list[str]:
        """The attempts of the records of a kind."""
        self._records.write(self.now)
        lines = map(json.loads, (self.root / "records").read_text().splitlines())
        return [line["attempt"] for line in lines if line["kind"] == kind]


@pytest.fixture
def leading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leading:
    return Leading(tmp_path, monkeypatch)


@pytest.mark.parametrize("code", [129, 137, 143])
def test_after_a_kill_nothing_starts_for_a_moment(leading: Leading, code: int) -> None:
    leading.give("1.1", "2.1", cpus=2)
    leading.pass_time(0)
    leading.runs.ended("1.1", code, "", "")
    leading.pass_time(0.29)  # the allocation may be about to end
    assert list(leading.runs.running) == []
    leading.pass_time(0.02)
    assert list(leading.runs.running) == ["2.1"]


@pytest.mark.parametrize("code", [0, 1, 128])
def test_after_another_end_the_next_starts_at_once(leading: Leading, code: int) -> None:
    leading.give("1.1", "2.1", cpus=2)
    leading.pass_time(0)
    leading.runs.ended("1.1", code, "", "")
    leading.pass_time(0)
    assert list(leading.runs.running) == ["2.1"]


def test_a_bad_end_is_recorded_once_it_has_nothing_to_do_with_the_end_of_the_allocation(leading: Leading) -> None:
    leading.give("1.1", "2.1")
    leading.pass_time(0)
    leading.runs.ended("1.1", 3, "", "")
    leading.runs.ended("2.1", 0, "", "")
    leading.pass_time(0.99)
    assert leading.records("exit") == ["2.1"]
    leading.pass_time(0.02)
    assert leading.records("exit") == ["2.1", "1.1"]


def test_a_bad_end_just_before_the_end_of_the_allocation_is_not_recorded(leading: Leading) -> None:
    leading.give("1.1")
    leading.pass_time(0)
    leading.runs.ended("1.1", 3, "", "")
    leading.runs.stop()
    leading.pass_time(5)
    assert leading.records("exit") == []
    assert not leading.runs.busy


def test_what_runs_longer_than_its_walltime_is_terminated_and_then_killed(leading: Leading) -> None:
    leading.give("1.1", seconds=60)
    leading.pass_time(0)
    assert [what for _, orders in leading.runs.messages() for what in orders] == ["run"]
    leading.pass_time(59)
    assert list(leading.runs.messages()) == []
    leading.pass_time(2)
    assert list(leading.runs.messages()) == [("n1", {"signal": [("1.1", 15)]})]
    leading.pass_time(11)
    assert list(leading.runs.messages()) == [("n1", {"signal": [("1.1", 9)]})]


# --- I/O errors


def break_claims(leading: Leading, monkeypatch: pytest.MonkeyPatch, *broken: str) -> list[str]:
    """Claims of these attempts (or of all) cannot be written; the list has those that were tried."""
    take, tried = leading.claims.take, list[str]()

    def refuse(attempt: str, owner: str) -> str | None:
        tried.append(attempt)
        if not broken or attempt in broken:
            raise OSError(errno.ENOSPC, "No space left on device", str(leading.claims.folder / attempt))
        return take(attempt, owner)

    monkeypatch.setattr(leading.claims, "take", refuse)
    return tried


def test_claims_that_cannot_be_written_wait_and_are_tried_less_and_less_often(
    leading: Leading, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leading.give(*(f"{number}.1" for number in range(30)))
    with monkeypatch.context() as patch:
        tried = break_claims(leading, patch)
        for _ in range(600):
            leading.pass_time(0.1)
        assert 2 <= len(tried) <= 10, "in a minute"
    leading.pass_time(40)
    assert len(leading.runs.running) == 2, "all cores are in use again"
    while leading.runs.running:
        for attempt in list(leading.runs.running):
            leading.runs.ended(attempt, 0, "", "")
        leading.pass_time(40)
    assert sorted(leading.records("exit")) == sorted(f"{number}.1" for number in range(30))
    said = capsys.readouterr().err
    assert str(leading.claims.folder) in said
    assert said.count("a claim cannot be written") == 1
    assert said.count("claims can be written again") == 1


def test_one_claim_that_cannot_be_written_delays_the_others_for_a_moment_only(
    leading: Leading, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading.give("1.1", "2.1", "3.1")
    break_claims(leading, monkeypatch, "1.1")
    leading.pass_time(0)
    leading.pass_time(0.5)
    leading.pass_time(0.5)
    assert sorted(leading.runs.running) == ["2.1", "3.1"]
    for attempt in ("2.1", "3.1"):
        leading.runs.ended(attempt, 0, "", "")
    assert leading.records("exit") == ["2.1", "3.1"]


def test_attempt_that_a_worker_cannot_start_now_is_started_later_under_the_same_claim(leading: Leading) -> None:
    leading.give("1.1")
    leading.pass_time(0)
    leading.runs.ended("1.1", 71, NOT_BEGUN, "it could not be started: No space left on device")
    assert leading.runs.busy
    leading.pass_time(0.1)
    assert list(leading.runs.running) == []
    leading.pass_time(1)
    assert list(leading.runs.running) == ["1.1"]
    assert leading.records("exit") == []
    leading.runs.ended("1.1", 0, "", "")
    assert leading.records("exit") == ["1.1"]


def test_attempt_that_waits_to_be_started_again_can_be_cancelled(leading: Leading) -> None:
    leading.give("1.1", "2.1")
    leading.pass_time(0)
    for attempt in ("1.1", "2.1"):
        leading.runs.ended(attempt, 71, NOT_BEGUN, "no space")
    leading.runs.cancel("1.1")
    assert leading.records("exit") == ["1.1"]
    leading.pass_time(2)
    assert list(leading.runs.running) == ["2.1"]


def test_attempt_that_could_not_be_started_is_returned_once_it_no_longer_fits(leading: Leading) -> None:
    leading.runs.deadline = leading.now + 100
    leading.give("1.1", seconds=60)
    leading.pass_time(0)
    leading.runs.ended("1.1", 71, NOT_BEGUN, "no space")
    leading.pass_time(2)
    assert list(leading.runs.running) == ["1.1"]
    leading.runs.ended("1.1", 71, NOT_BEGUN, "no space")
    leading.pass_time(32.9)
    leading.runs.ended("1.1", 71, NOT_BEGUN, "no space")
    assert leading.records("lost") == []
    leading.pass_time(0.2)
    assert leading.records("lost") == ["1.1"]
    assert not leading.runs.busy, "the allocation can end"
    leading.pass_time(100)
    assert list(leading.runs.running) == []


def test_nothing_starts_that_would_outlast_the_allocation(leading: Leading) -> None:
    leading.runs.deadline = leading.now + 65
    leading.give("1.1", seconds=60)
    leading.give("2.1", seconds=59)
    leading.pass_time(0)
    assert list(leading.runs.running) == ["2.1"]
