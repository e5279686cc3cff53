"""The lists and records of allocations: what a crash may leave in them, and what is read anyway."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.engine.job_reports import StartReport
from mtui.core.packing.protocol import ResourceRequest, WorkItem, cancel_text, dispatch_text
from mtui.core.store.allocation_files import LeaderEnding, LeaderStarted, RecordReader, append, has_dispatch
from mtui.core.store.spool import UnreadableRecord

START = b'{"v":1,"kind":"start","attempt":"7.2","job":"12","node":"n1","at":5.5}\n'


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "1-1.records"


def test_records_are_read_as_they_come(records: Path) -> None:
    reader = RecordReader(records)
    assert reader.read() == []
    records.write_bytes(START[:20])
    assert reader.read() == []  # it is being written
    with records.open("ab") as file:
        file.write(START[20:] + b'{"v":1,"kind":"over","job":"12","why":"idle"}\n')
    assert reader.read() == [StartReport(7, 2, "12", "n1", at=5.5), LeaderEnding("12", "idle")]
    assert reader.read() == []


def test_word_of_a_leader_that_begins(records: Path) -> None:
    records.write_text(
        '{"v":1,"kind":"began","job":"12","hosts":["n1","n2"],"cores":256,"left":59.5,"mode":"python","at":3}\n'
        '{"v":1,"kind":"began","job":"12","hosts":[],"cores":4,"left":null,"mode":"sh","at":3}\n'
    )
    assert RecordReader(records).read() == [
        LeaderStarted("12", ("n1", "n2"), 256, 59.5, graph=True, at=3.0),
        LeaderStarted("12", (), 4, 0.0, graph=False, at=3.0),
    ]


def test_leader_that_does_not_record_when_it_started_has_started_at_an_unknown_time(records: Path) -> None:
    records.write_text('{"v":1,"kind":"began","job":"12","hosts":[],"cores":4,"left":60}\n')
    assert RecordReader(records).read() == [LeaderStarted("12", (), 4, 60.0, graph=True, at=0.0)]


@pytest.mark.parametrize(
    "line", ['{"v":1,"kind":"start","attem', "", "[1]", "null", '{"kind":"began"}', '{"kind":"start"}', "\x00\xff"]
)
def test_line_that_a_crash_left_costs_only_itself(records: Path, line: str) -> None:
    records.write_bytes(line.encode("latin-1") + b"\n" + START)
    found = RecordReader(records).read()
    assert found[-1] == StartReport(7, 2, "12", "n1", at=5.5)
    assert found[:-1] == ([UnreadableRecord.DAMAGED] if line else [])


def test_gift_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "1-1.list"
    assert not has_dispatch(path, "1-2")
    append(path, dispatch_text("1-2", [WorkItem("0.1", ResourceRequest(), "a", "a.sh", "a")], {}))
    append(path, cancel_text(["0.1"]))
    assert has_dispatch(path, "1-2")
    assert not has_dispatch(path, "1-22")
    assert not has_dispatch(path, "1")
