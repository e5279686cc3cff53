"""The leader of an allocation and its workers, on a real cluster."""

from __future__ import annotations

import os
from collections import Counter

from tests.slurm.lone_allocation import HOLD, Allocation
from tests.waiting import wait_until


def test_children_and_a_barrier(allocation: Allocation) -> None:
    trace = allocation.root / "trace"
    parents = [allocation.item(f"{number}.1", f"echo p >> {trace}; echo err >&2; pwd") for number in range(20)]
    children = [allocation.item(f"{number + 20}.1", f"echo c >> {trace}", f"{number}.1") for number in range(20)]
    last = allocation.item("40.1", f"echo last >> {trace}", "=7")
    late = allocation.item("41.1", f"echo late >> {trace}", "40.1")
    bad = allocation.item("42.1", "exit 3")
    never = allocation.item("43.1", f"echo never >> {trace}", "42.1")
    barrier = {"7": tuple(item.attempt for item in children)}
    allocation.give(*parents, *children, last, bad, never, barriers=barrier)
    allocation.submit(nodes=2)
    began = allocation.wait_for("began")[0]
    assert (began["hosts"], began["cores"], began["mode"], began["job"]) == (
        ["node1", "node2"],
        256,
        "python",
        allocation.job,
    )
    assert 1700 < began["left"] <= 1800
    allocation.wait_for("exit", "40.1")
    allocation.give(late, end=True)
    assert allocation.wait_for("over")[0]["why"] == "ended"
    assert allocation.wait_for_job() == "COMPLETED"
    words = trace.read_text().split()
    assert Counter(words) == {"p": 20, "c": 20, "last": 1, "late": 1}
    assert words[-2:] == ["last", "late"]
    assert Counter(allocation.codes().values()) == {0: 42, 3: 1}
    assert not allocation.records(attempt="43.1")
    assert (allocation.root / "step/3.1/a.err").read_text() == "err\n"
    assert allocation.output("3.1") == f"{allocation.root}/step/3.1\n"
    assert (allocation.home / "claims" / "3.1").read_text() == f"{allocation.job}\n"
    assert not (allocation.home / "claims" / "43.1").exists()
    kinds = [record["kind"] for record in allocation.records()]
    assert (kinds[0], kinds[-1]) == ("began", "over")
    for child in children:  # the end of the parent is before the start of the child
        whole = allocation.records()
        end = whole.index(allocation.records("exit", child.waits[0])[0])
        assert end < whole.index(allocation.records("start", child.attempt)[0])


def test_idle_allocation_ends_automatically(allocation: Allocation) -> None:
    allocation.give(allocation.item("1.1", "exit 1"), allocation.item("2.1", "true", "1.1"))
    allocation.submit(idle=1)
    assert allocation.wait_for("over")[0]["why"] == "idle"
    assert allocation.wait_for_job() == "COMPLETED"
    assert allocation.codes() == {"1.1": 1}


def test_environment_of_an_instance(allocation: Allocation) -> None:
    allocation.give(allocation.item("1.1", "env", cpus=4, tasks=3), end=True)
    allocation.submit("--ntasks-per-node=5", "--comment=a b")
    allocation.wait_for("over")
    found = dict(line.split("=", 1) for line in allocation.output("1.1").splitlines())
    assert {name: found.get(name) for name in ("SLURM_NTASKS", "SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE")} == {
        "SLURM_NTASKS": "3",
        "SLURM_CPUS_PER_TASK": "4",
        "SLURM_CPUS_ON_NODE": "12",
    }
    assert (found["SLURM_JOB_NAME"], found["SLURM_JOB_ID"]) == ("a", allocation.job)
    assert "SLURM_NTASKS_PER_NODE" not in found
    assert not [name for name in found if "LEADER" in name]
    # Slurm 26.05 gives the batch step a number too.
    steps = {name: value for name, value in found.items() if name.startswith("SLURM_STEP")}
    assert steps.items() <= {"SLURM_STEP_ID": "-5", "SLURM_STEPID": "-5"}.items()
    assert found["PWD"] == f"{allocation.root}/step/1.1"


