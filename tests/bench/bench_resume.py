"""Taking up a large study: seconds from start to a state that is complete, and its memory.

    python -m tests.bench.bench_resume [ROWS]

Writes the journal of a study of three chained steps and a funnel (3 x ROWS + 2 instances, four events each, but for
the last rows, which still run) and reads it as a driver, or `mtui status`, does.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from mtui.core.start import PlanOptions, create_study, plan_study
from mtui.core.store.journal import Journal
from mtui.core.store.study_file import Settings
from mtui.core.study import events as ev
from mtui.core.study.status import Status
from tests.bench.bench_plan import STUDY, measure

_RUNNING = 100  # instances that have not ended


def write_journal(folder: Path, instances: int) -> int:
    """A journal in which all but the last instances went through; the number of its events."""
    journal = Journal(folder, 1)
    count = 0
    for index in range(instances - _RUNNING):
        for event in (
            ev.SubmitIntended(at=1.0, submission=f"1-{index}", backend="slurm", members=((index, 1),)),
            ev.Submitted(at=2.0, submission=f"1-{index}", job=str(1000 + index)),
            ev.Started(at=3.0, instance=index, attempt=1, job=str(1000 + index), node="nid001234"),
            ev.Ended(at=4.0, instance=index, attempt=1, status=Status.FINISHED, exit_code=0, node="nid001234"),
        ):
            journal.append(event)
            count += 1
    journal.close()
    return count


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    folder = Path(tempfile.mkdtemp(prefix="mtui-bench-"))
    try:
        spec = folder / "big.yaml"
        a, b = (", ".join(str(row * factor) for row in range(rows)) for factor in (1, 2))
        spec.write_text(STUDY.format(a=a, b=b))
        options = PlanOptions(out=str(folder / "out"))
        directory, study = create_study(plan_study(spec, options), options, Settings())
        events = write_journal(directory.journal, len(study.plan.instances))
        figure = measure(sys.executable, "-m", "mtui.tui", "status", str(directory.root), cwd=folder)
        nothing = measure(sys.executable, "-m", "mtui.tui", "--version", cwd=folder)
        print(f"{len(study.plan.instances)} instances, {events} events")
        print(f"mtui status: {figure.wall:.2f} s, {figure.memory:.0f} MB; mtui --version: {nothing.wall:.2f} s")
        print(f"of it reading plan and journal: {figure.wall - nothing.wall:.2f} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
