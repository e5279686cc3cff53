"""Rows that are added to a study that runs, or has ended: `mtui extend`."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests import mtui
from tests.waiting import wait_until


def study(folder: Path) -> Path:
    steps = f"""\
- name: sim
  description: d
  run: {{cmd: "echo sim_$(SIZE) >> {folder}/trace; while [ ! -e {folder}/go ]; do sleep 0.05; done"}}
- name: mean
  description: d
  run: {{cmd: "echo mean >> {folder}/trace; ls $(sim.workspace) > sizes", depends: [sim_*]}}
"""
    return mtui.write_study(folder / "study.yaml", steps, parameters="  SIZE: {values: [1, 2], label: SIZE.%%}")


def ran(folder: Path) -> Counter[str]:
    return Counter((folder / "trace").read_text().split())


def test_rows_are_added_while_the_study_runs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    driver = mtui.Driver("--local-jobs", "2", "-o", out, study(tmp_path), log=tmp_path / "log")
    wait_until(lambda: (tmp_path / "trace").exists() and len(ran(tmp_path)) == 2, 30, "two run")
    watcher = mtui.Driver(out, log=tmp_path / "watched")
    done = mtui.run("extend", out, "--params", "SIZE=1,2,3,4")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "2 rows with 2 instances added to t.\ndone\n"
    (tmp_path / "go").touch()
    assert (driver.wait(), watcher.wait()) == (0, 0)
    assert ran(tmp_path) == {"sim_1": 1, "sim_2": 1, "sim_3": 1, "sim_4": 1, "mean": 1}
    assert (out / "mean" / "sizes").read_text().split() == ["SIZE.1", "SIZE.2", "SIZE.3", "SIZE.4"]
    assert set(mtui.statuses(out).values()) == {"finished"}


def test_watcher_that_takes_over_knows_the_rows_that_were_added(tmp_path: Path) -> None:
    out = tmp_path / "out"
    driver = mtui.Driver("--local-jobs", "2", "-o", out, study(tmp_path), log=tmp_path / "log")
    wait_until(lambda: (tmp_path / "trace").exists() and len(ran(tmp_path)) == 2, 30, "two run")
    watcher = mtui.Driver(out, log=tmp_path / "watched")
    assert mtui.run("extend", out, "--params", "SIZE=1,2,3,4").returncode == 0
    driver.wait_for("plan_extended")
    wait_until(lambda: not list((out / ".mtui" / "inbox" / "new").iterdir()), 20, "the command is put away")
    driver.kill()
    (tmp_path / "go").touch()
    assert watcher.wait() == 0
    assert ran(tmp_path) == {"sim_1": 1, "sim_2": 1, "sim_3": 1, "sim_4": 1, "mean": 1}


def test_rows_that_could_not_be_added_can_be_added_later(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    out, spec = tmp_path / "out", study(tmp_path)
    assert mtui.run("--no-ui", "-o", out, spec).returncode == 0
    spec.write_text(spec.read_text().replace("[1, 2]", "[1, 2, 3]"))
    (out / "study-2.yaml").mkdir()
    done = mtui.run("extend", out, spec)
    assert (done.returncode, "cannot write" in done.stderr) == (2, True), done.stderr
    (out / "study-2.yaml").rmdir()
    assert mtui.run("extend", out, spec).returncode == 0


@pytest.mark.parametrize("how", ["params", "file"])
def test_rows_are_added_to_a_study_that_has_ended(tmp_path: Path, how: str) -> None:
    (tmp_path / "go").touch()
    out, spec = tmp_path / "out", study(tmp_path)
    assert mtui.run("--no-ui", "-o", out, spec).returncode == 0
    if how == "params":
        done = mtui.run("extend", out, "--params", "SIZE=2,3")
    else:
        spec.write_text(spec.read_text().replace("[1, 2]", "[1, 2, 3]"))
        done = mtui.run("extend", out, spec)
    assert "1 row with 1 instance added" in done.stdout
    waits = "1 instance added by mtui extend: the next driver adds them"
    assert waits in mtui.run("status", out).stdout
    assert "It was added to the study; the next driver adds it." in mtui.run("why", out, "sim_SIZE.3").stdout
    assert json.loads(mtui.run("report", out, "--json").stdout)["counts"] == {"waiting": 1, "done": 3}
    assert mtui.run("--no-ui", out).returncode == 0
    assert waits not in mtui.run("status", out).stdout
    assert ran(tmp_path) == {"sim_1": 1, "sim_2": 1, "sim_3": 1, "mean": 2}
    assert (out / "mean" / "sizes").read_text().split() == ["SIZE.1", "SIZE.2", "SIZE.3"]
    assert (out / "study-2.yaml").exists() is (how == "file")
    again = mtui.run("extend", out, "--params", "SIZE=1,2,3")
    assert (again.returncode, "the study already has all these rows" in again.stderr) == (2, True)


def test_driver_that_is_killed_before_it_took_the_rows_in_is_followed_by_one_that_does(tmp_path: Path) -> None:
    out = tmp_path / "out"
    driver = mtui.Driver("--local-jobs", "2", "-o", out, study(tmp_path), log=tmp_path / "log")
    wait_until(lambda: (tmp_path / "trace").exists() and len(ran(tmp_path)) == 2, 30, "two run")
    driver.signal(signal.SIGSTOP)
    mtui.run("extend", out, "--params", "SIZE=3")  # waits for an answer that does not come
    wait_until(lambda: mtui.status(out)["counts"].get("skipped") == 1, 30, "the plan has the new row")
    driver.kill()
    (tmp_path / "go").touch()
    assert mtui.run("--no-ui", out).returncode == 0
    assert ran(tmp_path) == {"sim_1": 1, "sim_2": 1, "sim_3": 1, "mean": 1}


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        ("--params COLOUR=red,blue", "--params: parameter 'COLOUR' is used by no step"),
        ("--params SIZE", "--params 'SIZE' is not NAME=VALUE"),
        ("nosuch.yaml", "nosuch.yaml: no such file"),
        ("", "the study already has all these rows"),
    ],
)
def test_what_cannot_be_added_is_reported_and_changes_nothing(tmp_path: Path, words: str, reported: str) -> None:
    (tmp_path / "go").touch()
    out = tmp_path / "out"
    assert mtui.run("--no-ui", "-o", out, study(tmp_path)).returncode == 0
    before = (out / ".mtui" / "study.json").read_bytes()
    done = mtui.run("extend", out, *words.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert reported in done.stderr
    assert (out / ".mtui" / "study.json").read_bytes() == before
    assert not list((out / ".mtui").glob("extended-*"))
