"""slurmctld loses its state and counts from 1 again: jobs of others have the ids of the study's."""

from __future__ import annotations

from pathlib import Path

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

BATCH = "{type: slurm, host: test, bank: m1234, queue: shared}"


def is_cancelled(driver: mtui.Driver) -> bool:
    return any(event["type"] == "cancel_sent" for event in driver.events())


def test_jobs_of_others_that_got_our_id_are_neither_ours_nor_cancelled(slurm: Cluster, tmp_path: Path) -> None:
    slurm.lose_state()
    steps = "- {name: a, description: d, run: {procs: 1, cmd: 'sleep 600'}}"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=BATCH)
    out = tmp_path / "out"
    driver = mtui.Driver("-s", "1", "-o", out, spec, log=tmp_path / "log", env=slurm.env)
    try:
        node = driver.wait_for("started", job="1")[0]["node"]
        driver.wait_for("submitted", cluster="mtui")
        slurm.lose_state()
        # On another node: one that has just ended a job revokes the credential of its id.
        elsewhere = ("--output=/dev/null", "--account=m1234", f"--exclude={node}")
        other = ("sbatch", "--parsable", "--chdir", str(tmp_path), *elsewhere)
        stranger = slurm.run(*other, "--wrap", "sleep 600").stdout.strip()
        assert stranger == "1"
        wait_until(lambda: slurm.job_state(stranger) == "RUNNING", 60, "the other job runs")
        mtui.run(
            "cancel", "-y", out, env=slurm.env
        )  # refused if the node has ended the lost job, and the study has ended
        wait_until(lambda: driver.process.poll() is not None or is_cancelled(driver), 60, "the cancel was carried out")
        assert "scancel" not in (out / ".mtui" / "slurm.log").read_text()
        assert mtui.statuses(out)["a"] != "finished"
        assert slurm.job_state(stranger) == "RUNNING"
    finally:
        driver.kill()
        slurm.cancel_all()
