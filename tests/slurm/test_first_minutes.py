"""The first minutes on a cluster: what `mtui doctor` says of it, and a first study."""

from __future__ import annotations

import json
from pathlib import Path

from tests import mtui
from tests.slurm.cluster import Cluster


def test_doctor_finds_a_cluster_that_works(slurm: Cluster, tmp_path: Path) -> None:
    done = mtui.run("doctor", "--json", tmp_path, env=slurm.env)
    assert (done.returncode, done.stderr) == (0, "")
    found = {item["subject"]: item for item in json.loads(done.stdout)["findings"] if item["part"] == "Slurm"}
    assert {name: item["level"] for name, item in found.items()} == dict.fromkeys(
        ("programs", "controller", "accounting", "limits", "site"), "ok"
    )
    assert found["programs"]["found"].startswith("slurm")
    assert found["controller"]["found"].startswith("answers in ")
    assert "arrays of up to" in found["limits"]["found"]


def test_a_first_study_goes_to_slurm(slurm: Cluster, tmp_path: Path) -> None:
    done = mtui.run("init", cwd=tmp_path, env=slurm.env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a sweep of jobs in Slurm" in done.stdout
    ran = mtui.run("--no-ui", "-o", "out", "study.yaml", cwd=tmp_path, env=slurm.env)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len((tmp_path / "out" / "report" / "table.txt").read_text().splitlines()) == 4
    nodes = {item["name"]: item["nodes"] for item in mtui.status(tmp_path / "out")["instances"]}
    assert nodes == {**{f"estimate_SEED.{seed}": 1 for seed in range(1, 5)}, "report": 0}
