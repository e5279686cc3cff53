"""Events as lines of the journal: the same for ever, in both directions."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from mtui.core.engine.cause_text import cause_text
from mtui.core.engine.causes import Cause, CauseCode
from mtui.core.engine.event_codec import UnknownEvent, from_record, to_line, to_record
from mtui.core.engine.events import TYPES, AllocationEvent, Event
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.store.journal import parse_lines
from tests.plans import plan, step

GOLDEN = Path(__file__).parents[2] / "golden" / "journal_v1.jsonl"
AHEAD = Path(__file__).with_name("journal_v1_ahead.jsonl")  # arrays, and what is bound to them
AGAIN = Path(__file__).with_name("journal_v1_again.jsonl")  # automatic retries, marks, hooks
REOPENED = Path(__file__).with_name("journal_v1_reopened.jsonl")  # an attempt that counted as lost, and did run
EXTENDED = Path(__file__).with_name("journal_v1_extended.jsonl")  # rows that were added
PACKED = Path(__file__).with_name("journal_v1_packed.jsonl")  # allocations that instances share
PLAN = plan(step("make", uses="X"), step("sum", "make_*"), step("here", local=True), rows={"X": [1, 2]})

# A value for each field, none of them its default.
VALUES: dict[str, Any] = {
    "at": 1700000000.25, "epoch": 3, "host": "login01", "pid": 4711, "version": "0.1.0", "reason": "signal TERM",
    "submission": "3-1", "backend": "slurm", "members": ((0, 1), (7, 2)), "job": "12", "node": "nid001",
    "message": 'odd: "ä" \u2028 \x1b\n', "instance": 7, "attempt": 2, "code": 3, "error": "the workspace is missing",
    "status": Status.OUT_OF_MEMORY, "exit_code": 137,
    "cause": Cause(CauseCode.EXIT_CODE, exit_code=137, node="nid001"), "command": "c1", "verb": "cancel",
    "targets": ("a", "b_*"), "options": (("throttle", 3), ("nodes", "2")), "outcome": "done", "instances": (1, 2),
    "throttle": 5, "local_jobs": 4, "poll": 7, "result": "failed", "changes": (("walltime", "2:00:00"), ("nodes", "")),
    "tasks": (3, 8), "after": "aftercorr:9", "allocation": "3-2", "pool": ("--qos=debug",), "gpus": 4, "nodes": 2,
    "why": "TIMEOUT: retry 1 of 2", "rlimit": 3, "hook": "on_end", "size": 9,
    "what": "write status.csv", "path": "/scratch/out/status.csv", "here": True, "cluster": "alpha",
    "seconds": 3600, "hosts": ("n1", "n2"), "cores": 256, "graph": False,
}  # fmt: skip


def full(kind: str) -> Event:
    """An event with a value in every field."""
    return TYPES[kind](**{field.name: VALUES[field.name] for field in fields(TYPES[kind])})


def least(kind: str) -> Event:
    """An event with its required fields only."""
    needed = [field.name for field in fields(TYPES[kind]) if field.default is MISSING]
    return TYPES[kind](**{name: VALUES[name] for name in needed})


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("make", [full, least])
def test_event_is_read_as_it_was_written(kind: str, make: Any) -> None:
    event = make(kind)
    line = to_line(event)
    assert "\n" not in line
    assert from_record(json.loads(line)) == event


@pytest.mark.parametrize("kind", TYPES)
def test_line_names_version_and_type_and_leaves_out_what_is_at_its_default(kind: str) -> None:
    names = {field.name for field in fields(TYPES[kind])}
    needed = {field.name for field in fields(TYPES[kind]) if field.default is MISSING}
    coded = {"cause_code", "cause_fields"} if "cause" in names else set[str]()
    # A cause that has a code has no text; where older versions require one it is empty.
    assert to_record(full(kind)).keys() == {"v", "type", *(names - ({"cause"} - needed)), *coded}
    assert to_record(least(kind)).keys() == {"v", "type", *needed, *(coded if "cause" in needed else ())}
    assert (to_record(least(kind))["v"], to_record(least(kind))["type"]) == (1, kind)


@pytest.mark.parametrize("kind", TYPES)
def test_field_of_a_later_version_is_passed_over(kind: str) -> None:
    assert from_record({**to_record(full(kind)), "mood": "good", "kind": "x"}) == full(kind)


@pytest.mark.parametrize("kind", TYPES)
def test_event_that_lacks_a_field_is_damaged(kind: str) -> None:
    for name in [field.name for field in fields(TYPES[kind]) if field.default is MISSING]:
        record = to_record(full(kind))
        del record[name]
        if name == "cause":
            del record["cause_code"]
        with pytest.raises(KeyError, match=f"'{kind}' lacks '{name}'"):
            from_record(record)


@pytest.mark.parametrize(
    "change",
    [{"type": "teleported"}, {"type": None}, {"v": 2}, {"v": None}, {"v": "1"}],
    ids=["type", "no type", "version", "no version", "text"],
)
def test_unknown_type_or_version_is_refused(change: dict[str, object]) -> None:
    record = {key: value for key, value in {**to_record(full("ended")), **change}.items() if value is not None}
    with pytest.raises(UnknownEvent):
        from_record(record)


def test_unknown_status_is_damage_and_not_a_newer_version() -> None:
    with pytest.raises(ValueError, match="dreaming") as caught:
        from_record({**to_record(full("ended")), "status": "dreaming"})
    assert not isinstance(caught.value, UnknownEvent)


def test_type_is_known_by_the_name_that_it_gives_itself() -> None:
    assert {kind: event.kind for kind, event in TYPES.items()} == {kind: kind for kind in TYPES}
    assert {event.kind for event in (*Event.__subclasses__(), *AllocationEvent.__subclasses__())} == {"", *TYPES}


# --- the golden journal: what a released mtui wrote, every later one reads. Lines are added, never changed.


def golden(path: Path) -> list[Event]:
    return list(parse_lines(path.read_bytes(), str(path)))


def test_golden_journal_has_one_of_each_type() -> None:
    assert {event.kind for path in (GOLDEN, AHEAD, PACKED, AGAIN, REOPENED, EXTENDED) for event in golden(path)} == set(
        TYPES
    )


@pytest.mark.parametrize("path", [GOLDEN, AHEAD, PACKED, AGAIN, REOPENED, EXTENDED], ids=lambda path: path.stem)
def test_golden_journal_is_written_today_as_it_was(path: Path) -> None:
    assert [to_line(event) for event in golden(path)] == path.read_text(encoding="utf-8").splitlines()


def test_golden_journal_replays_to_its_recorded_state() -> None:
    state = StudyState(PLAN)
    for event in golden(GOLDEN):
        state.apply(event)
    assert {item.name: state.status[item.index].value for item in PLAN.instances} == {
        "make_X.1": "finished",
        "make_X.2": "finished",
        "sum": "failed",
        "here": "cancelled",
    }
    reported = [
        [(a.number, a.backend, a.job, a.node, a.exit_code, cause_text(a.cause)) for a in state.attempts[i]]
        for i in range(4)
    ]
    assert reported == [
        [(1, "slurm", "101", "nid001", 0, "")],
        [(1, "slurm", "103", "nid002", None, "its walltime was over"), (2, "slurm", "105", "nid002", 0, "")],
        [
            (1, "slurm", "", "", None, "invalid partition specified: nosuch"),
            (2, "slurm", "201", "nid003", 2, "exit code 2 on nid003"),
        ],
        [(1, "local", "4711", "login01", 143, "by command")],
    ]
    assert [attempt.changes for attempt in state.attempts[2]] == [(), (("queue", "regular"), ("walltime", "2:00:00"))]
    assert state.changes == {2: {"queue": "regular", "walltime": "2:00:00"}}
    assert (state.driver.epoch, state.driver.stopped, state.result) == (3, "the study is cancelled", "cancelled")
    assert (state.outcome, state.is_over, state.submissions, state.held) == ("cancelled", True, {}, set())
    assert (state.throttle, state.local_jobs, state.deferred, state.slurm_silent_since) == (8, 3, "", 0.0)
    assert [(item.verb, item.outcome) for item in state.commands.values()] == [
        ("hold", "done"),
        ("retry", "done"),
        ("cancel", "done"),
        ("retry", "done"),
    ]


def test_golden_journal_of_an_attempt_found_again_replays_to_its_true_end() -> None:
    state = StudyState(plan(step("a"), step("b", "a")))
    for event in golden(REOPENED):
        state.apply(event)
    assert [status.value for status in state.status] == ["finished", "ready"]
    (found,) = state.attempts[0]
    assert (found.job, found.ended_as, found.exit_code) == ("101", None, 0)
    assert state.warned() == [0]
    assert cause_text(found.cause) == "used more memory than requested on nid001"


def test_golden_journal_of_arrays_replays_to_its_recorded_state() -> None:
    state = StudyState(plan(step("make", uses="X"), step("use", "make", uses="X"), rows={"X": [1, 2]}))
    for event in golden(AHEAD):
        state.apply(event)
    assert [status.value for status in state.status] == ["finished", "failed", "pending", "blocked"]
    reported = [
        [(a.job, a.task, a.after, cause_text(a.cause)) for a in attempts] for attempts in state.attempts.values()
    ]
    assert reported == [
        [("301_0", 0, "", "")],
        [("301_1", 1, "", "exit code 1 on nid001")],
        [("302_0", 0, "aftercorr:301", "")],
        [("302_1", 1, "aftercorr:301", "taken out of Slurm: a parent failed")],
    ]
    assert (state.attempts[2][0].freed_at, state.to_unbind, state.submissions) == (1700000020.0, {}, {})
    assert (state.attempts[0][0].cluster, state.attempts[2][0].cluster, state.clusters) == ("", "alpha", {"alpha"})


def test_golden_journal_of_allocations_replays() -> None:
    state = StudyState(plan(step("make", uses="X"), step("use", "make", uses="X"), rows={"X": [1, 2]}))
    for event in golden(PACKED):
        state.apply(event)
    assert [status.value for status in state.status] == ["finished", "ready", "ready", "waiting"]
    cause = "allocation 401 was cancelled from outside"
    reported = [
        [(a.job, a.allocation, a.returned, cause_text(a.cause)) for a in attempts]
        for attempts in state.attempts.values()
    ]
    assert reported == [
        [("401", "1-1", False, "")],
        [("401", "1-1", True, cause)],
        [("401", "1-1", True, cause)],
        [("401", "1-1", False, cause)],
    ]
    allocation = state.allocations.by_name["1-1"]
    assert (allocation.status, cause_text(allocation.cause), allocation.done) == (Status.CANCELLED, cause, 1)
    assert (allocation.hosts, allocation.cores, allocation.ends_at) == (("nid001",), 128, 1700003599.0)
    assert (allocation.members, state.live_packed, state.submissions, state.allocations.open()) == ({}, {}, {}, [])


def test_golden_journal_of_retries_replays_to_its_recorded_state() -> None:
    state = StudyState(PLAN)
    for event in golden(AGAIN):
        state.apply(event)
    assert [status.value for status in state.status] == ["finished", "skipped", "ready", "ready"]
    assert [(a.automatic, a.ended_as, a.changes) for a in state.attempts[0]] == [
        (False, Status.TIMED_OUT, ()),
        (True, Status.OUT_OF_MEMORY, (("restart", "true"), ("walltime", "00:15:00"))),
    ]
    assert (state.rlimit, state.failure_hook_ran) == (3, True)
    assert cause_text(state.cause(0)) == "marked as finished by hand: it wrote all that is needed"
