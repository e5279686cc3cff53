"""Coming back to a large study that is all done: the driver until it says so, and `mtui status`.

Writes the journal of three chained steps for each of 10,000 rows and a funnel, four events each, as a driver leaves
it that was killed before it saw the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from mtui.core.engine import events as ev
from mtui.core.engine.status import Status
from mtui.core.store.journal import Journal
from mtui.core.store.lease import Lease
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_file import Settings
from mtui.core.study_creation import PlanOptions, create_study, plan_study
from tests.bench import studies
from tests.bench.place import Place
from tests.bench.processes import measure
from tests.bench.table import Line, in_turns, limited, median, note
from tests.mtui import COMMAND


def write_journal(directory: StudyDirectory, instances: int) -> None:
    """A journal in which all instances went through."""
    lease = Lease.acquire(directory.owner)
    owner = lease.owner
    journal = Journal(directory.journal, owner.epoch)
    journal.append(ev.DriverStarted(at=0.0, epoch=owner.epoch, host=owner.host, pid=owner.pid, version="0"))
    for index in range(instances):
        job = str(1000 + index)
        for event in (
            ev.SubmitIntended(at=1.0, submission=f"1-{index}", backend="slurm", members=((index, 1),)),
            ev.Submitted(at=2.0, submission=f"1-{index}", job=job),
            ev.Started(at=3.0, instance=index, attempt=1, job=job, node="nid001234"),
            ev.Ended(at=4.0, instance=index, attempt=1, status=Status.FINISHED, exit_code=0, node="nid001234"),
        ):
            journal.append(event)
    journal.close()
    lease.release()


def run(place: Place) -> Iterator[Line]:
    rows = place.count(10_000, least=20)
    spec = studies.large(place.new("large.yaml"), rows)
    options = PlanOptions(out=str(place.new("out")))
    directory, study = create_study(plan_study(spec, options), options, Settings())
    instances = len(study.plan.instances)
    write_journal(directory, instances)
    before = place.new("before")
    shutil.copytree(directory.home, before)
    memory: list[float] = []

    def resume() -> float:
        shutil.rmtree(directory.home)
        shutil.copytree(before, directory.home)
        found = measure([*COMMAND, "--no-ui", directory.root], place.folder, place.env)
        memory.append(found.memory)
        return found.wall

    def status() -> float:
        return measure([*COMMAND, "status", directory.root], place.folder, place.env).wall

    def maestro_status() -> float:
        words = [place.maestro, "status", "--disable-pager", directory.root]
        return measure(words, place.folder, place.env).wall

    found = in_turns(place.rounds(5), {"resume": resume, "status": status})
    yield limited(f"resume, {instances:,} instances finished", median(found["resume"]), 2, "s")
    yield limited(f"largest memory of that driver, {instances:,} instances", max(memory), 150, "MB")
    # Once: it takes minutes.
    try:
        peer = f"`maestro status` on the same directory: {maestro_status():.2f} s"
    except RuntimeError as error:
        note(str(error))
        peer = "`maestro status` does not work there"
    yield limited(f"`mtui status`, {instances:,} instances", median(found["status"]), 1, "s", peer)
