"""Options of Slurm as keys: what a real Slurm makes of each."""

from __future__ import annotations

import re
from pathlib import Path

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_studies import step

BATCH = """{type: slurm, host: h, bank: m1234, queue: shared, qos: regular, constraint: cpu, mem: 1G,
  licenses: [matlab:2], mail user: ada@example.org, mail type: [END, FAIL], sbatch: ["--nice=7"]}"""


def shown(slurm: Cluster, job: str) -> dict[str, str]:
    """A job as `scontrol show job` has it."""
    reported = slurm.run("scontrol", "show", "job", "--oneliner", job).stdout
    return dict(re.findall(r"(\S+?)=(\S*)", reported))


def test_keys_are_what_is_requested_from_slurm(slurm: Cluster, tmp_path: Path) -> None:
    outside = slurm.run("sbatch", "--parsable", "--hold", "--wrap=true").stdout.strip()
    steps = step("all", "true") + step("own", "true", where='procs: 1, walltime: "00:05:00", cores per task: 2')
    spec = mtui.write_study(tmp_path / "study.yaml", steps, batch=BATCH)
    block = f"""mtui:
  steps:
    own: {{constraint: gpu, mem per cpu: 500M, mem: '', gpus per node: 2, exclude: [node4], queue: regular,
           dependency: 'afterany:{outside}', sbatch: ["--comment=mine", "-b now"]}}
"""
    spec.write_text(spec.read_text() + block)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    submitted = driver.wait_for("submitted", count=2)
    try:
        by_name = {
            shown(slurm, event["job"])["JobName"].partition(":")[2]: shown(slurm, event["job"]) for event in submitted
        }
        every, own = by_name["all"], by_name["own"]
        expected = {"Features": "cpu", "MinMemoryNode": "1G", "Licenses": "matlab:2", "Nice": "7"}
        assert {key: every[key] for key in expected} == expected
        assert (every["MailUser"], set(every["MailType"].split(","))) == ("ada@example.org", {"END", "FAIL"})
        expected = {"Features": "gpu", "MinMemoryCPU": "500M", "Partition": "regular", "ExcNodeList": "node4"}
        assert {key: own[key] for key in expected} == expected
        assert own["TresPerNode"].endswith("gpu:2")
        assert (own["Comment"], own["Nice"], own["JobState"]) == ("mine", "7", "PENDING")
        assert own["Dependency"].startswith(f"afterany:{outside}")
    finally:
        slurm.run("scancel", outside)
    assert driver.wait() == 0
