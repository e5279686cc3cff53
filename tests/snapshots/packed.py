"""A study that always looks the same, whose small instances share allocations: two are over, two are open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.status import Status
from mtui.core.spec.study_spec import PackingOptions
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_file import Settings
from tests.snapshots.alloy import BEGAN
from tests.unit.tui.directories import append, write_slurm_study

_STEPS = """
- name: score
  description: d
  run: {cmd: "score $(POSE)", procs: 4, walltime: "00:10:00"}
- name: rank
  description: d
  run: {cmd: "rank", procs: 1, depends: [score_*], walltime: "00:05:00"}
"""
_COUNT = 60
_ROWS = f"\n  POSE: {{values: {list(range(1, _COUNT + 1))}, label: POSE.%%}}\n"
_POOL = ("--partition=regular",)


def make_packed(root: Path) -> StudyDirectory:
    settings = Settings(pack=PackingOptions(allocations=2))
    directory = write_slurm_study(root, _STEPS, _ROWS, BEGAN, name="dock", settings=settings)
    append(directory, *sorted(_events(), key=lambda event: event.at))
    return directory


def _events() -> Iterator[ev.Event]:
    yield ev.DriverStarted(at=BEGAN, epoch=1, host="login1", pid=4711, version="0.1.0")
    yield from _allocation("1-1", "70001", BEGAN + 5, began=60, host="nid0001")
    yield from _given("1-1", "70001", BEGAN + 70, range(20))
    for index in range(12):
        yield from _runs(index, 1, "70001", "nid0001", BEGAN + 80 + index, lasted=240)
    for index in range(12, 16):
        yield from _runs(index, 1, "70001", "nid0001", BEGAN + 330 + index)
    cause = text_cause("a node of allocation 70001 failed (nid0001)")
    yield ev.Returned(at=BEGAN + 600, members=tuple((index, 1) for index in range(19, 11, -1)), cause=cause)
    yield ev.AllocationOver(at=BEGAN + 601, allocation="1-1", status=Status.NODE_FAILED, cause=cause)

    yield from _allocation("1-2", "70002", BEGAN + 602, began=300, host="nid0002")
    yield from _given("1-2", "70002", BEGAN + 903, range(20, 24))
    for index in range(20, 24):
        yield from _runs(index, 1, "70002", "nid0002", BEGAN + 910, lasted=300)
    yield ev.AllocationEnding(at=BEGAN + 1300, allocation="1-2", cause=text_cause("idle"))
    yield ev.AllocationOver(at=BEGAN + 1310, allocation="1-2", status=Status.FINISHED)

    yield from _allocation("1-3", "70003", BEGAN + 1400, began=900, host="nid0003")
    yield from _given("1-3", "70003", BEGAN + 2310, (*range(12, 20), *range(24, _COUNT)), attempt_of=range(12, 20))
    for index in range(12, 20):
        yield from _runs(index, 2, "70003", "nid0003", BEGAN + 2320 + index, lasted=600)
    for index in range(24, 36):
        yield from _runs(index, 1, "70003", "nid0003", BEGAN + 2970 + index)
    yield from _allocation("1-4", "70004", BEGAN + 3000)
    yield ev.AllocationObserved(at=BEGAN + 3010, allocation="1-4", status=Status.PENDING, reason="Priority")


def _allocation(name: str, job: str, at: float, *, began: float = 0, host: str = "") -> Iterator[ev.Event]:
    yield ev.AllocationIntended(at=at, allocation=name, pool=_POOL, gpus=0, nodes=1, seconds=3600)
    yield ev.AllocationQueued(at=at + 1, allocation=name, job=job)
    if began:
        yield ev.AllocationBegan(at=at + began, allocation=name, job=job, hosts=(host,), cores=128, seconds=3590)


def _given(
    name: str, job: str, at: float, members: range | tuple[int, ...], attempt_of: range = range(0)
) -> Iterator[ev.Event]:
    numbered = tuple((index, 2 if index in attempt_of else 1) for index in members)
    yield ev.SubmitIntended(at=at, submission=f"g{name}", backend="pack", members=numbered, allocation=name)
    yield ev.Submitted(at=at + 1, submission=f"g{name}", job=job)


def _runs(index: int, attempt: int, job: str, node: str, at: float, *, lasted: float = 0) -> Iterator[ev.Event]:
    yield ev.Started(at=at, instance=index, attempt=attempt, job=job, node=node)
    if lasted:
        over = at + lasted + 5 * (index % 7)
        yield ev.Ended(at=over, instance=index, attempt=attempt, status=Status.FINISHED, exit_code=0, node=node)
