"""The events of one instance, read from the journal, and their words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.event_codec import to_line
from mtui.core.engine.status import Status
from mtui.core.store.history import History
from mtui.tui.views.event_text import history_text
from tests.unit.engine import script


def _write(folder: Path, *events: ev.Event, epoch: int = 1) -> None:
    with (folder / f"{epoch:06d}.jsonl").open("a") as file:
        file.writelines(to_line(event) + "\n" for event in events)


def _words(folder: Path, index: int) -> list[str]:
    return _read(History(folder, index), index)


def _read(history: History, index: int) -> list[str]:
    return [history_text(found, index) for found in history.read()]


def test_the_history_of_an_instance_is_in_order(tmp_path: Path) -> None:
    _write(
        tmp_path,
        script.intend("1-a", (4, 1)),
        script.submitted("1-a", "77"),
        script.observed(4, Status.PENDING, reason="Priority"),
        script.started(4, job="77", node="nid1"),
        script.exited(4, code=3),
        script.ended(4, Status.FAILED),
        script.retry(4),
    )
    assert _words(tmp_path, 4) == [
        "attempt 1 submitted",
        "accepted as job 77",
        "pending (Priority)",
        "running as job 77 on nid1",
        "script exited with code 3",
        "failed: why",
        "will run again by command",
    ]


def test_every_answer_to_a_submission_is_reported(tmp_path: Path) -> None:
    for number, answer in enumerate((script.deferred, script.unclear, script.missed, script.refused)):
        _write(tmp_path, script.intend(f"1-{number}", (0, 1)), answer(f"1-{number}"))
    assert _words(tmp_path, 0)[1::2] == [
        "deferred: too many",
        "no clear answer: timed out",
        "the submission had not reached Slurm",
        "refused: invalid",
    ]


def test_requests_of_users_are_shown(tmp_path: Path) -> None:
    _write(tmp_path, script.hold(2), script.release(2), script.cancel(2))
    _write(tmp_path, ev.CancelSent(at=script.at(), instances=(1, 2)))
    assert _words(tmp_path, 2) == [
        "held by command",
        "released by command",
        "will be cancelled by command",
        "cancellation of its job requested",
    ]
    assert _words(tmp_path, 1) == ["cancellation of its job requested"]


def test_others_are_left_out_also_those_whose_numbers_look_alike(tmp_path: Path) -> None:
    for index in (1, 11, 12, 21, 111):
        _write(tmp_path, script.intend(f"s{index}", (index, 1), backend="local"), script.submitted(f"s{index}"))
    assert _words(tmp_path, 11) == ["attempt 1 started on this machine", "process job of s11"]
    assert _words(tmp_path, 2) == []


def test_one_of_several_members_of_a_submission(tmp_path: Path) -> None:
    _write(tmp_path, script.intend("s", (3, 1), (4, 2)), script.submitted("s", "9"))
    assert _words(tmp_path, 4) == ["attempt 2 submitted", "accepted as job 9"]


def test_all_segments_are_read_and_damage_is_passed_over(tmp_path: Path) -> None:
    _write(tmp_path, script.hold(0), epoch=2)
    _write(tmp_path, script.release(0), epoch=10)
    with (tmp_path / "000002.jsonl").open("ab") as file:
        file.write(b'{"instance":0,"type":"hel\n{"v":1,"type":"of a newer mtui","instance":0}\n\xff"instance":0\n')
    _write(tmp_path, script.retry(0), epoch=2)
    assert _words(tmp_path, 0) == ["held by command", "will run again by command", "released by command"]


def test_each_event_has_its_time(tmp_path: Path) -> None:
    event = script.hold(0)
    _write(tmp_path, event)
    assert [found.event.at for found in History(tmp_path, 0).read()] == [event.at]


def test_of_very_many_the_last_are_kept(tmp_path: Path) -> None:
    _write(tmp_path, *(script.hold(0) if number % 2 else script.release(0) for number in range(1001)))
    found = History(tmp_path, 0).read()
    assert len(found) == 200
    assert history_text(found[-1], 0) == "released by command"


@pytest.mark.parametrize("there", [True, False])
def test_without_a_journal_there_is_no_history(tmp_path: Path, there: bool) -> None:
    assert History(tmp_path if there else tmp_path / "none", 0).read() == []


def test_it_is_read_on_where_it_was_left(tmp_path: Path) -> None:
    history = History(tmp_path, 0)
    _write(tmp_path, script.intend("s", (0, 1)))
    assert _read(history, 0) == ["attempt 1 submitted"]
    line = to_line(script.submitted("s", "9"))
    with (tmp_path / "000001.jsonl").open("a") as file:
        file.write(line[:20])
    assert len(history.read()) == 1
    with (tmp_path / "000001.jsonl").open("a") as file:
        file.write(line[20:] + "\n")
    _write(tmp_path, script.hold(0), epoch=2)
    assert _read(history, 0) == [
        "attempt 1 submitted",
        "accepted as job 9",
        "held by command",
    ]
    assert len(history.read()) == 3
