"""Drivers that die, meet, are cut off, or lose their directory: another continues, and nothing runs twice."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from mtui.core.store import inbox
from tests import mtui
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

LOCAL = """\
description: {{name: take_over, description: d}}
study:
- name: s
  description: d
  run: {{cmd: "echo $(I) >> {trace}; while [ ! -e {go} ]; do sleep 0.05; done"}}
- name: all
  description: d
  run: {{cmd: "echo all >> {trace}", depends: ["s_*"]}}
global.parameters:
  I: {{values: [{rows}], label: "I.%%"}}
"""


def study(tmp_path: Path, rows: int = 3, slurm: bool = False) -> tuple[Path, Path, Path]:
    """A study whose payloads write into a trace and wait for a file; spec, trace and that file."""
    trace, go = tmp_path / "trace", tmp_path / "go"
    trace.touch()
    spec = tmp_path / "study.yaml"
    text = LOCAL.format(trace=trace, go=go, rows=", ".join(map(str, range(rows))))
    if slurm:
        text = text.replace('done"}', 'done", procs: 1, walltime: "00:10:00"}').replace(
            "study:", "batch: {type: slurm, host: h, bank: m1234, queue: shared, qos: regular}\nstudy:", 1
        )
    spec.write_text(text)
    return spec, trace, go


def ran_once(trace: Path, rows: int) -> bool:
    return Counter(trace.read_text().split()) == Counter([*map(str, range(rows)), "all"])


def test_two_drivers_at_the_same_moment_one_holds_the_other_watches(tmp_path: Path) -> None:
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        spec, trace, go = study(folder, rows=2)
        out = folder / "out"
        go.touch()
        assert mtui.run("--dry", "-o", out, spec).returncode == 0
        both = [mtui.Driver("-y", out, log=folder / f"log{which}") for which in (1, 2)]
        assert [driver.wait() for driver in both] == [0, 0]
        assert ran_once(trace, 2), f"round {number}: {trace.read_text()}"
        assert len(list((out / ".mtui" / "owner").glob("*.released"))) <= 2


def test_second_driver_watches_and_takes_over_from_a_killed_one(tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=2)
    out = tmp_path / "out"
    first = mtui.Driver("-o", out, spec, log=tmp_path / "first")
    wait_until(lambda: len(trace.read_text().split()) == 2, 20, "both payloads run")
    second = subprocess.Popen([*mtui.COMMAND, "--no-ui", str(out)], stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None
    lines = [second.stdout.readline() for _ in range(2)]
    assert f"process {first.process.pid} on" in lines[1]
    first.kill()
    go.touch()
    rest = second.communicate(timeout=60)[0]
    assert "taking over" in rest
    assert second.returncode == 0
    assert ran_once(trace, 2)


def test_local_step_that_is_about_to_write_its_claim_runs_once(tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=1)
    out = tmp_path / "out"
    first = mtui.Driver("-o", out, spec, log=tmp_path / "first", env={**os.environ, "MTUI_FAULT": "submit.acted"})
    first.wait()
    wait_until(trace.read_text, 20, "the payload runs")
    claim = out / ".mtui" / "claims" / "0.1"
    owner = claim.read_text()
    claim.write_text("")  # as it is between two writes of its runner
    # The second runner sleeps until it looks at the claim again: here until the first has written its word.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "sleep").write_text(f"#!/bin/sh\nuntil [ -s '{claim}' ]; do {shutil.which('sleep')} 0.05; done\n")
    (tools / "sleep").chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    second = mtui.Driver(out, log=tmp_path / "second", env=env)
    second.wait_for("submit_missed")
    second.wait_for("submitted")
    claim.write_text(owner)
    second.wait_for("started", job=owner.strip())
    go.touch()
    assert second.wait() == 0
    assert ran_once(trace, 1)


def test_watching_ends_with_ctrl_c_and_the_study_continues(tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=1)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log")
    wait_until(trace.read_text, 20, "the payload runs")
    viewer = subprocess.Popen([*mtui.COMMAND, "--no-ui", str(out)], stdout=subprocess.PIPE, text=True)
    assert viewer.stdout is not None
    while "watching" not in viewer.stdout.readline():
        pass
    viewer.send_signal(signal.SIGINT)
    assert viewer.wait(20) == 130
    go.touch()
    assert driver.wait() == 0
    assert ran_once(trace, 1)


@pytest.mark.parametrize("accounting", [True, False])
def test_twenty_jobs_that_end_unseen_are_all_known(slurm: Cluster, tmp_path: Path, accounting: bool) -> None:
    env = slurm.env if accounting else slurm.without_accounting
    spec, trace, go = study(tmp_path, rows=20, slurm=True)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=env)
    wait_until(lambda: len(trace.read_text().split()) == 20, 60, "twenty payloads run")
    driver.kill()
    go.touch()
    squeue = ("squeue", "--noheader", "--me", "--states=running,pending,completing")
    wait_until(lambda: not slurm.run(*squeue).stdout.strip(), 60, "no job is left in the queue")
    assert mtui.run("--no-ui", out, env=env).returncode == 0
    assert ran_once(trace, 20)


@pytest.mark.parametrize("cut", [0, 1, 7, 40, 90, 150, 220])
def test_journal_that_lost_its_end_continues(tmp_path: Path, cut: int) -> None:
    """The bytes that a driver had not yet put on the disk are gone after a crash of its machine."""
    spec, trace, go = study(tmp_path, rows=2)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log")
    wait_until(lambda: len(trace.read_text().split()) == 2, 20, "both payloads run")
    driver.kill()
    journal = out / ".mtui" / "journal" / "000001.jsonl"
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size - cut])
    go.touch()
    done = mtui.run("--no-ui", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran_once(trace, 2)


def test_directory_that_vanishes_ends_the_driver_with_a_message(tmp_path: Path) -> None:
    spec, trace, _ = study(tmp_path, rows=1)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log")
    wait_until(trace.read_text, 20, "the payload runs")
    shutil.rmtree(out, ignore_errors=True)
    assert driver.wait(60) == 1
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "mtui: " in log
    (tmp_path / "go").touch()


def test_hangup_hands_the_study_over(tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=2)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log")
    wait_until(lambda: len(trace.read_text().split()) == 2, 20, "both payloads run")
    driver.signal(signal.SIGHUP)
    assert driver.wait(60) == 0
    owner = mtui.status(out)["driver"]
    assert owner
    assert f"process {driver.process.pid} " not in owner
    go.touch()
    wait_until(lambda: mtui.status(out)["result"] == "finished", 30, "the successor finishes the study")
    assert ran_once(trace, 2)


def test_detach_command_hands_the_study_over(tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=2)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log")
    wait_until(lambda: len(trace.read_text().split()) == 2, 20, "both payloads run")
    assert mtui.run("detach", out).returncode == 0
    assert driver.wait(60) == 0
    go.touch()
    wait_until(lambda: mtui.status(out)["result"] == "finished", 30, "the successor finishes the study")
    assert ran_once(trace, 2)


ELSEWHERE = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere; exec "$@"', "sh"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a process another host name")
def test_local_step_that_another_host_was_starting_continues_there(tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=1)
    out = tmp_path / "out"
    first = [*ELSEWHERE, *mtui.COMMAND, "--no-ui", "-o", str(out), str(spec)]
    subprocess.run(first, env={**os.environ, "MTUI_FAULT": "submit.acted"}, stdout=subprocess.DEVNULL, check=False)
    wait_until(trace.read_text, 20, "the payload runs")
    (out / ".mtui" / "owner" / "000001.released").touch()  # so that nobody has to wait for its heartbeat
    second = mtui.Driver(out, log=tmp_path / "second")
    second.wait_for("submitted", node="elsewhere")
    go.touch()
    assert second.wait() == 0
    assert ran_once(trace, 1)


def test_command_that_was_obeyed_is_not_obeyed_again_by_the_next_driver(tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=1)
    out = tmp_path / "out"
    first = mtui.Driver("-o", out, spec, log=tmp_path / "first", env={**os.environ, "MTUI_FAULT": "command.synced"})
    wait_until(trace.read_text, 20, "the payload runs")
    inbox.send_command(out / ".mtui" / "inbox", "stop", (), {})
    assert first.wait() == -signal.SIGKILL
    second = mtui.Driver(out, log=tmp_path / "second")
    second.wait_for("driver_started")
    go.touch()
    assert second.wait() == 0
    assert ran_once(trace, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a process another host name")
def test_driver_of_another_host_is_followed_when_its_heartbeat_is_silent(slurm: Cluster, tmp_path: Path) -> None:
    spec, trace, go = study(tmp_path, rows=3, slurm=True)
    out = tmp_path / "out"
    first = subprocess.Popen(
        [*ELSEWHERE, *mtui.COMMAND, "--no-ui", "-o", str(out), str(spec)], env=slurm.env, stdout=subprocess.DEVNULL
    )
    wait_until(lambda: len(trace.read_text().split()) == 3, 60, "three payloads run")
    assert "on elsewhere" in mtui.status(out)["driver"]
    # A command reaches it although it sits on another node.
    reported = mtui.run("update", out, "-t", "7", env=slurm.env)
    assert (reported.returncode, reported.stdout) == (0, "done: throttle set to 7\n")
    first.kill()
    first.wait()
    assert "on elsewhere" in mtui.status(out)["driver"]  # nobody can know better from here so soon
    hours_ago = time.time() - 7200
    os.utime(out / ".mtui" / "owner" / "000001.beat", (hours_ago, hours_ago))
    assert mtui.status(out)["driver"] == ""
    seems = r"The last driver seems to have ended.* on elsewhere .*, no heartbeat for 2h"
    reported = mtui.run("status", out).stdout
    assert re.search(rf"No driver is running\. {seems}", reported), reported
    go.touch()
    done = mtui.run("--no-ui", out, env=slurm.env, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(seems, done.stdout)
    assert "taking over" in done.stdout
    assert ran_once(trace, 3)


# --- a new driver that dies at once

# A driver whose `sys.executable` is a script: so its successor is that, too.
WITH_PYTHON = """\
import sys
sys.executable = sys.argv[1]
from mtui.core.driver import supervisor
supervisor.SUCCESSOR_WAIT = 0.3
from mtui.tui.cli.main import main
sys.exit(main(["--no-ui", *sys.argv[2:]]))
"""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("echo broken >&2; exit 4", "no driver could be started in the background: it exited with code 4: broken"),
        ('eval "printf + >&$MTUI_READY_FD"; echo late >&2', "the new driver did not take over the study (late)"),
    ],
    ids=["before it is ready", "after"],
)
def test_detach_is_done_only_when_the_new_driver_holds_the_lease(tmp_path: Path, body: str, why: str) -> None:
    spec, trace, go = study(tmp_path, rows=1)
    out, python = tmp_path / "out", tmp_path / "python"
    python.write_text(f"#!/bin/bash\n{body}\n")
    python.chmod(0o755)
    words = [sys.executable, "-c", WITH_PYTHON, str(python), "-o", str(out), str(spec)]
    with (tmp_path / "log").open("w") as log:
        driver = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    wait_until(lambda: trace.read_text() == "0\n", 30, "the payload runs")
    done = mtui.run("detach", out)
    assert done.returncode == 1
    assert done.stdout.startswith(f"refused: {why}")
    assert f"process {driver.pid}" in done.stdout
    assert f"process {driver.pid} " in mtui.status(out)["driver"]
    go.touch()
    assert driver.wait(60) == 0
    assert ran_once(trace, 1)
