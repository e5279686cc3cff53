"""What `mtui why` and `mtui status` say of instances that share allocations, and of these."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.study_spec import PackingOptions
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile
from mtui.tui.views.status_view import status_json, status_text
from mtui.tui.views.text import Paint
from mtui.tui.views.why_text import why_text
from tests.plans import plan, step
from tests.unit.engine.script import state_of
from tests.unit.planning import HEAD, SLURM, plan_of
from tests.unit.tui.packed import asked, began, ending, given, over, queued, returned, runs, shown, taken

PLAIN = Paint(io.StringIO())
PAIR = plan(step("a"), step("b", "a"))
QUEUED = (asked(), queued(), shown())
GIFT = (given("g", (0, 1)), taken("g"), given("h", (1, 1)), taken("h"))
PACKED = (asked(), queued(), began(), *GIFT)


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    return create_directory(tmp_path / "out", "", [])


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 104.0)


PACK = PackingOptions()


def why(directory: StudyDirectory, state: StudyState, index: int, pack: PackingOptions | None = PACK) -> list[str]:
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(pack=pack), state.plan)
    return why_text(directory, study, state, index, PLAIN).splitlines()


# --- why


def test_one_that_waits_for_a_slot(directory: StudyDirectory) -> None:
    lines = why(directory, state_of(PAIR, *PACKED), 0)
    assert lines[:2] == ["a is pending", "  It waits in allocation 401 for a free slot."]
    assert "  attempt 1, allocation 401" in lines


def test_one_that_waits_for_its_parents_there(directory: StudyDirectory) -> None:
    lines = why(directory, state_of(PAIR, *PACKED, runs(0)), 1)
    assert lines[:3] == ["b is bound", "  It waits in allocation 401 for its parents there:", "    a (running)"]


def test_one_whose_allocation_waits_itself(directory: StudyDirectory) -> None:
    state = state_of(PAIR, *QUEUED, *GIFT)
    waits = "waits in Slurm's queue: jobs with higher priority are first (Priority)."
    assert why(directory, state, 0)[1] == f"  It waits in allocation 401, which {waits}"
    assert why(directory, state, 1)[1:4] == [
        "  It waits in allocation 401 for its parents there:",
        "    a (pending)",
        f"  The allocation itself {waits}",
    ]


def test_one_that_runs(directory: StudyDirectory) -> None:
    lines = why(directory, state_of(PAIR, *PACKED, runs(0, node="n2")), 0)
    assert lines[1] == "  It runs in allocation 401 on n2, for 1m 37s now."


def test_earlier_attempts_show_their_outcome(directory: StudyDirectory) -> None:
    back = (returned((1, 1), (0, 1)), over())
    state = state_of(PAIR, *PACKED, runs(0), *back)
    assert "  attempt 1, allocation 401, on n1, ran 13s, waited 1s, returned: " in "\n".join(why(directory, state, 0))
    assert "  attempt 1, allocation 401, not started: allocation 401 was cancelled outside of mtui" in why(
        directory, state, 1
    )


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "No allocation accepts it yet; one is about to be requested."),
        ((asked(),), "The allocation for it is being requested."),
        (QUEUED, "It is about to be assigned to allocation 401."),
        ((*QUEUED, began(), ending()), "Allocation 401 accepts no more instances; another is about to be requested."),
    ],
    ids=["none", "requested", "there", "ending"],
)
def test_a_ready_one_says_which_allocation_is_to_take_it(
    directory: StudyDirectory, events: tuple[ev.Event, ...], words: str
) -> None:
    here = plan_of(f"{HEAD}{SLURM.replace(chr(39) * 2 + '}', 'q}')}{ONE}")
    assert why(directory, state_of(here, *events), 0)[1] == f"  Its parents are done. {words}"


def test_a_ready_one_for_which_too_little_time_is_left(directory: StudyDirectory) -> None:
    here = plan_of(f"{HEAD}{SLURM.replace(chr(39) * 2 + '}', 'q}')}{ONE.replace('procs: 1', 'procs: 1, walltime: 59')}")
    lines = why(directory, state_of(here, asked(), queued(), began()), 0)
    words = "Its walltime does not fit into what is left of allocation 401; another is about to be requested."
    assert lines[1] == f"  Its parents are done. {words}"


ONE = "study: [{name: a, description: d, run: {cmd: c, procs: 1}}]\n"
WIDE = "study: [{name: a, description: d, run: {cmd: c, procs: 1, nodes: 2}}]\n"


@pytest.mark.parametrize(("pack", "shown"), [(PackingOptions(), True), (PackingOptions(nodes=2), False), (None, False)])
def test_one_that_is_not_packed_says_why(directory: StudyDirectory, pack: PackingOptions | None, shown: bool) -> None:
    lines = why(directory, StudyState(plan_of(f"{HEAD}{SLURM}{WIDE}")), 0, pack)
    words = "  It runs as a separate job, not in a shared allocation: it requests 2 nodes, an allocation has 1."
    assert (words in lines) == shown
    assert ("  Its parents are done. It is about to be submitted." in lines) == (pack != PackingOptions(nodes=2))


# --- status


def wide() -> Plan:
    return plan(step("a", uses="X"), rows={"X": range(10)})


def test_status_shows_open_allocations(directory: StudyDirectory) -> None:
    members = tuple((index, 1) for index in range(10))
    state = state_of(wide(), asked(), queued(), began(), given("g", *members), taken("g"))
    for index in range(3):
        state.apply(runs(index))
    state.apply(asked("1-2"))
    state.apply(queued("1-2", "402"))
    state.apply(shown("1-2"))
    lines = status_text(directory, state, PLAIN).splitlines()
    assert lines[3:6] == [
        "ALLOCATION  STATE               NODES  TIME LEFT  CORES BUSY  RUNNING  WAITING  DONE",
        "401         running                 1    0:56:40         3/8        3        7     0",
        "402         pending (Priority)      1    1:00:00           -        0        0     0",
    ]
    record = status_json(directory, state)
    allocations, instances = record["allocations"], record["instances"]
    assert isinstance(allocations, list)
    assert isinstance(instances, list)
    reported = [(one["job"], one["status"], one["busy_cores"], one["cores"], one["waiting"]) for one in allocations]
    assert reported == [("401", "running", 3, 8, 7), ("402", "pending", 0, 0, 0)]
    assert {one["allocation"] for one in instances} == {"1-1"}


def test_status_of_a_study_that_is_over_shows_no_allocation(directory: StudyDirectory) -> None:
    state = state_of(PAIR, asked(), queued(), began(), ev.StudyEnded(at=9.0, result="finished"))
    assert "ALLOCATION" not in status_text(directory, state, PLAIN)
    allocations = status_json(directory, state)["allocations"]
    assert isinstance(allocations, list)
    assert [one["open"] for one in allocations] == [False]
