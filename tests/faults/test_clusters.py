"""A job id alone identifies no job: others have our ids after slurmctld lost its state, and on another cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mtui
from tests.faults.fake_slurm import FakeSlurm
from tests.faults.slurm_study import Study
from tests.waiting import wait_until


@pytest.fixture
def beta(tmp_path: Path) -> Iterator[FakeSlurm]:
    """Another cluster with the same file system."""
    beta = FakeSlurm(tmp_path / "beta", "beta")
    yield beta
    beta.stop()


def written(out: Path) -> dict[str, bytes]:
    """All that drivers change in a study directory: journal, lease, claims, inbox."""
    folders = ("journal", "owner", "claims", "inbox", "spool")
    paths = (path for folder in folders for path in (out / ".mtui" / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def journal(out: Path) -> str:
    return "".join(path.read_text() for path in sorted((out / ".mtui" / "journal").glob("*.jsonl")))


# --- reused ids


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"])
def test_end_of_another_job_with_our_id_is_not_ours(study: Study, end: str) -> None:
    driver = study.start({"a": "$GO"})
    study.until_runs("a")
    driver.wait_for("started")
    study.slurm.lose_state()
    study.slurm.stranger("101", end)
    study.until_asked(driver)
    study.until_asked(driver)
    assert mtui.statuses(study.out) == {"a": "running"}
    study.go("a")
    assert driver.wait() == 0
    assert study.ran() == {"a": 1}


def test_cancel_leaves_another_job_with_our_id_alone(study: Study) -> None:
    driver = study.start({"a": "$GO"})
    study.until_runs("a")
    driver.wait_for("started")
    driver.kill()
    study.slurm.lose_state()
    stranger = study.slurm.stranger("101")
    mtui.run("cancel", "-y", study.out, env=study.slurm.env)
    assert (stranger.state, study.slurm.calls("scancel")) == ("RUNNING", 0)
    study.go("a")


def test_job_that_is_withdrawn_is_cancelled_only_under_its_name(study: Study) -> None:
    study.slurm.order("accept", "pending")
    driver = study.start({"a": "$GO", "b<a": "true"})
    study.until_runs("a")
    driver.wait_for("submitted", count=2)
    driver.kill()
    study.slurm.lose_state()
    stranger = study.slurm.stranger("102")
    assert mtui.run("hold", study.out, "b", env=study.slurm.env).returncode == 0
    second = study.drive(study.out)
    second.wait_for("unbound")
    study.until_asked(second)
    assert (stranger.state, study.slurm.calls("scancel")) == ("RUNNING", 0)
    study.go("a")


# --- another cluster


def on_alpha(study: Study) -> None:
    """A study whose job runs on alpha, and whose driver there has died."""
    driver = study.start({"a": "$GO"})
    study.until_runs("a")
    driver.wait_for("started")
    driver.kill()


def test_driver_on_another_cluster_names_both_and_changes_nothing(study: Study, beta: FakeSlurm) -> None:
    on_alpha(study)
    stranger = beta.stranger("101", "COMPLETED")
    before = written(study.out)
    done = mtui.run("--no-ui", study.out, env=beta.env)
    assert done.returncode == 2
    assert "the study has jobs on cluster alpha" in done.stderr
    assert "this machine belongs to cluster beta" in done.stderr
    assert written(study.out) == before
    assert (beta.calls("sbatch"), beta.calls("scancel"), stranger.state) == (0, 0, "COMPLETED")
    second = study.drive(study.out)
    study.go("a")
    assert second.wait() == 0
    assert study.ran() == {"a": 1}


def test_cancel_on_another_cluster_cancels_nothing(study: Study, beta: FakeSlurm) -> None:
    on_alpha(study)
    stranger = beta.stranger("101", "RUNNING")
    before = written(study.out)
    done = mtui.run("cancel", "-y", study.out, env=beta.env)
    assert done.returncode == 2
    assert "the study has jobs on cluster alpha" in done.stderr
    assert written(study.out) == before
    assert (stranger.state, beta.calls("scancel"), study.slurm.jobs()[0].state) == ("RUNNING", 0, "RUNNING")
    study.go("a")


def test_study_without_jobs_in_slurm_resumes_on_any_cluster(study: Study, beta: FakeSlurm) -> None:
    assert study.start({"a": "exit 1"}).wait() == 2
    assert mtui.run("retry", study.out, env=beta.env).returncode == 0
    study.slurm = beta
    driver = study.drive(study.out)
    assert driver.wait() == 2
    driver.wait_for("submitted", cluster="beta")
    assert study.ran() == {"a": 2}


def test_journal_that_names_no_cluster_takes_that_of_the_first_driver_that_finds_its_job(
    study: Study, beta: FakeSlurm
) -> None:
    on_alpha(study)
    for path in (study.out / ".mtui" / "journal").glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        lines = [json.dumps({key: value for key, value in record.items() if key != "cluster"}) for record in records]
        path.write_text("".join(f"{line}\n" for line in lines))
    for path in (study.out / ".mtui").glob("checkpoint*"):
        path.unlink()
    driver = study.drive(study.out)
    driver.wait_for("cluster_found", cluster="alpha")
    driver.kill()
    assert mtui.run("--no-ui", study.out, env=beta.env).returncode == 2
    second = study.drive(study.out)
    study.go("a")
    assert second.wait() == 0


def test_nothing_is_decided_while_the_cluster_is_not_known(study: Study) -> None:
    on_alpha(study)
    study.slurm.mode("scontrol", "fail")
    study.slurm.lose_state()
    second = study.drive(study.out)
    second.wait_for("slurm_silent")
    study.slurm.mode("scontrol", "")
    second.wait_for("slurm_answers", seconds=30)
    study.go("a")
    assert second.wait() == 0
    wait_until(lambda: study.ran() == {"a": 1}, 10, "it ran once")
