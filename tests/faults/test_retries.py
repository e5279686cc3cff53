"""Instances that are retried automatically, for causes that a real cluster cannot be brought to on demand."""

from __future__ import annotations

import pytest

from tests import mtui
from tests.faults.fake_slurm import Job
from tests.faults.slurm_study import Study
from tests.waiting import wait_until

STUDY = """\
description: {{name: t, description: d}}
batch: {{type: slurm, host: h, bank: b, queue: q}}
study:
- name: a
  description: d
  run:
    procs: 1
    walltime: "00:10:00"
    cmd: {cmd}
    restart: {restart}
- {{name: b, description: d, run: {{procs: 1, cmd: 'echo b >> {folder}/trace', depends: [a]}}}}
mtui:
  steps: {{a: {{mem: 3G}}}}
  retry: {rules}
"""


def start(study: Study, rules: str, *options: str) -> mtui.Driver:
    """Drive a study whose first step waits for `go`; each of its payloads leaves a word in the trace."""
    wait = f"while [ ! -e {study.folder}/go.a ]; do sleep 0.05; done"
    text = STUDY.format(
        cmd=f"'echo a >> {study.folder}/trace; {wait}'",
        restart=f"'echo restart >> {study.folder}/trace; {wait}'",
        folder=study.folder,
        rules=rules,
    )
    (study.folder / "study.yaml").write_text(text)
    return study.drive("-o", study.out, *options, study.folder / "study.yaml")


def until_attempt_runs(study: Study, driver: mtui.Driver, number: int) -> None:
    """Until the driver knows that an attempt has started, and its payload has left its word."""
    driver.wait_for("started", attempt=number)
    wait_until(lambda: study.ran().total() == number, 30, f"payload {number} runs: {study.slurm.jobs()}")


def lines(job: Job) -> set[str]:
    return {line.removeprefix("#SBATCH ") for line in job.get("script").splitlines() if line.startswith("#SBATCH")}


@pytest.mark.parametrize(
    ("state", "cause", "rule", "runs", "gets"),
    [
        ("OUT_OF_MEMORY", "OUT_OF_MEMORY", "mem: x1.5, queue: big", "a", {"--mem=4608M", "--partition=big"}),
        ("TIMEOUT", "TIMEOUT", "walltime: x1.5", "restart", {"--time=00:15:00"}),
        ("TIMEOUT", "TIMEOUT", "restart: false, walltime: x2", "a", {"--time=00:20:00"}),
        ("PREEMPTED", "PREEMPTED", "restart: true", "restart", {"--time=00:10:00"}),
        ("NODE_FAIL", "NODE_FAIL", "qos: other", "a", {"--exclude=fake1", "--qos=other"}),
        ("BOOT_FAIL", "NODE_FAIL", "exclude: false", "a", {"--mem=3G"}),
    ],
)
def test_each_cause_is_tried_again_with_what_its_rule_says(
    study: Study, state: str, cause: str, rule: str, runs: str, gets: set[str]
) -> None:
    driver = start(study, f"{{{cause}: {{times: 1, {rule}}}}}")
    study.until_runs("a")
    study.slurm.jobs_of("a")[0].end(state)
    driver.wait_for("retried", why=f"{cause}: retry 1 of 1")
    driver.wait_for("started", attempt=2)
    study.go("a")
    assert driver.wait() == 0
    assert study.ran() == ({"a": 2, "b": 1} if runs == "a" else {"a": 1, "restart": 1, "b": 1})
    first, second = (lines(job) for job in study.slurm.jobs_of("a"))
    assert gets <= second
    assert ("--exclude=fake1" in second) is ("--exclude=fake1" in gets)
    assert not any(line.startswith("--exclude") for line in first)
    why = mtui.run("why", study.out, "a").stdout
    assert "It was retried automatically 1 time." in why
    reported = next(line for line in why.splitlines() if "The study's retry rules:" in line)
    assert cause in reported
    assert "once" in reported


def test_after_as_many_times_it_has_failed(study: Study) -> None:
    driver = start(study, "{OUT_OF_MEMORY: 2}")
    for number in (1, 2, 3):
        until_attempt_runs(study, driver, number)
        study.slurm.jobs_of("a")[-1].end("OUT_OF_MEMORY")
    assert driver.wait() == 2
    assert mtui.statuses(study.out) == {"a": "out of memory", "b": "blocked"}
    assert study.ran() == {"a": 3}


@pytest.mark.parametrize(("limit", "runs"), [("1", 1), ("2", 2)])
def test_restart_limit_of_the_command_line_counts_where_no_rule_does(study: Study, limit: str, runs: int) -> None:
    driver = start(study, "{}", "-r", limit)
    for number in range(1, runs + 2):
        until_attempt_runs(study, driver, number)
        study.slurm.jobs_of("a")[-1].end("TIMEOUT")
    assert driver.wait() == 2
    assert study.ran() == {"a": 1, "restart": runs}


def test_refused_submission_is_repeated_as_often_as_attempts_are_given(study: Study) -> None:
    study.slurm.order("refuse")
    driver = start(study, "{}", "-a", "2")
    driver.wait_for("retried", why="REFUSED: retry 1 of 1")
    study.go("a")
    assert driver.wait() == 0
    assert study.ran() == {"a": 1, "b": 1}


def test_driver_that_takes_over_tries_again_what_the_one_before_saw_fail(study: Study) -> None:
    driver = start(study, "{OUT_OF_MEMORY: 1}")
    until_attempt_runs(study, driver, 1)
    driver.kill()
    study.slurm.jobs_of("a")[0].end("OUT_OF_MEMORY")
    study.go("a")
    second = study.drive(study.out)
    assert second.wait() == 0
    second.wait_for("retried", why="OUT_OF_MEMORY: retry 1 of 1")
    assert study.ran() == {"a": 2, "b": 1}
