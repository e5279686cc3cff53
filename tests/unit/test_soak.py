"""The check at the end of a soak test finds each kind of broken guarantee."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.soak.trace import find_faults


@dataclass
class Study:
    out: Path
    trace: Path
    log: Path
    reruns: set[str] = field(default_factory=set[str])
    instances: list[str] = field(default_factory=lambda: ["prep_I.0", "sim_I.0"])


def intended(index: int, attempt: int = 1) -> dict[str, Any]:
    return {"type": "submit_intended", "members": [[index, attempt]]}


def ended(index: int, status: str = "finished") -> dict[str, Any]:
    return {"type": "ended", "instance": index, "status": status}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / ".mtui" / "journal").mkdir(parents=True)
    (tmp_path / ".mtui" / "study.json").write_text(json.dumps({"instances": [["prep_I.0"], ["sim_I.0"]]}))
    (tmp_path / "log").touch()
    return Study(tmp_path, tmp_path / "trace", tmp_path / "log")


def found(study: Study, trace: list[str], events: list[dict[str, Any]]) -> list[str]:
    study.trace.write_text("".join(f"{line}\n" for line in trace))
    (study.out / ".mtui" / "journal" / "1.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in events))
    return find_faults(study, Counter())


ONCE = ["start prep_I.0", "end prep_I.0", "start sim_I.0", "end sim_I.0"]
PLAIN = [intended(0), ended(0), intended(1), ended(1)]


def test_each_instance_once_is_accepted(study: Study) -> None:
    assert found(study, ONCE, PLAIN) == []


def test_second_attempt_after_a_failure_is_accepted(study: Study) -> None:
    events = [intended(0), ended(0, "node failed"), intended(0, 2), ended(0), intended(1), ended(1)]
    assert found(study, ["start prep_I.0", *ONCE], events) == []


def test_more_starts_than_attempts_are_found(study: Study) -> None:
    assert found(study, ["start prep_I.0", *ONCE], PLAIN) == ["prep_I.0: 2 starts in 1 attempts"]


def test_two_runs_at_once_are_found(study: Study) -> None:
    assert found(study, [*ONCE, "overlap sim_I.0"], PLAIN) == ["two at once: sim_I.0"]


def test_false_success_is_found(study: Study) -> None:
    (line,) = found(study, ONCE[:3], PLAIN)
    assert line == "sim_I.0: finished in the journal, but its script never ended"


def test_start_before_a_parent_has_ended_is_found(study: Study) -> None:
    assert found(study, [*ONCE[2:], *ONCE[:2]], PLAIN) == ["sim_I.0 started before the end of prep_I.0"]


def test_second_end_without_a_failure_is_found(study: Study) -> None:
    events = [*PLAIN, intended(1, 2), ended(1)]
    assert found(study, [*ONCE, *ONCE[2:]], events) == ["sim_I.0: ended 2 times, but 0 attempts did not finish"]


def test_second_end_after_a_rerun_is_accepted(study: Study) -> None:
    study.reruns.add("sim_I.0")
    assert found(study, [*ONCE, *ONCE[2:]], [*PLAIN, intended(1, 2), ended(1)]) == []


def test_traceback_of_a_driver_is_found(study: Study) -> None:
    study.log.write_text("Traceback (most recent call last):\n")
    assert found(study, ONCE, PLAIN) == [f"a traceback in {study.log}"]
