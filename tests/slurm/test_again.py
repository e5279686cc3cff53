"""Automatic retries, edges after failures, groups and parts of a study, on a real cluster."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_commands import until_begun
from tests.slurm.test_studies import SHARED, run_study, step


def study(folder: Path, steps: str, block: str, parameters: str = "") -> Path:
    """A spec file with a `mtui` block."""
    spec = mtui.write_study(folder / "study.yaml", steps, batch=SHARED, parameters=parameters)
    spec.write_text(spec.read_text() + f"mtui: {block}\n")
    return spec


def test_node_that_failed_is_left_out(slurm: Cluster, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    cmd = f"echo $SLURMD_NODENAME >> {trace}; while [ ! -e {go} ]; do sleep 0.1; done"
    spec = study(tmp_path, step("a", cmd), "{retry: {NODE_FAIL: 1}}")
    driver = mtui.Driver("-s", "5", "-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    node = driver.wait_for("started")[0]["node"]
    until_begun(trace, 1)
    slurm.set_node(node, "down")
    try:
        again = driver.wait_for("retried", seconds=90)[0]
        assert (again["why"], again["changes"]) == ("NODE_FAIL: retry 1 of 1", [["exclude", node]])
        driver.wait_for("started", attempt=2)
    finally:
        slurm.set_node(node, "resume")
    go.touch()
    assert driver.wait() == 0
    first, second = trace.read_text().split()
    assert (first, second != node) == (node, True)
    assert f"#SBATCH --exclude={node}" in (tmp_path / "out" / "a" / "a.slurm.sh").read_text()


@pytest.mark.parametrize("pack", ["", "pack: true, "], ids=["arrays", "packed"])
def test_sweep_in_which_some_fail_once_is_retried_automatically(slurm: Cluster, tmp_path: Path, pack: str) -> None:
    trace = tmp_path / "trace"
    flaky = (
        f"echo $(I) >> {trace}; [ $(I) -gt 3 ] || [ -e tried ] || {{ touch tried; exit 75; }}; [ $(I) != 1 ] || exit 4"
    )
    steps = (
        step("a", flaky)
        + step("b", "echo $(I)", depends="a")
        + step("mean", "cat $(b.workspace)/*K.$(K)*/*.out > sum", depends="b_*")
        + step("report", "cp $OLDPWD/none here || echo always > reported")
    )
    block = f"{{{pack}retry: {{75: 1}}, steps: {{mean: {{group: [b]}}, report: {{after: ['mean_*', a_*]}}}}}}"
    rows = "  I: {values: [1, 2, 3, 4, 5, 6], label: I.%%}\n  K: {values: [x, x, y, y, z, z], label: K.%%}"
    steps = steps.replace("echo $(I)\n", "echo $(I) $(K)\n").replace("/*.out > sum", "/*.out > sum # $(K)")
    out = tmp_path / "out"
    done = mtui.run("--no-ui", "-o", out, study(tmp_path, steps, block, rows), env=slurm.env, timeout=240)
    assert done.returncode == 2
    ran = Counter(trace.read_text().split())
    assert ran == {"1": 2, "2": 2, "3": 2, "4": 1, "5": 1, "6": 1}
    ends = mtui.statuses(out)
    assert ends["a_I.1"] == "failed"
    assert {name for name, status in ends.items() if status == "blocked"} == {"b_I.1.K.x", "mean_K.x"}
    assert (out / "mean" / "K.z" / "sum").read_text().split() == ["5", "z", "6", "z"]
    assert (out / "report" / "reported").read_text() == "always\n"
    started = [item["started_at"] for item in mtui.status(out)["instances"] if item["name"] == "report"]
    assert started[0] >= max(item["ended_at"] for item in mtui.status(out)["instances"] if item["step"] == "mean")


def test_part_of_a_study_and_the_rest_of_it_later(slurm: Cluster, tmp_path: Path) -> None:
    steps = (
        step("a", "echo a > a") + step("b", "cat $(a.workspace)/a > b", depends="a") + step("c", "true", depends="b")
    )
    code, out = run_study(slurm, tmp_path, steps, "--until", "a")
    assert (code, mtui.statuses(out)) == (0, {"a": "finished", "b": "skipped", "c": "skipped"})
    assert mtui.run("rerun", out, "b", env=slurm.env).returncode == 0
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == 0
    assert mtui.statuses(out) == {"a": "finished", "b": "finished", "c": "skipped"}
    assert (out / "b" / "b").read_text() == "a\n"
    assert not (out / "c").exists()
    assert mtui.run("done", out, "c", env=slurm.env).stdout.startswith("No driver is running")
    assert mtui.run("--no-ui", out, env=slurm.env).returncode == 0
    assert mtui.statuses(out)["c"] == "finished"


def test_jobs_that_cannot_be_launched_for_some_time_are_submitted_again(slurm: Cluster, tmp_path: Path) -> None:
    """Slurm cannot create their output: the array's folder, or the directory of the study, is away when they begin."""
    trace, out = tmp_path / "trace", tmp_path / "out"
    spec = mtui.write_study(
        tmp_path / "s.yaml",
        step("a", f"echo a$(I) >> {trace}") + step("b", f"echo b$(I) >> {trace}", depends="a"),
        batch=SHARED,
        parameters="  I: {values: [1, 2], label: I.%%}",
    )
    nodes = list(slurm.node_states())
    for node in nodes:
        slurm.set_node(node, "drain")
    driver = mtui.Driver("-s", "5", "-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("submitted", count=2)
    folders = out / ".mtui" / "submit"
    folders.rename(out / ".mtui" / "away")
    for node in nodes:
        slurm.set_node(node, "resume")
    driver.wait_for("retried", count=2, why="launch failure: retry 1 of 3")
    if not folders.exists():
        (out / ".mtui" / "away").rename(folders)
    assert driver.wait(120) == 0
    assert Counter(trace.read_text().split()) == Counter(["a1", "a2", "b1", "b2"])
    assert set(mtui.statuses(out).values()) == {"finished"}
