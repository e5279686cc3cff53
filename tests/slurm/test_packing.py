"""Studies whose instances share allocations, on a real cluster: what they share, and what they do not lose."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.lone_allocation import running
from tests.slurm.test_arrays import calls, rows
from tests.slurm.test_commands import state_of, until_begun, wait_file
from tests.slurm.test_studies import SHARED, step
from tests.waiting import wait_until


def write(tmp_path: Path, steps: str, pack: str = "cores: 4", count: int = 6) -> Path:
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(count))
    spec.write_text(f"{spec.read_text()}mtui: {{pack: {{{pack}}}}}\n")
    return spec


def instances(out: Path) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in mtui.status(out)["instances"]}


def events(out: Path, kind: str) -> list[dict[str, Any]]:
    """Everything of one kind that the journal tells, from all drivers."""
    lines = [line for path in sorted((out / ".mtui" / "journal").glob("*.jsonl")) for line in path.open()]
    return [event for event in map(json.loads, lines) if event["type"] == kind]


def test_sweep_and_funnel_share_one_allocation(slurm: Cluster, tmp_path: Path) -> None:
    steps = (
        step("sim", "echo $(I) | tee x; echo err $(I) >&2")
        + step("post", "sed s/^/post/ $(sim.workspace)/x", depends="sim")
        + step("all", "cat $(post.workspace)/*/*.out; echo $SLURM_NTASKS $SLURM_JOB_NAME", depends="post_*")
    )
    out = tmp_path / "out"
    done = mtui.run("--no-ui", "-o", out, write(tmp_path, steps, count=20), env=slurm.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(calls(out)) == 1
    for number in range(20):
        place = out / "sim" / f"I.{number}"
        assert (place / f"sim_I.{number}.out").read_text() == f"{number}\n"
        assert (place / f"sim_I.{number}.err").read_text() == f"err {number}\n"
    lines = (out / "all" / "all.out").read_text().splitlines()
    assert sorted(lines[:-1]) == sorted(f"post{number}" for number in range(20))
    assert lines[-1] == "1 all"
    (job,) = {item["job"] for item in instances(out).values()}
    wait_until(lambda: slurm.job_state(job) == "COMPLETED", 30, "the allocation has ended cleanly")


@pytest.mark.parametrize("alive", [True, False], ids=["with a driver", "without one"])
def test_allocation_runs_without_a_driver(slurm: Cluster, tmp_path: Path, alive: bool) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = (
        step("a", f"echo a$(I) >> {trace}; {wait_file(go)}")
        + step("b", f"echo b$(I) >> {trace}", depends="a")
        + step("last", f"echo last >> {trace}", depends="b_*")
    )
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, write(tmp_path, steps), log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started", count=4)
    state_of(out, "last", "bound", 60)  # given to the allocation, with all that is above it
    if not alive:
        driver.kill()
    go.touch()
    if not alive:
        wait_until(lambda: trace.exists() and "last" in trace.read_text().split(), 60, "the last step ran")
        assert mtui.run("--no-ui", out, env=slurm.env).returncode == 0
    else:
        assert driver.wait() == 0
    expected = [f"{name}{number}" for name in "ab" for number in range(6)]
    assert Counter(trace.read_text().split()) == Counter([*expected, "last"])
    assert (len(calls(out)), set(mtui.statuses(out).values())) == (1, {"finished"})


def test_next_driver_sends_the_leader_nothing_about_what_is_over(slurm: Cluster, tmp_path: Path) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    steps = step("a", "echo $(I)") + step("b", wait_file(go), depends="a")
    first = mtui.Driver("-o", out, write(tmp_path, steps, count=3), log=tmp_path / "log", env=slurm.env)
    first.wait_for("ended", count=3)
    first.wait_for("started", count=6)
    first.kill()
    second = mtui.Driver(out, log=tmp_path / "log2", env=slurm.env)
    second.wait_for("driver_started")
    go.touch()
    assert second.wait() == 0
    (given,) = (out / ".mtui" / "allocations").glob("*.list")
    assert "cancel" not in given.read_text()


def test_one_instance_is_cancelled_and_retried_without_touching_its_neighbours(slurm: Cluster, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = step("a", f"echo a$(I) >> {trace}; {wait_file(go)}") + step("b", f"echo b$(I) >> {trace}", depends="a")
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, write(tmp_path, steps), log=tmp_path / "log", env=slurm.env)
    until_begun(trace, 4)  # of six: the others wait for a core

    def of_status(wanted: str) -> list[str]:
        return [name for name, status in mtui.statuses(out).items() if status == wanted]

    wait_until(lambda: (len(of_status("running")), len(of_status("pending"))) == (4, 2), 60, "four run, two wait")
    begun, waiting = of_status("running"), of_status("pending")
    assert mtui.run("cancel", "-y", out, begun[0], waiting[0], env=slurm.env).returncode == 0
    driver.wait_for("ended", count=2, status="cancelled")
    driver.wait_for("started", count=5)  # the core is free for the one that waited
    assert mtui.run("retry", out, begun[0], waiting[0], env=slurm.env).returncode == 0
    driver.wait_for("retried", count=2)
    go.touch()
    assert driver.wait() == 0
    ran = Counter(trace.read_text().split())
    twice = begun[0].replace("_I.", "")
    expected = Counter({f"{name}{number}": 1 for name in "ab" for number in range(6)})
    assert ran == expected + Counter({twice: 1})
    assert len(calls(out)) == 1


def test_ends_have_their_names_and_causes(slurm: Cluster, tmp_path: Path) -> None:
    steps = (
        step("fine", "echo fine")
        + step("exit3", "exit 3")
        + step("killed", "kill -9 $$")
        + step("overtime", "sleep 300", where='procs: 1, walltime: "00:00:02"')
        + step("child", "echo never", depends="exit3")
        + step("alone", "echo alone")
    )
    out = tmp_path / "out"
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED)
    spec.write_text(spec.read_text() + "mtui: {pack: {steps: [fine, exit3, killed, overtime, child]}}\n")
    assert mtui.run("--no-ui", "-o", out, spec, env=slurm.env, timeout=240).returncode == 2
    found = instances(out)
    assert {name: item["status"] for name, item in found.items()} == {
        "fine": "finished",
        "exit3": "failed",
        "killed": "failed",
        "overtime": "timed out",
        "child": "blocked",
        "alone": "finished",
    }
    assert "exit code 3" in found["exit3"]["cause"]
    assert "signal KILL" in found["killed"]["cause"]
    assert found["overtime"]["cause"] == "exceeded its walltime"
    assert len(calls(out)) == 2  # what is not packed is a separate job


def test_killed_worker_loses_nothing_and_runs_nothing_twice(slurm: Cluster, tmp_path: Path) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = step("a", f"echo begin$(I) >> {trace}; {wait_file(go)}; echo end$(I) >> {trace}")
    out = tmp_path / "out"
    spec = write(tmp_path, steps, "cores: 3, nodes: 2")
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started", count=6)
    until_begun(trace, 6)
    victim, other = running(slurm, instances(out)["a_I.0"]["job"], "worker")
    os.kill(victim, signal.SIGKILL)
    driver.wait_for("returned")
    driver.wait_for("started", count=9)
    go.touch()
    assert driver.wait() == 0
    ran = Counter(trace.read_text().split())
    assert {ran[f"end{number}"] for number in range(6)} == {1}
    assert sorted(ran[f"begin{number}"] for number in range(6)) == [1, 1, 1, 2, 2, 2]
    causes = {event["cause"] for event in events(out, "returned")}
    assert len(causes) == 1
    assert "worker" in causes.pop()
    assert len(calls(out)) == 1
    assert other


@pytest.mark.parametrize("how", ["scancel", "node down"])
def test_allocation_that_goes_returns_what_it_had(slurm: Cluster, tmp_path: Path, how: str) -> None:
    go, trace = tmp_path / "go", tmp_path / "trace"
    steps = step("a", f"echo begin$(I) >> {trace}; {wait_file(go)}; echo end$(I) >> {trace}") + step(
        "b", f"echo b$(I) >> {trace}", depends="a"
    )
    out = tmp_path / "out"
    driver = mtui.Driver("-s", "5", "-o", out, write(tmp_path, steps), log=tmp_path / "log", env=slurm.env)
    driver.wait_for("started", count=4)
    (node,) = driver.wait_for("allocation_began")[0]["hosts"]
    job = driver.wait_for("allocation_queued")[0]["job"]
    if how == "scancel":
        slurm.run("scancel", job)
    else:
        slurm.set_node(node, "down")
    try:
        over = driver.wait_for("allocation_over", seconds=90)[0]
    finally:
        if how == "node down":
            slurm.set_node(node, "resume")
    assert over["status"] == ("cancelled" if how == "scancel" else "node failed")
    assert job in over["cause"]
    go.touch()
    assert driver.wait(120) == 0
    ran = Counter(trace.read_text().split())
    assert {ran[f"end{number}"] for number in range(6)} == {1}
    assert {ran[f"b{number}"] for number in range(6)} == {1}
    returned = [tuple(member) for event in events(out, "returned") for member in event["members"]]
    assert len(returned) == len(set(returned)) == 12  # four that ran, two that waited, and their six dependents
    why = mtui.run("why", out, "a_I.0", env=slurm.env).stdout
    assert "finished" in why
    assert len(calls(out)) == 2


def test_allocation_that_reaches_its_walltime_is_followed_by_another(slurm: Cluster, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    long = f"echo begin >> {trace}; [ $(wc -l < {trace}) -gt 1 ] || while true; do sleep 0.2; done; echo end >> {trace}"
    steps = step("long", long, where="procs: 1") + step("row", "true", where='procs: 1, walltime: "00:00:30"')
    out = tmp_path / "out"
    spec = write(tmp_path, steps, 'cores: 2, walltime: "00:01:05"')
    done = mtui.run("--no-ui", "-s", "5", "-o", out, spec, env=slurm.env, timeout=240)
    assert done.returncode == 0, done.stdout
    first, second = events(out, "allocation_over")[0], events(out, "allocation_queued")[1]
    assert (first["status"], second["job"] != first["allocation"]) == ("timed out", True)
    assert first["cause_code"] == "allocation_walltime"
    assert trace.read_text().split() == ["begin", "begin", "end"]


def test_existing_allocation_is_used_on_request(slurm: Cluster, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    steps = step("a", f"echo a$(I) $SLURM_JOB_ID >> {trace}") + step("last", f"echo last >> {trace}", depends="a_*")
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(8))
    out = tmp_path / "out"
    command = [*mtui.COMMAND, "--no-ui", "--in-allocation", "-o", out, spec]
    done = subprocess.run(
        ["salloc", "--nodes=2", "--partition=shared", "--quiet", *map(str, command)],
        env=slurm.env, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (out / ".mtui" / "slurm.log").exists()  # nothing was submitted
    (job,) = {item["job"] for item in instances(out).values()}
    assert Counter(trace.read_text().splitlines()) == Counter([*(f"a{number} {job}" for number in range(8)), "last"])


def test_in_allocation_needs_one(tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "true"), batch=SHARED)
    env = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    done = mtui.run("--no-ui", "--local", "--in-allocation", "-o", tmp_path / "out", spec, env=env)
    assert (done.returncode, (tmp_path / "out").exists()) == (2, False)
    assert "--in-allocation must be used inside an allocation" in done.stderr


def test_nodes_without_python_work_down_the_list(slurm: Cluster, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    steps = (
        step("a", f"echo a$(I) >> {trace}")
        + step("b", f"echo b$(I) >> {trace}", depends="a")
        + step("last", f"echo last >> {trace}", depends="b_*")
    )
    out = tmp_path / "out"
    spec = write(tmp_path, steps)
    code = (
        "import sys; sys.executable = '/nonexistent/python'; "
        "from mtui.tui.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-ui", "-o", str(out), str(spec)],
        env=slurm.env, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    expected = [f"{name}{number}" for name in "ab" for number in range(6)]
    assert Counter(trace.read_text().split()) == Counter([*expected, "last"])
    assert len(calls(out)) == 1
    assert events(out, "allocation_began")[0]["graph"] is False


def test_refused_allocation_is_reported_in_slurms_words(slurm: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "out"
    spec = write(tmp_path, step("a", "true", head="#SBATCH --qos=nosuch"), count=3)
    assert mtui.run("--no-ui", "-o", out, spec, env=slurm.env).returncode == 2
    found = instances(out)
    assert {item["status"] for item in found.values()} == {"failed"}
    assert all("qos" in item["cause"].lower() for item in found.values())
    assert len(calls(out)) == 1
