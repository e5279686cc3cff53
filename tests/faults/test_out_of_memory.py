"""Slurm shows OUT_OF_MEMORY for a job whose script exits with code 0."""

from __future__ import annotations

import json

import pytest

from tests import mtui
from tests.faults.slurm_study import BATCH, Study

WORDS = "used more memory than requested"


@pytest.mark.parametrize("first", ["slurm", "script"])
def test_job_out_of_memory_that_exits_with_code_0_finishes_with_a_warning(study: Study, first: str) -> None:
    study.slurm.order("pending")
    driver = study.start({"a": "$GO", "b<a": "true"})
    driver.wait_for("submitted")
    (job, *_) = study.slurm.jobs_of("a")
    job.start()
    study.until_runs("a")
    if first == "slurm":
        job.put("shown", "OUT_OF_MEMORY")
        study.until_asked(driver)
    else:
        job.put("verdict", "OUT_OF_MEMORY")
        job.put("shown", "COMPLETING")
    study.go("a")
    if first == "script":
        driver.wait_for("ended", instance=0)
        (job.folder / "shown").unlink()
    assert driver.wait() == 0
    assert mtui.statuses(study.out) == {"a": "finished", "b": "finished"}
    assert study.ran() == {"a": 1, "b": 1}
    assert f"a  finished, but Slurm reports: {WORDS}" in mtui.run("status", study.out).stdout
    why = mtui.run("why", study.out, "a").stdout
    assert f"a is finished: {WORDS}" in why
    assert "mtui retry" in why
    report = json.loads(mtui.run("report", study.out, "--json", env=study.slurm.env).stdout)
    assert report["failures"] == []
    assert [(warning["status"], warning["count"]) for warning in report["warnings"]] == [("finished", 1)]


def test_rule_that_names_the_cause_repeats_it_with_more_memory(study: Study) -> None:
    steps = f"- {{name: a, description: d, run: {{procs: 1, mem: 1G, cmd: 'echo a >> {study.folder}/trace'}}}}"
    block = "\nmtui: {retry: {OUT_OF_MEMORY: {times: 1, mem: x2}}, steps: {a: {mem: 1G}}}"
    spec = mtui.write_study(study.folder / "s.yaml", steps.replace("mem: 1G, ", "") + block, batch=BATCH)
    study.slurm.order("pending")
    driver = study.drive("-o", study.out, spec)
    driver.wait_for("submitted")
    (job,) = study.slurm.jobs()
    job.put("verdict", "OUT_OF_MEMORY")
    job.start()
    assert driver.wait() == 0
    assert study.ran() == {"a": 2}
    _, again = study.slurm.jobs()
    assert "--mem=2G" in again.get("script")
