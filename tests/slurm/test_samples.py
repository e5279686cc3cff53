"""The samples that are written for Slurm, each unchanged, on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

SAMPLES = Path(__file__).parents[2] / "sample_specs"


def run(slurm: Cluster, out: Path, sample: str, *options: str) -> str:
    """Run a sample to its successful end; what it printed."""
    done = mtui.run("--no-ui", "-s", "5", "-o", out, *options, SAMPLES / f"{sample}.yaml", env=slurm.env, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def nodes(out: Path, step: str) -> set[str]:
    return {item["node"] for item in mtui.status(out)["instances"] if item["step"] == step}


def test_cpu_sweep(slurm: Cluster, tmp_path: Path) -> None:
    run(slurm, tmp_path / "out", "perlmutter_sweep")
    report = (tmp_path / "out" / "report" / "report.txt").read_text().splitlines()
    assert [line.split()[0] for line in report] == ["1000", "10000", "100000", "1000000"]
    assert nodes(tmp_path / "out", "estimate") <= {"node1", "node2"}  # those with the feature cpu


def test_gpu_step(slurm: Cluster, tmp_path: Path) -> None:
    run(slurm, tmp_path / "out", "perlmutter_gpu")
    assert nodes(tmp_path / "out", "list") <= {"node3", "node4"}
    assert (tmp_path / "out" / "count" / "count.out").read_text().split() == ["1"]  # no GPU is allocated


def test_packed_sweep_is_one_job(slurm: Cluster, tmp_path: Path) -> None:
    run(slurm, tmp_path / "out", "packed_sweep")
    reported = (tmp_path / "out" / ".mtui" / "slurm.log").read_text()
    assert reported.count(" sbatch --") == 1


def test_timeout_and_restart(slurm: Cluster, tmp_path: Path) -> None:
    """In real time: Slurm ends the first job a minute after it began, or half a minute later."""
    out = tmp_path / "out"
    reported = run(slurm, out, "perlmutter_restart", "--set", "PAUSE=0.65")
    assert "is retried automatically (TIMEOUT: retry 1 of 3; restart=true, walltime=00:01:30)" in reported
    assert (out / "run" / "checkpoint").read_text() == "150\n"
    assert (out / "run" / "run.1.out").exists()
    attempts = json.loads(mtui.run("why", out, "run", "--json").stdout)["attempts"]
    ids = ",".join(attempt["job"] for attempt in attempts)

    def accounted() -> list[str]:
        columns = "--format=JobIDRaw,State,Timelimit"
        return sorted(slurm.run("sacct", "-X", "-n", "-P", f"--jobs={ids}", columns).stdout.split(), key=_number)

    def states() -> list[str]:
        return [line.split("|")[1] for line in accounted()]

    wait_until(lambda: states() == ["TIMEOUT", "COMPLETED"], 30, "accounting has both jobs")
    # Slurm counts in whole minutes.
    assert [line.split("|")[2] for line in accounted()] == ["00:01:00", "00:02:00"]


def _number(line: str) -> int:
    return int(line.partition("|")[0])