def test_steps_run_side_by_side_where_the_leader_put_them(allocation: Allocation) -> None:
    # Each waits until all of them have begun their steps, which Slurm would otherwise run one after the other.
    meet = allocation.root / "meet"
    body = (
        f"srun -n 2 bash -c 'echo $SLURMD_NODENAME; touch {meet}/$SLURM_STEP_ID.$SLURM_PROCID; "
        f"for i in {{1..1200}}; do set -- {meet}/*; [ $# = 10 ] && exit 0; sleep 0.05; done; exit 1'"
    )
    meet.mkdir()
    items = [allocation.item(f"{number}.1", body, tasks=2, cpus=32) for number in range(4)]
    wide = allocation.item("4.1", body, nodes=2, tasks=2, cpus=32)
    allocation.give(*items, wide, end=True)
    allocation.submit(nodes=3)
    allocation.wait_for("exit", *(item.attempt for item in (*items, wide)), seconds=120)
    assert set(allocation.codes().values()) == {0}, (allocation.root / "step/0.1/a.err").read_text()
    for item in items:
        (start,) = allocation.records("start", item.attempt)
        assert allocation.output(item.attempt).split() == [start["node"]] * 2
    (start,) = allocation.records("start", "4.1")
    assert sorted(allocation.output("4.1").split()) == sorted(start["node"].split(","))
    assert len({record["node"] for record in allocation.records("start")}) > 1


def test_instances_are_pinned_where_slurm_reports_the_truth(allocation: Allocation) -> None:
    """Only on a node that claims as many CPUs as there are: the other tests' nodes claim 128."""
    there = os.sched_getaffinity(0)
    body = f"grep Cpus_allowed_list /proc/self/status; {HOLD}"
    items = [allocation.item(f"{number}.1", body) for number in range(len(there))]
    allocation.give(*items, end=True)
    allocation.submit("--partition=shared", f"--cpus-per-task={len(there)}")
    began = allocation.wait_for("began")[0]
    running = [item.attempt for item in items[: began["cores"]]]
    for attempt in running:
        wait_until(lambda at=attempt: allocation.output(at), 20, f"{attempt} says where it runs")
    pinned = [words.split()[1] for words in map(allocation.output, running)]
    assert len(set(pinned)) == len(running)  # each on a separate core
    if len(there) == began["cores"]:
        assert {int(cpu) for cpu in pinned} == there
    allocation.go(*(item.attempt for item in items))
    allocation.wait_for("over")
    assert set(allocation.codes().values()) == {0}


def test_gpus(allocation: Allocation) -> None:
    body = (
        "echo $CUDA_VISIBLE_DEVICES; srun -n1 bash -c 'echo $CUDA_VISIBLE_DEVICES'; until [ -e go ]; do sleep 0.1; done"
    )
    two = [allocation.item(f"{number}.1", body, gpus=2) for number in (1, 2)]
    none = allocation.item("3.1", body)
    allocation.give(*two, none, allocation.item("4.1", "true", gpus=1), end=True)
    allocation.submit("--gpus-per-node=4")
    for name in ("1.1", "2.1", "3.1"):
        wait_until(lambda at=name: allocation.output(at).count("\n") == 2, 30, f"{name} has said what it sees")
    assert sorted(allocation.output("1.1").split()[:1] + allocation.output("2.1").split()[:1]) == ["0,1", "2,3"]
    assert sorted(allocation.output("1.1").split()[1:] + allocation.output("2.1").split()[1:]) == ["0,1", "2,3"]
    assert allocation.output("3.1") == "\n\n"
    assert not allocation.records("start", "4.1")
    allocation.go("1.1", "2.1", "3.1")
    allocation.wait_for("over")
    assert set(allocation.codes().values()) == {0}


def test_what_can_never_fit_and_what_cannot_be_started(allocation: Allocation) -> None:
    items = [
        allocation.item("1.1", "true", tasks=300),
        allocation.item("2.1", "true", nodes=3, tasks=3),
        allocation.item("3.1", "true", gpus=1),
        allocation.item("4.1", "true"),
        allocation.item("5.1", "true"),
        allocation.item("6.1", "true"),
        allocation.item("7.1", "true"),
    ]
    (allocation.root / "step/4.1/a.sh").unlink()
    (allocation.root / "step/4.1").rmdir()
    (allocation.home / "claims/5.1").write_text("void\n")
    (allocation.home / "claims/6.1").write_text("99\n")
    (allocation.home / "claims/7.1").touch()
    allocation.give(*items, end=True)
    allocation.submit(nodes=2)
    allocation.wait_for("over")
    errors = {record["attempt"]: (record["code"], record.get("error")) for record in allocation.records("exit")}
    assert errors == {
        "1.1": (78, "it requests 300 cores, a node of the allocation has 128"),
        "2.1": (78, "it requests 3 nodes, the allocation has 2"),
        "3.1": (78, "it requests 1 GPUs, a node of the allocation has 0"),
        "4.1": (72, "the workspace does not exist"),
    }
    assert {record["attempt"]: record["owner"] for record in allocation.records("twin")} == {"6.1": "99", "7.1": ""}
