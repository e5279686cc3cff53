"""How instances, workers and the leader of an allocation end, on a real cluster."""

from __future__ import annotations

import os
import signal
import sys

from tests.slurm.lone_allocation import HOLD, Allocation, processes, running, workers
from tests.waiting import wait_until


def test_own_walltime(allocation: Allocation) -> None:
    polite = allocation.item("1.1", "trap 'echo told; exit 5' TERM; sleep 600 & wait", seconds=10)
    deaf = allocation.item("2.1", "trap '' TERM; while :; do sleep 0.2; done", seconds=10)
    neighbour = allocation.item("3.1", "echo fine", seconds=600)
    allocation.give(polite, deaf, neighbour, end=True)
    allocation.submit()
    ends = allocation.wait_for("exit", "1.1", "2.1", "3.1")
    assert [(end["code"], end.get("verdict")) for end in ends] == [(5, "timed out"), (137, "timed out"), (0, None)]
    starts = allocation.wait_for("start", "1.1", "2.1")
    times = [end["at"] - start["at"] for start, end in zip(starts, ends, strict=False)]
    assert times[0] >= 10
    assert times[1] >= 20  # ten more between TERM and KILL
    allocation.wait_for_job()
    assert not processes(f"MTUI_PACKED={allocation.job}.", allocation.slurm)


def test_cancel_of_one(allocation: Allocation) -> None:
    items = [allocation.item(f"{number}.1", HOLD, cpus=64) for number in (1, 2, 3, 4)]
    child = allocation.item("5.1", "true", "2.1")
    allocation.give(*items, child)
    allocation.submit()
    allocation.wait_for("start", "1.1", "2.1")
    allocation.wait_here("2.1")
    allocation.cancel("2.1", "3.1")  # one that runs, and one that waits for room
    assert allocation.wait_for("exit", "2.1")[0]["code"] == 99
    assert "verdict" not in allocation.records("exit", "2.1")[0]
    allocation.wait_for("start", "4.1")
    allocation.go("1.1", "4.1")
    allocation.end()
    allocation.wait_for("over")
    assert allocation.codes() == {"1.1": 0, "2.1": 99, "4.1": 0}
    assert not allocation.records(attempt="3.1")
    assert not (allocation.home / "claims" / "3.1").exists()


def test_killed_worker_is_replaced(allocation: Allocation) -> None:
    # Each runs alone on its node; one of its processes leaves the session that the worker knows of.
    body = f"setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & {HOLD}"
    items = [allocation.item(f"{number}.1", body, cpus=128) for number in (1, 2)]
    allocation.give(*items, allocation.item("3.1", "echo again", cpus=128))
    allocation.submit(nodes=2)
    starts = allocation.wait_for("start", "1.1", "2.1")
    wait_until(
        lambda: all(workers(allocation.slurm, allocation.job, f"node{number}") for number in (1, 2)), 60, "two workers"
    )
    lost, kept = starts
    mark = f"MTUI_PACKED={allocation.job}.{lost['node']}"
    allocation.wait_here(lost["attempt"])
    wait_until(lambda: len(processes(mark, allocation.slurm)) >= 2, 60, "it runs")
    (worker,) = workers(allocation.slurm, allocation.job, lost["node"])
    os.kill(worker, signal.SIGKILL)
    record = allocation.wait_for("lost", lost["attempt"])[0]
    assert (record["node"], record["error"]) == (lost["node"], f"its worker on {lost['node']} was killed")
    again = allocation.wait_for("exit", "3.1")[0]  # on the only node that is free
    assert (again["code"], again["node"]) == (0, lost["node"])
    assert not processes(mark, allocation.slurm)
    assert not allocation.records("exit", kept["attempt"])
    allocation.go(kept["attempt"])
    allocation.end()
    assert allocation.wait_for("over")[0]["why"] == "ended"
    assert allocation.codes() == {kept["attempt"]: 0, "3.1": 0}
    assert allocation.wait_for_job() == "COMPLETED"


