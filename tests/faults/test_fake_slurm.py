"""A real driver over a Slurm that errs: every payload runs once, every end has its name, nothing hangs."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests import mtui
from tests.faults.fake_slurm import OVER
from tests.faults.slurm_study import Study
from tests.waiting import wait_until

# --- sbatch


def test_job_whose_submission_timed_out_is_found_by_its_name(study: Study) -> None:
    study.slurm.order("time out, pending")
    driver = study.start({"a": "true"})
    driver.wait_for("submit_unclear")
    driver.wait_for("submitted", job="101")
    study.slurm.jobs()[0].start()
    assert driver.wait() == 0
    assert study.ran() == {"a": 1}
    assert len(study.slurm.jobs()) == 1


def test_job_whose_submission_timed_out_may_be_over_before_anybody_looks(study: Study) -> None:
    study.slurm.order("time out")
    driver = study.start({"a": "true", "b<a": "true"})
    assert driver.wait() == 0
    assert study.ran() == {"a": 1, "b": 1}
    assert len(study.slurm.jobs()) == 2


@pytest.mark.parametrize(
    ("order", "first"),
    [
        pytest.param("twice, pending", 0, id="answered, first begins first"),
        pytest.param("twice, pending", 1, id="answered, second begins first"),
        pytest.param("time out, twice, pending", 0, id="unclear, first begins first"),
        pytest.param(
            "time out, twice, pending",
            1,
            id="unclear, second begins first",
        ),
    ],
)
def test_job_that_slurm_took_twice_runs_once(study: Study, order: str, first: int) -> None:
    study.slurm.order(order)
    driver = study.start({"a": "$GO"})
    wait_until(lambda: len(study.slurm.jobs()) == 2, 30, "both are there")
    jobs = study.slurm.jobs()
    jobs[first].start()
    study.until_runs("a")
    driver.wait_for("started", job=jobs[first].id)
    if "time out" in order:  # the name is looked up
        study.until_asked(driver)
    if jobs[1 - first].state not in OVER:  # the driver may have ended it
        jobs[1 - first].start()
    wait_until(lambda: jobs[1 - first].state in OVER, 30, "the other one yields")
    study.go("a")
    assert driver.wait() == 0
    assert study.ran() == {"a": 1}
    assert mtui.instance(study.out, "a")["status"] == "finished"


def test_answer_that_comes_after_the_job_is_over_changes_nothing(study: Study) -> None:
    study.slurm.order("hang")
    driver = study.start({"a": "true", "b<a": "true"})
    driver.wait_for("ended", instance=1)
    study.slurm.release()
    assert driver.wait() == 0
    assert study.ran() == {"a": 1, "b": 1}
    assert mtui.statuses(study.out) == {"a": "finished", "b": "finished"}


def test_answer_that_nobody_can_read_is_looked_up(study: Study) -> None:
    study.slurm.order("garbage, pending")
    driver = study.start({"a": "true"})
    driver.wait_for("submitted", job="101")
    study.slurm.jobs()[0].start()
    assert driver.wait() == 0
    assert study.ran() == {"a": 1}


def test_limit_is_waited_for_until_a_job_ends(study: Study) -> None:
    study.slurm.order("accept", "limit")
    driver = study.start({"a": "$GO", "b": "$GO"})
    driver.wait_for("submit_deferred")
    study.go("a", "b")
    assert driver.wait(20) == 0
    assert study.ran() == {"a": 1, "b": 1}
    assert len(study.slurm.jobs()) == 2


def test_refusal_is_a_failure_with_slurms_own_words(study: Study) -> None:
    study.slurm.order("refuse")
    driver = study.start({"a": "true", "b<a": "true"})
    assert driver.wait() == 2
    assert mtui.statuses(study.out) == {"a": "failed", "b": "blocked"}
    assert mtui.instance(study.out, "a")["cause"] == "Invalid partition name specified (hint: correct 'queue')"
    assert (study.ran(), study.slurm.jobs()) == ({}, [])


def test_driver_that_died_over_an_answer_is_followed_by_one_that_finds_the_job(study: Study) -> None:
    study.slurm.order("hang, pending")
    driver = study.start({"a": "true"})
    wait_until(study.slurm.jobs, 30, "the job is there")
    driver.kill()
    study.slurm.release()
    second = study.drive(study.out)
    second.wait_for("submitted", job="101")
    study.slurm.jobs()[0].start()
    assert second.wait() == 0
    assert study.ran() == {"a": 1}
    assert len(study.slurm.jobs()) == 1


# --- commands


def test_retry_with_changed_resources_hands_over_a_changed_script(study: Study) -> None:
    fixed = study.folder / "fixed"
    assert study.start({"a": f"[ -e {fixed} ]", "b<a": "true"}).wait() == 2
    fixed.touch()
    reported = mtui.run("retry", study.out, "a", "--set", "walltime=0:10:00", "--set", "procs=3", env=study.slurm.env)
    assert reported.returncode == 0, reported.stderr
    driver = study.drive(study.out)
    assert driver.wait() == 0
    driver.wait_for("command_done", outcome="done", message="1 will run again with walltime=0:10:00, procs=3")
    jobs = study.slurm.jobs_of("a")  # the job of b, bound to the first of them, may be between their numbers
    first, second = (job.get("script") for job in jobs)
    assert ("--ntasks=1" in first, "--time" in first) == (True, False)
    assert {"#SBATCH --ntasks=3", "#SBATCH --time=0:10:00"} <= set(second.splitlines())
    assert "--ntasks=1" in study.slurm.jobs_of("b")[0].get("script")
    assert mtui.instance(study.out, "a")["changes"] == {"walltime": "0:10:00", "procs": "3"}
    assert mtui.instance(study.out, "b")["changes"] == {}
    assert f"attempt 2, job {jobs[1].id}, on fake1" in (why := mtui.run("why", study.out, "a").stdout)
    assert why.count("with walltime=0:10:00, procs=3") == 1


def test_change_outlives_drivers_and_counts_until_it_is_taken_back(study: Study) -> None:
    assert study.start({"a": "exit 1"}).wait() == 2
    for changes in (["--set", "qos=debug"], [], ["--set", "qos=", "--set", "nodes=2"]):
        assert mtui.run("retry", study.out, *changes, env=study.slurm.env).returncode == 0
        assert study.drive(study.out).wait() == 2
    scripts = [job.get("script") for job in study.slurm.jobs_of("a")]
    assert ["--qos=debug" in script for script in scripts] == [False, True, True, False]
    assert ["--nodes=2" in script for script in scripts] == [False, False, False, True]


def test_every_submission_and_cancel_is_logged_with_its_answer(study: Study) -> None:
    study.slurm.order("refuse")
    driver = study.start({"a": "true", "b": "$GO"}, "-t", "1")
    study.until_runs("b")
    study.slurm.mode("squeue", "fail")
    driver.wait_for("slurm_silent")
    study.slurm.mode("squeue", "")
    assert mtui.run("cancel", study.out, "b", env=study.slurm.env).returncode == 0
    assert driver.wait() == 3
    head, *lines = (study.out / ".mtui" / "slurm.log").read_text().splitlines()
    assert head.startswith("#")
    refused, accepted = sorted((line[20:] for line in lines if " sbatch " in line), key=lambda line: "-> 101" in line)
    assert refused.startswith("sbatch --parsable --job-name=mt.")
    assert refused.endswith(
        "-> exit code 1: sbatch: error: Batch job submission failed: Invalid partition name specified"
    )
    assert accepted.endswith(".slurm.sh -> 101")
    assert [line[20:] for line in lines if " scancel " in line] == ["scancel 101 -> exit code 0"]
    failed = [line for line in lines if " squeue " in line]
    assert failed
    assert all("-> exit code 1: slurm_load_jobs error: Unable to contact slurm controller" in line for line in failed)


@pytest.mark.parametrize("where", ["a directory", "a full disk"])
def test_log_of_calls_that_cannot_be_written_disturbs_nothing(study: Study, where: str) -> None:
    driver = study.start({"a": "$GO"}, "--dry")
    assert driver.wait() == 0
    log = study.out / ".mtui" / "slurm.log"
    if where == "a directory":
        log.mkdir()
    else:
        log.symlink_to("/dev/full")
    study.go("a")
    assert study.drive(study.out, "-y").wait() == 0


# --- squeue and sacct


@pytest.mark.parametrize("how", ["fail", "garbage", "empty"])
def test_slurm_that_cannot_be_queried_changes_nothing(study: Study, how: str) -> None:
    driver = study.start({"a": "$GO", "b<a": "true"})
    study.until_runs("a")
    study.slurm.mode("squeue", how)
    study.slurm.mode("sacct", "fail")
    study.until_asked(driver)
    if how == "fail":
        driver.wait_for("slurm_silent")
    assert mtui.statuses(study.out)["a"] == "running"
    study.slurm.mode("squeue", "")
    study.go("a")
    assert driver.wait() == 0
    assert study.ran() == {"a": 1, "b": 1}


def test_verdict_on_a_job_that_squeue_forgot_comes_from_accounting(study: Study) -> None:
    driver = study.start({"a": "$GO"})
    study.until_runs("a")
    (job,) = study.slurm.jobs()
    job.put("unknown to squeue", "")
    job.end("TIMEOUT", signal.SIGTERM)
    assert driver.wait() == 2
    assert mtui.instance(study.out, "a")["status"] == "timed out"


def test_job_that_slurm_forgot_ends_by_its_own_word(study: Study) -> None:
    driver = study.start({"a": "$GO"})
    study.until_runs("a")
    (job,) = study.slurm.jobs()
    job.put("unknown to squeue", "")
    job.put("unknown to sacct", "")
    study.until_asked(driver)
    study.go("a")
    assert driver.wait() == 0
    assert mtui.statuses(study.out) == {"a": "finished"}


# --- states

ALIVE = {
    "CONFIGURING": "configuring",
    "REQUEUE_HOLD": "requeued",
    "STAGE_OUT": "completing",
    "SUSPENDED": "suspended",
    "COMPLETING": "completing",
    "A_STATE_OF_THE_FUTURE": "running",
}


def test_job_that_is_shown_in_any_active_state_runs_to_its_end(study: Study) -> None:
    steps = {name.lower(): "$GO" for name in ALIVE}
    driver = study.start(steps, "-t", str(len(steps)))
    study.until_runs(*steps)
    for state in ALIVE:
        study.slurm.jobs_of(state.lower())[0].put("shown", state)
    expected = {state.lower(): word for state, word in ALIVE.items()}
    wait_until(lambda: mtui.statuses(study.out) == expected, 30, "each is shown by its word")
    study.go(*steps)
    assert driver.wait() == 0
    assert study.ran() == dict.fromkeys(steps, 1)


ENDS = {
    "OUT_OF_MEMORY": ("out of memory", "used more memory than requested on fake1"),
    "PREEMPTED": ("preempted", "Slurm took its nodes for another job"),
    "DEADLINE": ("deadline", "could not end before its deadline"),
    "BOOT_FAIL": ("node failed", "a node failed on fake1"),
    "NODE_FAIL": ("node failed", "a node failed on fake1"),
    "TIMEOUT": ("timed out", "exceeded its walltime"),
    "CANCELLED": ("cancelled", "cancelled outside of mtui"),
}


def test_each_end_that_slurm_gives_has_its_name_and_cause(study: Study) -> None:
    steps: dict[str, Any] = {name.lower(): "$GO" for name in ENDS}
    driver = study.start({**steps, **{f"child_of_{name}<{name}": "true" for name in steps}, "well": "true"})
    study.until_runs(*steps)
    for state in ENDS:
        # In turns: as the job of a node that is gone, and as one whose runner can still report its end.
        number = signal.SIGKILL if len(state) % 2 else signal.SIGTERM
        study.slurm.jobs_of(state.lower())[0].end(state, number)
    assert driver.wait() == 3
    items = {item["name"]: item for item in mtui.status(study.out)["instances"]}
    assert {name: (items[name.lower()]["status"], items[name.lower()]["cause"]) for name in ENDS} == ENDS
    assert {items[f"child_of_{name}"]["status"] for name in steps} == {"blocked"}
    assert items["well"]["status"] == "finished"
    assert study.ran() == dict.fromkeys([*steps, "well"], 1)


def test_requeued_job_runs_again_under_its_claim(study: Study) -> None:
    driver = study.start({"a": "$GO"})
    study.until_runs("a")
    (job,) = study.slurm.jobs()
    job.requeue()
    study.until_shown(driver, "requeued")
    wait_until(lambda: job.get("code"), 30, "the first run is over")
    study.go("a")
    job.start_again()
    assert driver.wait() == 0
    assert study.ran() == {"a": 2}  # Slurm itself has started it twice
    assert mtui.instance(study.out, "a")["status"] == "finished"
