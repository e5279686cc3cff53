"""Tasks of job arrays that Slurm shows together only, or not at all by their own ids."""

from __future__ import annotations

from tests import mtui
from tests.faults.slurm_study import BATCH, Study
from tests.waiting import wait_until


def test_task_cancelled_alone_before_it_began_is_cancelled_and_not_lost(study: Study) -> None:
    steps = f"- {{name: a, description: d, run: {{procs: 1, cmd: 'echo $(N) >> {study.folder}/trace'}}}}"
    rows = "  N: {values: [1, 2, 3], label: N.%%}"
    spec = mtui.write_study(study.folder / "s.yaml", steps, batch=BATCH, parameters=rows)
    study.slurm.order("pending")
    driver = study.drive("-o", study.out, spec)
    driver.wait_for("submitted", job="101")
    wait_until(lambda: len(study.slurm.jobs()) == 3, 30, "the array is there")
    first, *others = study.slurm.jobs()
    first.put("unknown to squeue", "")  # neither squeue nor sacct shows such a task, only the rest of its array
    first.put("unknown to sacct", "")
    driver.wait_for("ended", status="cancelled", seconds=120)
    for job in others:
        job.start()
    assert driver.wait(90) == 3
    assert mtui.statuses(study.out) == {"a_N.1": "cancelled", "a_N.2": "finished", "a_N.3": "finished"}
    assert study.ran() == {"2": 1, "3": 1}
    assert "outside of mtui" in mtui.run("why", study.out, "a_N.1").stdout


def test_array_cancelled_before_it_began_is_cancelled_and_not_lost(study: Study) -> None:
    steps = f"- {{name: a, description: d, run: {{procs: 1, cmd: 'echo $(N) >> {study.folder}/trace'}}}}"
    rows = "  N: {values: [1, 2, 3, 4], label: N.%%}"
    spec = mtui.write_study(study.folder / "s.yaml", steps, batch=BATCH, parameters=rows)
    study.slurm.order("pending")
    driver = study.drive("-o", study.out, spec)
    driver.wait_for("submitted", job="101")
    wait_until(lambda: len(study.slurm.jobs()) == 4, 30, "the array is there")
    for job in study.slurm.jobs():
        job.put("verdict", "CANCELLED")  # scancel, and MinJobAge has passed
        job.put("unknown to squeue", "")
    assert driver.wait(90) == 3
    assert set(mtui.statuses(study.out).values()) == {"cancelled"}
    assert study.ran() == {}
