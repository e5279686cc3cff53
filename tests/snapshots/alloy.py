"""A study that always looks the same: on Slurm, under way, with one of everything that can happen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.status import Status
from mtui.core.store.lease_owner import Owner
from mtui.core.store.study_directory import StudyDirectory
from tests.unit.tui.directories import append, write_slurm_study

BEGAN = 1_767_348_000.0  # 2026-01-02 10:00:00 UTC
NOW = BEGAN + 3600

_STEPS = """
- name: prepare
  description: d
  run: {cmd: "echo prepared", procs: 1, nodes: 1, walltime: "00:05:00"}
- name: mesh
  description: d
  run: {cmd: "mesh $(SIZE) > $(WORKSPACE)/mesh", depends: [prepare], procs: 1, nodes: 1, walltime: "00:10:00"}
- name: relax
  description: d
  run: {cmd: "relax $(mesh.workspace)/mesh $(TEMP)", depends: [mesh], procs: 64, nodes: 1, walltime: "00:30:00"}
- name: spectra
  description: d
  run: {cmd: "spectra $(relax.workspace)", depends: [relax], procs: 8, nodes: 1, walltime: "00:30:00"}
- name: compare
  description: d
  run: {cmd: "compare $(spectra.workspace)", depends: [relax, spectra], procs: 1, walltime: "00:05:00"}
- name: report
  description: d
  run: {cmd: "report", depends: [compare_*], procs: 1, walltime: "00:05:00"}
"""
_ROWS = """
  SIZE: {values: [20, 20, 20, 40, 40, 40, 80, 80, 80, 160, 160, 160], label: SIZE.%%}
  TEMP: {values: [300, 600, 900, 300, 600, 900, 300, 600, 900, 300, 600, 900], label: TEMP.%%}
"""
_LOG = (
    "relax 3.1, 64 processes\n"
    "\x1b[1mstep      energy       forces\x1b[0m\n"
    + "".join(f"{step:4}  {-812.5 + 37.5 / (step + 1):10.4f}  {4.0 / (step + 1):10.5f}\n" for step in range(12))
    + "\x1b[33mwarning: forces grow again\x1b[0m\n"
    "\x1b[31merror: cell became negative after step 12\x1b[0m\n"
)


def make_alloy(root: Path, began: float = BEGAN) -> StudyDirectory:
    """The directory of the study, with the files of the instance that failed."""
    directory = write_slurm_study(root, _STEPS, _ROWS, began, name="alloy")
    events = list(_events(began))
    append(directory, *sorted(events, key=lambda event: event.at))
    owner = Owner(1, "login1", "boot", 4711, "1", began)
    fields = {name: getattr(owner, name) for name in Owner.__slots__}
    (directory.owner / "000001").write_text(str(fields).replace("'", '"'))
    beat = directory.owner / "000001.beat"
    beat.touch()
    os.utime(beat, (NOW, NOW))
    workspace = root / "relax" / "SIZE.40.TEMP.900"
    workspace.mkdir(parents=True)
    name = "relax_SIZE.40.TEMP.900"
    (workspace / f"{name}.err").write_text(_LOG)
    (workspace / f"{name}.out").write_text("relaxing 40 at 900 K\n")
    (workspace / f"{name}.slurm.sh").write_text("#!/bin/bash\n#SBATCH --nodes=1\n\nrelax mesh 900\n")
    directory.slurm_log.write_text(
        "11:00:02 sbatch --parsable prepare.slurm.sh\n    70001\n"
        "10:58:10 scancel 70023\n    done\n"
        "10:59:30 sbatch --parsable relax_SIZE.160.TEMP.600.slurm.sh\n"
        "    sbatch: error: QOSMaxSubmitJobPerUserLimit\n"
    )
    for segment in directory.journal.iterdir():
        os.utime(segment, (began + 3500, began + 3500))
    return directory


_PREPARE, _MESH, _RELAX, _SPECTRA, _COMPARE = 0, 1, 5, 17, 29  # the first instance of each step


def _events(began: float) -> Iterator[ev.Event]:
    done, failed = Status.FINISHED, Status.FAILED
    yield ev.DriverStarted(at=began, epoch=1, host="login1", pid=4711, version="0.1.0")
    yield from _run(_PREPARE, began + 5, 20, 60, done)
    for place, length in enumerate((120, 150, 200)):
        yield from _run(_MESH + place, began + 90, 30 + 20 * place, length, done)
    memory = "it used more memory than it had asked for: 4G of 4G"
    yield from _run(_MESH + 3, began + 90, 90, 400, Status.OUT_OF_MEMORY, memory)
    for place in range(9):  # relax of the first three sizes
        at = began + 400 + 60 * place
        if place == 5:
            cause = "exit code 1 on nid0005"
            yield from _run(_RELAX + place, at, 60, 300, failed, cause)
            yield ev.Retried(at=at + 900, instance=_RELAX + place, changes=(("walltime", "01:00:00"),))
            yield from _run(_RELAX + place, at + 905, 40, 320, failed, cause, attempt=2)
        elif place < 6:
            yield from _run(_RELAX + place, at, 60 + 10 * place, 500 + 40 * place, done)
        elif place == 6:
            yield from _run(_RELAX + place, at, 700, 0, Status.RUNNING)
        elif place == 7:
            yield from _run(_RELAX + place, at, 0, 0, Status.PENDING)
        else:
            yield ev.CancelRequested(at=at, instance=_RELAX + place)
    for place, status in enumerate((done, done, Status.RUNNING, Status.RUNNING)):
        yield from _run(_SPECTRA + place, began + 1700 + 90 * place, 30, 700 if status is done else 0, status)
    yield from _run(_COMPARE, began + 2600, 20, 45, done)
    yield from _run(_COMPARE + 1, began + 2800, 0, 0, Status.PENDING)
    yield ev.Held(at=began + 2900, instance=_SPECTRA + 4)
    for at, verb, target, outcome, message in (
        (1900.0, "cancel", "relax_SIZE.80.TEMP.900", "done", "1 cancelled"),
        (2900.0, "hold", "spectra_SIZE.40.TEMP.600", "done", "1 held"),
        (3100.0, "retry", "mesh_SIZE.20", "refused", "1 finished"),
        (3500.0, "cancel", "relax_SIZE.80.TEMP.600", "", ""),
    ):
        command = f"c{at:.0f}"
        yield ev.CommandTaken(at=began + at, command=command, verb=verb, targets=(target,))
        if outcome:
            yield ev.CommandDone(at=began + at + 1, command=command, outcome=outcome, message=message)


def _run(
    index: int, at: float, queued: float, length: float, end: Status, cause: str = "", *, attempt: int = 1
) -> Iterator[ev.Event]:
    """The way of one attempt as far as it came."""
    submission, job, node = f"1-{index}-{attempt}", str(70_000 + 100 * attempt + index), f"nid{index % 10:04}"
    yield ev.SubmitIntended(at=at, submission=submission, backend="slurm", members=((index, attempt),))
    yield ev.Submitted(at=at + 1, submission=submission, job=job)
    if end is Status.PENDING:
        yield ev.Observed(at=at + 10, instance=index, attempt=1, status=end, reason="Priority")
        return
    yield ev.Started(at=at + queued, instance=index, attempt=attempt, job=job, node=node)
    if end is not Status.RUNNING:
        code = 0 if end is Status.FINISHED else 1
        over = at + queued + length
        yield ev.Ended(
            at=over, instance=index, attempt=attempt, status=end, exit_code=code, cause=text_cause(cause), node=node
        )
