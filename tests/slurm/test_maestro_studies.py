"""Studies that the real Maestro runs, as mtui shows them; and studies of mtui, as Maestro shows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_studies import SHARED, step
from tests.terminal.screen import Terminal, environment
from tests.waiting import wait_until

MAESTRO = Path(sys.executable).with_name("maestro")


def maestro(*words: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    given = {**(env or os.environ), "USER": "root", "COLUMNS": "300"}
    command = [str(MAESTRO), *map(str, words)]
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)


def study(folder: Path, *, batch: str = "") -> Path:
    where = 'procs: 1, walltime: "00:05:00"' if batch else ""
    steps = (
        step("sim", f"echo out $(I); while [ ! -e {folder}/go ]; do sleep 0.1; done; [ $(I) != 2 ]", where=where)
        + step("post", "echo post", depends="sim", where=where)
        + step("all", "true", depends="post_*", where="")
    )
    rows = "  I: {values: [1, 2, 3], label: I.%%}"
    return mtui.write_study(folder / "study.yaml", steps, batch=batch, parameters=rows, name="of maestro")


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a directory with its size and time of change."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.exists()
    }


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A study that Maestro has run to its end, one of its rows failed."""
    (tmp_path / "go").touch()
    out = tmp_path / "out"
    done = maestro("run", "-fg", "-y", "-s", "1", "-o", out, study(tmp_path))
    assert done.returncode == 2, done.stderr[-2000:]
    return out


ENDS = {
    "sim_I.1": "finished", "sim_I.2": "failed", "sim_I.3": "finished",
    "post_I.1": "finished", "post_I.2": "blocked", "post_I.3": "finished", "all": "blocked",
}  # fmt: skip


def test_finished_study_of_maestro_is_read_and_never_touched(finished: Path) -> None:
    before = everything(finished)
    assert mtui.statuses(finished) == ENDS
    reported = mtui.run("status", finished).stdout
    assert "Maestro drives this study; mtui only shows it. It last wrote at" in reported
    why = mtui.run("why", finished, "all").stdout
    assert "It depends on 1 instance that did not finish" in why
    assert "next:" not in why
    assert mtui.run("log", finished, "sim_I.3").stdout == "out 3\n"
    assert "2 done, 1 failed" in mtui.run("report", finished, "-o", "-", "--format", "md").stdout
    for words in (["cancel"], ["retry"], ["hold"], ["done", "sim"], ["update", "-t", "1"], ["extend"], ["submit"],
                  ["stop"], ["report"]):  # fmt: skip
        done = mtui.run(words[0], finished, *words[1:])
        assert (done.returncode, "Maestro drives this study" in done.stderr) == (2, True), words
    for words in (["--no-ui"], []):  # and without a terminal
        done = mtui.run(*words, finished)
        assert (done.returncode, "cannot drive it" in done.stderr) == (2, True)
    assert everything(finished) == before


@pytest.mark.parametrize("lost", ["spec", "line"])
def test_study_whose_spec_or_table_is_not_whole_is_shown_as_far_as_it_goes(finished: Path, lost: str) -> None:
    table = finished / "status.csv"
    if lost == "spec":
        (finished / "study.yaml").unlink()
        assert mtui.statuses(finished) == {**ENDS, "post_I.2": "waiting", "all": "waiting"} or set(
            mtui.statuses(finished)
        ) == set(ENDS)
    else:
        table.write_text(table.read_text()[:-40])
        assert set(mtui.statuses(finished).values()) >= {"finished", "failed"}


def test_numbered_workspaces_are_found(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    out = tmp_path / "out"
    maestro("run", "-fg", "-y", "-s", "1", "--hashws", "-o", out, study(tmp_path))
    assert mtui.statuses(out) == ENDS
    assert mtui.run("log", out, "sim_I.3").stdout == "out 3\n"


@pytest.fixture
def running(slurm: Cluster, tmp_path: Path) -> Iterator[tuple[Path, Cluster]]:
    """A study that Maestro drives on a real cluster; `go` in its folder lets it end."""
    out = tmp_path / "out"
    words = [str(MAESTRO), "run", "-fg", "-y", "-s", "1", "-o", str(out), str(study(tmp_path, batch=SHARED))]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(words, env={**slurm.env, "USER": "root"}, stdout=log, stderr=log)
    yield out, slurm
    (tmp_path / "go").touch()
    process.wait(120)


def test_running_study_of_maestro_is_followed_in_the_app(running: tuple[Path, Cluster], tmp_path: Path) -> None:
    out, slurm = running
    wait_until(lambda: (out / "status.csv").exists() and "RUNNING" in (out / "status.csv").read_text(), 60, "it runs")
    home = tmp_path / "home"
    home.mkdir()
    terminal = Terminal(str(out), env=environment(home, slurm.env), size=(140, 40))
    try:
        terminal.wait_for("Maestro's study, read-only")
        terminal.wait_for("▸ running 3")
        terminal.wait_for("out 1")
        terminal.keys("c")
        terminal.wait_for("Yes, ")
        terminal.keys("y")
        terminal.wait_for("cannot cancel it")
        (tmp_path / "go").touch()
        terminal.wait_for("✗ failed 1", 60)
        terminal.wait_for("✓ done 4", 60)
        terminal.keys("q")
        assert terminal.exit_code() == 2
    finally:
        terminal.close()
    assert not (out / ".mtui").exists()


@pytest.mark.parametrize("layout", ["flat", "legacy", "narrow"])
def test_maestro_shows_a_study_of_mtui(tmp_path: Path, layout: str) -> None:
    (tmp_path / "go").touch()
    out = tmp_path / "out"
    assert mtui.run("--no-ui", "-o", out, study(tmp_path)).returncode == 2
    done = maestro("status", "--disable-pager", "--disable-theme", "--layout", layout, out)
    assert done.returncode == 0, done.stderr
    reported = " ".join(done.stdout.split())
    assert "FINISHED" in reported
    assert "FAILED" in reported
    for name in ENDS if layout == "legacy" else ("sim_I.1", "all"):
        assert name[:5] in reported


def test_program_reads_a_study_of_maestro(finished: Path) -> None:
    found = json.loads(mtui.run("status", finished, "--json").stdout)
    assert (found["result"], found["driver"]) == ("failed", "")
    attempts = {item["name"]: item["attempt"] for item in found["instances"]}
    assert attempts["sim_I.1"] == 1
    assert attempts["all"] == 0
