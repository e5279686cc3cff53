"""A large study that a driver left in the middle, and one that keeps a driver busy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.status import Status
from mtui.core.plan.study_plan import Plan
from mtui.core.store.checkpoint import load_state, write_checkpoint
from mtui.core.store.journal import Journal
from mtui.core.store.lease import Lease
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_file import Settings, write_study_file
from mtui.core.study_creation import PlanOptions, create_study, plan_study

_BASE = ("s0", "s1", "s2")  # finished in every row
FAN = ("s3", "s4", "s5", "s6", "s7", "s8")  # wait for s2


def spec_of(rows: int) -> str:
    steps = []
    for number in range(10):
        name = f"s{number}"
        depends = {0: [], 1: ["s0"], 2: ["s1"], 9: list(FAN)}.get(number, ["s2"])
        run = f"cmd: 'echo $(SIZE) $(SEED) $(CASE)', depends: [{', '.join(depends)}], procs: 1, walltime: '00:10:00'"
        steps.append(f"- {{name: {name}, description: d, run: {{{run}}}}}")
    values = {
        "SIZE": ", ".join(str(row // 100) for row in range(rows)),
        "SEED": ", ".join(str(row % 100) for row in range(rows)),
        "CASE": ", ".join(f"case-{row:05d}" for row in range(rows)),
    }
    parameters = "\n".join(f"  {key}: {{values: [{text}], label: {key}.%%}}" for key, text in values.items())
    return "\n".join(
        [
            "description: {name: large, description: ten steps a row}",
            "batch: {type: slurm, host: h, bank: b, queue: q}",
            "study:",
            *steps,
            "global.parameters:",
            parameters,
            "",
        ]
    )


def through(index: int, at: float, *, end: Status | None = Status.FINISHED) -> Iterator[ev.Event]:
    """What happens to an instance until it ends, or until it waits in Slurm's queue."""
    job = str(1_000_000 + index)
    yield ev.SubmitIntended(at=at, submission=f"1-{index}", backend="slurm", members=((index, 1),))
    yield ev.Submitted(at=at + 1, submission=f"1-{index}", job=job)
    if end is None:
        yield ev.Observed(at=at + 2, instance=index, attempt=1, status=Status.PENDING, reason="Priority")
        return
    yield ev.Started(at=at + 30, instance=index, attempt=1, job=job, node="nid001234")
    code = 0 if end is Status.FINISHED else 1
    cause = "" if end is Status.FINISHED else "script exited with code 1"
    yield ev.Ended(
        at=at + 90, instance=index, attempt=1, status=end, exit_code=code, cause=text_cause(cause), node="nid001234"
    )


def history(plan: Plan, began: float) -> Iterator[ev.Event]:
    """Most rows are through; in every 50th one instance failed; of every 25th the middle steps are queued."""
    by_name = {step.name: step.by_row for step in plan.steps}
    rows = len(plan.parameters.values[0])
    yield ev.DriverStarted(at=began, epoch=1, host="login1", pid=1, version="0")
    for row in range(rows):
        at = began + row * 0.3
        queued = row < 100 or row % 25 == 7
        running = row < 40  # its s3
        for name in _BASE:
            yield from through(by_name[name][row], at)
        for name in FAN:
            failed = row % 50 == 3 and name == "s5"
            end = None if queued else Status.FAILED if failed else Status.FINISHED
            yield from through(by_name[name][row], at + 100, end=end)
            if running and name == "s3":
                yield ev.Started(at=at + 130, instance=by_name[name][row], attempt=1, job="1", node="nid001234")
        if not queued and row % 50 != 3:
            yield from through(by_name["s9"][row], at + 200)
    yield ev.DriverStopped(at=began + rows * 0.3 + 300, reason="asked to")


@dataclass
class Large:
    """The study, and the driver that is played."""

    directory: StudyDirectory
    plan: Plan
    events: int
    journal: Journal

    def report_events(self, *events: ev.Event) -> None:
        for event in events:
            self.journal.append(event)
        self.journal.flush()

    def started(self, index: int) -> ev.Event:
        return ev.Started(at=time.time(), instance=index, attempt=1, job=str(1_000_000 + index), node="nid000001")

    def queued(self, index: int, reason: str) -> ev.Event:
        return ev.Observed(at=time.time(), instance=index, attempt=1, status=Status.PENDING, reason=reason)


def make_large(folder: Path, rows: int) -> Large:
    spec = folder / "large.yaml"
    spec.write_text(spec_of(rows))
    options = PlanOptions(out=str(folder / "large"))
    directory, study = create_study(plan_study(spec, options), options, Settings())
    began = time.time() - rows * 0.3 - 330
    write_study_file(directory.study_file, replace(study, created=began))
    first = Lease.acquire(directory.owner)
    past = Journal(directory.journal, first.owner.epoch)
    count = 0
    for event in history(study.plan, began):
        past.append(event)
        count += 1
    past.close()
    write_checkpoint(directory, study, *load_state(directory, study))  # as a driver leaves it
    first.release()
    lease = Lease.acquire(directory.owner)
    journal = Journal(directory.journal, lease.owner.epoch)
    large = Large(directory, study.plan, count, journal)
    owner = lease.owner
    large.report_events(
        ev.DriverStarted(at=time.time(), epoch=owner.epoch, host=owner.host, pid=owner.pid, version="0")
    )
    return large


def make_small(folder: Path, instances: int) -> StudyDirectory:
    """Local instances that take no time."""
    values = ", ".join(str(number) for number in range(instances))
    spec = folder / "busy.yaml"
    spec.write_text(
        "description: {name: busy, description: d}\n"
        "study:\n- {name: a, description: d, run: {cmd: 'true $(I)'}}\n"
        f"global.parameters:\n  I: {{values: [{values}], label: I.%%}}\n"
    )
    options = PlanOptions(out=str(folder / "busy"))
    directory, _ = create_study(plan_study(spec, options), options, Settings(local_jobs=2))
    return directory
