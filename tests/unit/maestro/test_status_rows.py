"""Maestro's table: read whole or torn, and made into a state."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mtui.core.engine.state import StudyState
from mtui.core.maestro.maestro_plan import plan_of_maestro
from mtui.core.maestro.maestro_study import state_of_rows
from mtui.core.maestro.status_rows import parse_rows
from tests.plans import plan, step

HEAD = "Step Name,Job ID,Workspace,State,Run Time,Elapsed Time,Start Time,Submit Time,End Time,Number Restarts,Params\n"
PLAN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"), rows={"X": [1, 2]})


def line(name: str, state: str, *, job: str = "7", submitted: bool = True, restarts: int = 0, params: str = "") -> str:
    step_name, _, combo = name.partition("_")
    place = f"{step_name}/{combo}" if combo else step_name
    at = "2026-11-23 07:10:2"
    times = f"{at}1,{at}0,{at}5" if submitted else "--,--,--"
    return f"{name},{job},{place},{state},--:--:--,--:--:--,{times},{restarts},{params}\n"


def state(*lines: str) -> StudyState:
    return state_of_rows(PLAN, parse_rows(HEAD + "".join(lines)))


def words(found: StudyState) -> list[str]:
    return [status.value for status in found.status]


def test_row_is_what_it_says() -> None:
    (row,) = parse_rows(HEAD + line("a_X.1", "FINISHED", job="12", restarts=2, params="X:1,5;Y:a:b"))
    assert (row.name, row.job, row.workspace, row.state, row.restarts) == ("a_X.1", "12", "a/X.1", "FINISHED", 2)
    assert row.params == {"X": "1,5", "Y": "a:b"}
    assert row.ended - row.submitted == 5


@pytest.mark.parametrize(
    ("maestros", "ours"),
    [
        ("FINISHED", "finished"),
        ("FAILED", "failed"),
        ("TIMEDOUT", "timed out"),
        ("CANCELLED", "cancelled"),
        ("RUNNING", "running"),
        ("INITIALIZED", "ready"),
        ("DRYRUN", "ready"),
        ("SOMETHING", "ready"),
    ],
)
def test_every_state_of_maestro(maestros: str, ours: str) -> None:
    assert words(state(line("a_X.1", maestros)))[0] == ours


def test_what_never_ran_is_blocked_and_a_cancelled_study_is_over() -> None:
    failed = state(
        line("a_X.1", "FAILED"),
        line("a_X.2", "FINISHED"),
        line("b_X.1", "FAILED", job="--", submitted=False),
        line("b_X.2", "FINISHED"),
        line("all", "FAILED", job="--", submitted=False),
    )
    assert words(failed) == ["failed", "finished", "blocked", "finished", "blocked"]
    assert failed.result == "failed"
    names = [instance.name for instance in PLAN.instances]
    cancelled = state(*(line(name, "CANCELLED", submitted=False) for name in names))
    assert (words(cancelled)[:2], cancelled.result) == (["cancelled"] * 2, "cancelled")


def test_child_that_is_shown_before_its_parent_is_waited_with() -> None:
    assert words(state(line("b_X.1", "RUNNING"), line("a_X.1", "RUNNING")))[:3] == ["running", "ready", "waiting"]


def test_torn_table_shows_what_is_whole() -> None:
    whole = HEAD + "".join(line(instance.name, "FINISHED") for instance in PLAN.instances)
    chance = random.Random(3)
    for _ in range(200):
        cut = whole[: chance.randrange(len(whole))]
        found = state_of_rows(PLAN, parse_rows(cut + chance.choice(["", "\0\0\0", "a,b", "\n" * 3])))
        assert set(words(found)) <= {"ready", "waiting", "finished"}


def test_without_a_spec_the_rows_are_the_plan(tmp_path: Path) -> None:
    lines = (line("a_X.1", "FINISHED", params="X:1"), line("a_X.2", "FAILED", params="X:2"), line("all", "RUNNING"))
    rows = parse_rows(HEAD + "".join(lines))
    found, spec, has_edges = plan_of_maestro(tmp_path, rows)
    assert (spec, has_edges) == ("", False)
    assert [instance.name for instance in found.instances] == ["a_X.1", "a_X.2", "all"]
    assert found.params(found.instances[1]) == {"X": "2"}
    assert words(state_of_rows(found, rows)) == ["finished", "failed", "running"]
