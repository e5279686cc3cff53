"""`mtui report` of a study on a real cluster, with what its accounting tells; while it runs, and after."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_studies import SHARED, run_study, step
from tests.unit.tui.report.test_report import Checked
from tests.waiting import wait_until

STEPS = step(
    "sim",
    "python3 -c 'x = bytearray(30_000_000); sum(i * i for i in range(3_000_000))'\n"
    "[ $(I) != 2 ] || { echo sad >&2; exit 3; }",
    where='procs: 2, walltime: "01:00:00"',
) + step("post", "true", depends="sim")


def test_report_has_requested_and_used_resources(slurm: Cluster, tmp_path: Path) -> None:
    rows = "  I: {values: [1, 2, 3], label: I.%%}"
    code, out = run_study(slurm, tmp_path, STEPS, parameters=rows)
    assert code == 2

    def table() -> list[dict[str, str]]:
        done = mtui.run("report", out, "--format", "csv", "-o", "-", env=slurm.env)
        assert done.returncode == 0
        return list(csv.DictReader(done.stdout.splitlines()))

    found = wait_until(lambda: [row for row in table() if row["core_seconds"]], 60, "accounting shows cores")
    assert {row["cores"] for row in found if row["step"] == "sim"} == {"2"}
    assert {row["walltime_seconds"] for row in found if row["step"] == "sim"} == {"3600"}
    assert len(table()) == 6
    done = mtui.run("report", out, env=slurm.env)
    assert (done.returncode, done.stdout) == (0, f"Written: {out}/report.html\n")
    words = " ".join(Checked((out / "report.html").read_text()).words)
    for reported in ("failed", "exit code 3", "sad", "walltime: the longest ran", "1 further instances were blocked"):
        assert reported in words
    text = mtui.run("report", out, "-o", tmp_path / "r.md", env=slurm.env)
    assert text.returncode == 0
    assert "| sim | 3 | 2 done, 1 failed |" in (tmp_path / "r.md").read_text()


@pytest.mark.parametrize("how", ["end", "ctrl-c"])
def test_page_is_rewritten_while_the_study_runs(slurm: Cluster, tmp_path: Path, how: str) -> None:
    go = tmp_path / "go"
    steps = step("a", f"while [ ! -e {go} ]; do sleep 0.1; done")
    spec = mtui.write_study(tmp_path / "study.yaml", steps, batch=SHARED)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started")
    watching = subprocess.Popen(
        [*mtui.COMMAND, "report", str(out), "--watch"], env=slurm.env, stdout=subprocess.PIPE, text=True
    )
    page = out / "report.html"
    wait_until(lambda: page.exists() and "1 running" in page.read_text(), 30, "the page says that it runs")
    assert "refresh" in page.read_text()
    if how == "ctrl-c":
        os.kill(watching.pid, signal.SIGINT)
        assert watching.wait(30) == 0
    go.touch()
    assert driver.wait() == 0
    if how == "end":
        reported, _ = watching.communicate(timeout=60)
        assert reported.splitlines()[-1] == "Study finished."
        assert "1 done" in page.read_text()
        assert "refresh" not in page.read_text()


def test_without_slurm_and_with_a_wrong_place_it_says_so(tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "study.yaml", "- {name: a, description: d, run: {cmd: 'true'}}")
    out = tmp_path / "out"
    assert mtui.run("--no-ui", "-o", out, spec).returncode == 0
    assert "it used no Slurm" in mtui.run("report", out, "-o", "-").stdout
    for words, reported in [(("-o", tmp_path), "is a directory"), (("-o", tmp_path / "no" / "r.html"), "cannot write")]:
        done = mtui.run("report", out, *words)
        assert (done.returncode, reported in done.stderr) == (2, True)
    done = mtui.run("report", out, "--watch", "-o", "-")
    assert (done.returncode, "--watch rewrites a file" in done.stderr) == (2, True)
