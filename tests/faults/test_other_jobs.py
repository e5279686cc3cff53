"""The user's other jobs under a limit: only those that Slurm counts matter; a study continues once they have ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mtui
from tests.faults.slurm_study import BATCH, Study
from tests.waiting import wait_until

# Account b allows 5 jobs per user.
SACCTMGR = (
    '#!/bin/sh\ncase "$*" in *qos*) echo "regular|||" ;; *assoc*) echo "b|5||regular"; echo "c|||regular" ;; esac\n'
)
ROWS = "  N: {values: [1, 2, 3, 4, 5, 6], label: N.%%}"


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    study = Study(tmp_path)
    program = study.slurm.folder / "bin" / "sacctmgr"
    program.write_text(SACCTMGR)
    program.chmod(0o755)
    yield study
    study.close()


def six(study: Study) -> mtui.Driver:
    """Drive a study of six instances; each ends once its `go` is there."""
    command = f"echo $(N) >> {study.folder}/trace; while [ ! -e {study.folder}/go.a ]; do sleep 0.05; done"
    steps = f"- {{name: a, description: d, run: {{procs: 1, cmd: '{command}'}}}}"
    spec = mtui.write_study(study.folder / "s.yaml", steps, batch=BATCH, parameters=ROWS)
    return study.drive("-o", study.out, spec)


def test_study_continues_when_other_jobs_under_its_limit_are_gone(study: Study) -> None:
    others = [study.slurm.stranger(str(number), account="b") for number in range(9001, 9006)]
    driver = six(study)
    driver.wait_for("started", count=5)
    study.until_asked(driver)
    study.go("a")
    words = "account b allows 5 jobs per user, and your other jobs use all of it"
    driver.wait_for("limit_reached", message=words, seconds=30)
    wait_until(lambda: words in mtui.run("status", study.out).stdout, 10, "status names it")
    for job in others:
        shutil.rmtree(job.folder)
    assert driver.wait() == 0
    assert sum(study.ran().values()) == 6


def test_other_jobs_under_another_account_do_not_hold_up_a_study(study: Study) -> None:
    for number in range(9001, 9021):
        study.slurm.stranger(str(number), account="c")
    driver = six(study)
    driver.wait_for("started", count=5)
    study.until_asked(driver)
    study.go("a")
    assert driver.wait(30) == 0
    assert not [event for event in driver.events() if event["type"] == "limit_reached"]
