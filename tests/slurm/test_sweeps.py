"""A product with values from the command line, driven from a separate job, on a real cluster."""

from __future__ import annotations

from pathlib import Path

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_studies import SHARED, step
from tests.waiting import wait_until


def test_values_go_to_a_driver_in_a_job_beside_the_options_of_sbatch(slurm: Cluster, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("MESH,CELLS\r\ncoarse,10\r\nfine,99\r\n")
    spec = mtui.write_study(
        tmp_path / "s.yaml",
        step("sim", "echo $(MESH) $(CELLS) $(SEED) $(X)"),
        batch=SHARED,
        env="  variables: {X: 1}",
        parameters="  SEED: {values: [1], label: SEED.%%}\nmtui: {sweep: product, parameters: {file: rows.csv}}",
    )
    out = tmp_path / "out"
    words = ("-o", out, spec, "--params", "SEED=7..9", "--set", "X=two", "--partition=shared", "--time", "00:05:00")
    reported = mtui.run("submit", *words, env=slurm.env)
    assert reported.returncode == 0, reported.stdout + reported.stderr
    wait_until(lambda: mtui.status(out)["result"] == "finished", 90, "the study is over")
    assert sorted(path.read_text() for path in out.glob("sim/*/*.out")) == [
        f"{mesh} {cells} {seed} two\n" for mesh, cells in (("coarse", 10), ("fine", 99)) for seed in (7, 8, 9)
    ]
    again = mtui.run("submit", out, "--params", "SEED=1", env=slurm.env)
    assert (again.returncode, "--params cannot be given for a study that exists" in again.stderr) == (2, True)
