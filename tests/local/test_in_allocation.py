"""A study that uses the allocation its driver runs in; `srun` starts the worker on this host, so no Slurm is needed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests import mtui
from tests.waiting import wait_until

SRUN = """#!/bin/sh
export SLURMD_NODENAME=node1 SLURM_LAUNCH_NODE_IPADDR=127.0.0.1 SLURM_CPUS_ON_NODE=1000
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """In an allocation with one minute left."""
    tools = tmp_path / "tools"
    tools.mkdir()
    programs = {"srun": SRUN, "squeue": "#!/bin/sh\ncase $* in *%L*) echo 1:00 ;; esac\n"}
    for name in ("sbatch", "sacct", "scancel", "scontrol", "sinfo", "sacctmgr"):
        programs[name] = "#!/bin/sh\n"
    for name, text in programs.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o700)
    job = f"7{os.getpid()}"
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    state = str(tmp_path / "state")
    return {"PATH": path, "SLURM_JOB_ID": job, "SLURM_JOB_NUM_NODES": "1", "XDG_STATE_HOME": state}


def run_inside(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [*map(str, mtui.COMMAND), "--in-allocation", "--no-ui", *words]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, timeout=90, check=False)


def test_what_is_too_long_for_the_rest_of_the_allocation_ends_the_driver_with_the_reason(
    tmp_path: Path, env: dict[str, str]
) -> None:
    spec, out = tmp_path / "s.yaml", tmp_path / "out"
    spec.write_text(
        "description: {name: q, description: d}\n"
        'batch: {type: slurm, host: h, bank: "", queue: ""}\n'
        "study:\n"
        '- {name: long, description: d, run: {cmd: "echo hi", procs: 1, walltime: "00:05:00"}}\n'
        '- {name: short, description: d, run: {cmd: "echo hi", procs: 1, walltime: "00:00:10"}}\n'
    )
    done = run_inside(env, "-o", str(out), str(spec))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not enough for long (walltime 00:05:00)" in done.stdout, "while the other runs"
    assert f"mtui: allocation {env['SLURM_JOB_ID']} has " in done.stderr
    assert "hint: " in done.stderr
    assert mtui.statuses(out) == {"long": "ready", "short": "finished"}
    why = mtui.run("why", out, "long").stdout
    assert "Its walltime (0:05:00) does not fit into what is left of allocation" in why
    assert "about to be" not in why
    assert "1 instance cannot run" in mtui.run("status", out).stdout


def test_second_study_in_an_allocation_is_refused_and_may_follow_the_first(tmp_path: Path, env: dict[str, str]) -> None:
    """Each of two leaders would use all cores."""
    go = tmp_path / "go"
    step = f'{{cmd: "touch {tmp_path}/here; until [ -e {go} ]; do sleep 0.1; done", procs: 1, walltime: "00:00:30"}}'
    spec = tmp_path / "s.yaml"
    spec.write_text(
        'description: {name: q, description: d}\nbatch: {type: slurm, host: h, bank: "", queue: ""}\n'
        f"study: [{{name: a, description: d, run: {step}}}]\n"
    )
    one, two = tmp_path / "one", tmp_path / "two"
    command = [*map(str, mtui.COMMAND), "--in-allocation", "--no-ui", "-o", str(one), str(spec)]
    with subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.DEVNULL) as first:
        wait_until((tmp_path / "here").exists, 60, "the first runs its instance")
        refused = run_inside(env, "-o", str(two), str(spec))
        assert refused.returncode == 2, refused.stdout + refused.stderr
        assert f"is used by the study {one}" in refused.stderr
        assert not two.exists()
        go.touch()
        assert first.wait(60) == 0
    after = run_inside(env, "-o", str(two), str(spec))
    assert after.returncode == 0, after.stdout + after.stderr