def test_cancelled_allocation_says_nothing_of_what_it_killed(allocation: Allocation) -> None:
    saves = allocation.item("1.1", "trap 'echo saved; exit 0' TERM; touch here; until [ -e go ]; do sleep 0.05; done")
    dies = allocation.item("2.1", "touch here; sleep 600")
    fails = allocation.item("3.1", HOLD)
    allocation.give(saves, dies, fails)
    allocation.submit(nodes=2)
    allocation.wait_for("start", "1.1", "2.1", "3.1")
    allocation.wait_here("1.1", "2.1", "3.1")
    allocation.slurm.run("scancel", allocation.job)
    assert allocation.wait_for("over")[0]["why"] == "signal"
    allocation.wait_for_job()
    assert allocation.output("1.1") == "saved\n"
    assert allocation.codes() == {"1.1": 0}
    wait_until(lambda: not processes(f"SLURM_JOB_ID={allocation.job}\0", allocation.slurm), 60, "nothing is left of it")


def test_killed_leader(allocation: Allocation) -> None:
    allocation.give(allocation.item("1.1", HOLD))
    allocation.submit()
    allocation.wait_for("start", "1.1")
    (leader,) = running(allocation.slurm, allocation.job, "leader")
    os.kill(leader, signal.SIGKILL)
    assert allocation.wait_for("over")[0]["why"] == "its leader ended with code 137"
    allocation.wait_for_job()
    assert not processes(f"MTUI_PACKED={allocation.job}.", allocation.slurm)


def test_leader_and_workers_killed_at_once(allocation: Allocation) -> None:
    body = f"setsid bash -c 'trap \"\" TERM; while :; do sleep 0.1; done' & {HOLD}"
    allocation.give(*(allocation.item(f"{number}.1", body, cpus=128) for number in (1, 2)))
    allocation.submit(nodes=2)
    allocation.wait_for("start", "1.1", "2.1")
    allocation.wait_here("1.1", "2.1")
    killed = [
        *running(allocation.slurm, allocation.job, "leader"),
        *(workers(allocation.slurm, allocation.job, f"node{number}")[0] for number in (1, 2)),
    ]
    for process in killed:
        os.kill(process, signal.SIGKILL)
    assert allocation.wait_for("over")[0]["why"] == "its leader ended with code 137"
    assert not processes(f"MTUI_PACKED={allocation.job}.", allocation.slurm)  # before a driver may run them again
    assert allocation.wait_for_job() == "FAILED"


def test_what_a_script_leaves_behind_ends_with_it(allocation: Allocation) -> None:
    step = f"srun -n 1 bash -c 'touch {allocation.root}/step/1.1/runs; sleep 600' &"
    script = f"(trap '' TERM; while :; do sleep 0.1; done) & {step}\nuntil [ -e runs ]; do sleep 0.05; done"
    # Its step is gone with it: Slurm would let another one that needs all of the node wait.
    after = "timeout 60 srun -n 128 true"
    allocation.give(allocation.item("1.1", script), allocation.item("2.1", after, "1.1", tasks=128), end=True)
    allocation.submit()
    allocation.wait_for("over")
    assert allocation.codes() == {"1.1": 0, "2.1": 0}


def test_nothing_is_started_that_cannot_end_in_time(allocation: Allocation) -> None:
    long = allocation.item("1.1", "true", seconds=61)
    short = allocation.item("2.1", "true", seconds=20)
    allocation.give(long, short, end=True)
    allocation.submit("--time=1")
    assert allocation.wait_for("over")[0]["why"] == "ended"
    assert allocation.records("began")[0]["left"] <= 60
    assert allocation.codes() == {"2.1": 0}
    assert not allocation.records(attempt="1.1")


def test_no_worker_begins(allocation: Allocation) -> None:
    # A Python that the nodes run the leader with, and then have no more.
    python = allocation.root / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    bin = allocation.root / "bin"
    bin.mkdir()
    (bin / "srun").write_text("#!/bin/sh\necho no steps today >&2\nexit 3\n")
    (bin / "srun").chmod(0o700)
    allocation.slurm.env["PATH"], before = f"{bin}:{allocation.slurm.env['PATH']}", allocation.slurm.env["PATH"]
    try:
        allocation.submit(python=str(python))
        assert allocation.wait_for("over")[0]["why"] == "no worker started: srun exited with code 3"
    finally:
        allocation.slurm.env["PATH"] = before
    assert allocation.wait_for_job() == "FAILED"
    assert len(allocation.records("over")) == 1
