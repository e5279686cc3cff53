"""The private cluster keeps what it promises to the tests that run on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm.cluster import PROJECT, Cluster, ClusterError
from tests.waiting import wait_until


def submit(slurm: Cluster, *options: str, script: str = "true") -> str:
    """Submit a job in the cluster's folder; the answer is its id."""
    folder = f"--chdir={slurm.folder}"
    return slurm.run("sbatch", "--parsable", folder, *options, f"--wrap={script}").stdout.strip()


def wait_for_state(slurm: Cluster, job: str, state: str) -> None:
    wait_until(lambda: slurm.job_state(job) == state, 20, f"job {job} is {state}")


def processes(folder: Path) -> list[str]:
    """The processes with the environment of the cluster in this folder; a zombie has no environment."""
    found: list[str] = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if os.fsencode(folder) in environment.read_bytes():
                found.append(environment.parent.name)
        except OSError:
            continue
    return found


def test_a_job_runs_and_is_accounted_for(slurm: Cluster) -> None:
    job = submit(slurm, "-C", "cpu", "-A", "m1234", "-q", "regular", "-N1", script="srun -n64 hostname")
    wait_for_state(slurm, job, "COMPLETED")
    assert len((slurm.folder / f"slurm-{job}.out").read_text().splitlines()) == 64

    def accounted() -> str:
        columns = "--format=State,Account,QOS,AllocNodes"
        return slurm.run("sacct", "-X", "--noheader", "--parsable2", "-j", job, columns).stdout

    wait_until(lambda: accounted() == "COMPLETED|m1234|regular|1\n", 20, "sacct knows of the job")


def test_regular_allocates_whole_nodes(slurm: Cluster) -> None:
    jobs = [submit(slurm, "-n1", script="sleep 60") for _ in range(5)]
    for job in jobs[:4]:
        wait_for_state(slurm, job, "RUNNING")
    assert slurm.job_state(jobs[4]) == "PENDING"
    assert set(slurm.node_states().values()) == {"allocated"}


def test_shared_lets_jobs_share_a_node(slurm: Cluster) -> None:
    jobs = [submit(slurm, "-p", "shared", "-n1", "-w", "node1", script="sleep 60") for _ in range(2)]
    for job in jobs:
        wait_for_state(slurm, job, "RUNNING")


def test_gpus_are_on_the_gpu_nodes(slurm: Cluster) -> None:
    shown = slurm.run("srun", "-C", "gpu", "-N1", "--gpus=2", "printenv", "CUDA_VISIBLE_DEVICES")
    assert shown.stdout == "0,1\n"
    with pytest.raises(ClusterError, match="node configuration is not available"):
        submit(slurm, "-C", "cpu", "-N1", "--gpus=2")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-A", "m9999"), "Invalid account"),
        (("-q", "premium"), "Invalid qos"),
        (("-q", "debug", "-t", "60"), "QOSMaxWallDurationPerJobLimit"),
    ],
)
def test_the_accounts_rules_are_enforced(slurm: Cluster, options: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ClusterError, match=reason):
        submit(slurm, *options)


def test_a_submit_limit_holds_within_its_block(slurm: Cluster) -> None:
    def submit_held(count: int) -> None:
        for _ in range(count):
            submit(slurm, "--hold", "-q", "debug", "-t", "5")

    with slurm.submit_limit("debug", 2):
        submit_held(2)
        with pytest.raises(ClusterError, match="QOSMaxSubmitJobPerUserLimit"):
            submit_held(1)
    submit_held(3)
    with pytest.raises(ClusterError, match="QOSMaxSubmitJobPerUserLimit"):
        submit_held(1)
    with slurm.submit_limit("workflow", 1):
        submit(slurm, "--hold", "-q", "workflow")
    submit(slurm, "--hold", "-q", "workflow")


def test_a_job_outlives_the_controller(slurm: Cluster) -> None:
    job = submit(slurm, script="sleep 60")
    wait_for_state(slurm, job, "RUNNING")
    slurm.stop_controller()
    assert "DOWN" in slurm.run("scontrol", "ping", check=False).stdout
    slurm.start_controller()
    assert slurm.job_state(job) == "RUNNING"


def test_a_paused_controller_does_not_answer(slurm: Cluster) -> None:
    slurm.pause_controller()
    with pytest.raises(subprocess.TimeoutExpired):
        slurm.run("squeue", timeout=1)
    slurm.resume_controller()
    slurm.run("squeue")


def test_a_lost_node_fails_its_job(slurm: Cluster) -> None:
    job = submit(slurm, "--no-requeue", "-w", "node2", script="sleep 60")
    wait_for_state(slurm, job, "RUNNING")
    slurm.set_node("node2", "down")
    wait_for_state(slurm, job, "NODE_FAIL")
    slurm.set_node("node2", "resume")


def test_restore_undoes_what_a_test_did(slurm: Cluster) -> None:
    submit(slurm, script="sleep 60")
    slurm.set_node("node1", "drain")
    slurm.pause_controller()
    slurm.restore()
    assert set(slurm.node_states().values()) == {"idle"}
    assert not slurm.run("squeue", "--noheader").stdout


def test_a_user_without_accounting(slurm: Cluster) -> None:
    refused = subprocess.run(["sacct"], env=slurm.without_accounting, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "accounting storage is disabled" in refused.stderr


USES_A_CLUSTER_UNTIL_KILLED = """
import signal
from tests.slurm.cluster import Cluster
cluster = Cluster().start()
cluster.run("sbatch", "--output=/dev/null", "--wrap=setsid sleep 1000 & sleep 1000")
while cluster.job_state("1") != "RUNNING": pass
print(cluster.folder, flush=True)
signal.pause()
"""


@pytest.mark.usefixtures("cluster")  # which skips where there is no Slurm
def test_a_killed_run_leaves_nothing_behind() -> None:
    command = [sys.executable, "-c", USES_A_CLUSTER_UNTIL_KILLED]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        folder = Path(run.stdout.readline().strip())
        assert len(processes(folder)) > 8
        run.send_signal(signal.SIGKILL)
    wait_until(lambda: not folder.exists(), 60, "the folder is gone")
    wait_until(lambda: not processes(folder), 60, "the processes are gone, the supervisor as the last")


@pytest.mark.usefixtures("cluster")
def test_a_person_starts_and_ends_a_cluster(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "USER": ""}

    def command(word: str) -> str:
        argv = [sys.executable, "-m", "tests.slurm.cluster", word]
        return subprocess.check_output(argv, cwd=PROJECT, env=environment, text=True)

    export = command("up")
    try:
        name, _, conf = export.strip().partition("=")
        assert name == "export SLURM_CONF"
        assert command("up") == command("env") == export
    finally:
        command("down")
    assert not Path(conf).parent.exists()
    assert processes(Path(conf).parent) == []
