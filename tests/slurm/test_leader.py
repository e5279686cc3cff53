"""The leader of an allocation and its workers, on a real cluster."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import mtui.core.backends
import mtui.core.pack
from mtui.core.pack.lines import ABORT_TEXT, END_TEXT, Ask, Item, cancel_text, gift_text
from mtui.core.pack.script import allocation_script
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

JOB_SH = Path(mtui.core.backends.__path__[0]) / "job.sh"
FALLBACK_SH = Path(mtui.core.pack.__path__[0]) / "fallback.sh"
HOLD = "trap 'exit 99' TERM\ntouch here\nuntil [ -e go ]; do sleep 0.05; done\n"


class Allocation:
    """One allocation of a study without a driver: the test itself writes the list, and reads the records."""

    def __init__(self, slurm: Cluster, root: Path) -> None:
        self.slurm, self.root, self.home = slurm, root, root / ".mtui"
        for folder in ("allocations", "claims", "spool/new"):
            (self.home / folder).mkdir(parents=True)
        for file in (JOB_SH, FALLBACK_SH):
            (self.home / file.name).write_bytes(file.read_bytes())
        self.list = self.home / "allocations" / "1-1.list"
        self.job = ""
        self._gifts = 0

    def submit(
        self, *options: str, nodes: int = 1, python: str = sys.executable, idle: int = 60, cores: int = 64
    ) -> None:
        words = (f"--nodes={nodes}", f"--ntasks={nodes}", "--time=30", f"--output={self.root}/log", *options)
        text = allocation_script("1-1", str(self.home), python, idle, cores, ["/bin/bash"], words)
        (self.root / "allocation.sh").write_text(text)
        self.job = self.slurm.run("sbatch", "--parsable", str(self.root / "allocation.sh")).stdout.strip()

    def item(self, attempt: str, script: str, *waits: str, **ask: Any) -> Item:
        workspace = f"step/{attempt}"
        (self.root / workspace).mkdir(parents=True)
        (self.root / workspace / "a.sh").write_text(script + "\n")
        return Item(attempt, Ask(**ask), workspace, "a.sh", "a", waits)

    def give(self, *items: Item, barriers: dict[str, tuple[str, ...]] | None = None, end: bool = False) -> None:
        self._gifts += 1
        self._add(gift_text(str(self._gifts), items, barriers or {}) + (END_TEXT if end else ""))

    def cancel(self, *attempts: str) -> None:
        self._add(cancel_text(attempts))

    def end(self) -> None:
        self._add(END_TEXT)

    def abort(self) -> None:
        self._add(ABORT_TEXT)

    def _add(self, text: str) -> None:
        with self.list.open("a") as file:
            file.write(text)

    def output(self, attempt: str) -> str:
        file = self.root / "step" / attempt / "a.out"
        return file.read_text() if file.exists() else ""

    def go(self, *attempts: str) -> None:
        for attempt in attempts:
            (self.root / "step" / attempt / "go").touch()

    def wait_here(self, *attempts: str) -> None:
        """Until the scripts of these have touched `here`: what is recorded as started begins a little later."""
        for attempt in attempts:
            wait_until((self.root / "step" / attempt / "here").exists, 60, f"{attempt} is here")

    def records(self, kind: str = "", attempt: str = "") -> list[dict[str, Any]]:
        file = self.home / "allocations" / "1-1.records"
        lines = file.read_text().splitlines() if file.exists() else []
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [record for record in found if kind in ("", record["kind"]) and attempt in ("", record.get("attempt"))]

    def wait_for(self, kind: str, *attempts: str, seconds: float = 90) -> list[dict[str, Any]]:
        """The first record of this kind of each attempt (or at all)."""
        names = attempts or ("",)
        try:
            wait_until(lambda: all(self.records(kind, name) for name in names), seconds, f"{kind} of {names}")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.records()}\n{(self.root / 'log').read_text()}") from None
        return [self.records(kind, name)[0] for name in names]

    def wait_for_job(self) -> str:
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")
        wait_until(lambda: self.slurm.job_state(self.job) in ended, 60, f"job {self.job} ended")
        return self.slurm.job_state(self.job)

    def codes(self) -> dict[str, int]:
        return {record["attempt"]: record["code"] for record in self.records("exit")}


@pytest.fixture
def allocation(slurm: Cluster, tmp_path: Path) -> Allocation:
    return Allocation(slurm, tmp_path / "study")


def processes(mark: str) -> list[int]:
    """The processes with this text in their command line or environment."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in text and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def workers(job: str, node: str) -> list[int]:
    """The worker of a node: what it runs is a session of its own and has another command line."""
    found = [process for process in processes(f"SLURM_JOB_ID={job}") if runs_module(process, "worker")]
    name = f"\0SLURMD_NODENAME={node}\0".encode()
    return [process for process in found if name in b"\0" + told_of(process, "environ")]


def runs_module(process: int, name: str) -> bool:
    return told_of(process, "cmdline").split(b"\0")[1:3] == [b"-m", f"mtui.core.pack.{name}".encode()]


def told_of(process: int, what: str) -> bytes:
    """What /proc tells of a process; nothing of one that has ended meanwhile, as the sleeps of a payload do."""
    try:
        return Path(f"/proc/{process}/{what}").read_bytes()
    except OSError:
        return b""


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
    for child in children:  # the end of the parent stands before the start of the child
        whole = allocation.records()
        end = whole.index(allocation.records("exit", child.waits[0])[0])
        assert end < whole.index(allocation.records("start", child.attempt)[0])


def test_idle_allocation_ends_by_itself(allocation: Allocation) -> None:
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
    assert not [name for name in found if "LEADER" in name or name.startswith("SLURM_STEP")]
    assert found["PWD"] == f"{allocation.root}/step/1.1"


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
    assert not processes(f"MTUI_PACKED={allocation.job}.")


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
    wait_until(lambda: all(workers(allocation.job, f"node{number}") for number in (1, 2)), 60, "two workers")
    lost, kept = starts
    mark = f"MTUI_PACKED={allocation.job}.{lost['node']}"
    allocation.wait_here(lost["attempt"])
    wait_until(lambda: len(processes(mark)) >= 2, 60, "it runs")
    (worker,) = workers(allocation.job, lost["node"])
    os.kill(worker, signal.SIGKILL)
    record = allocation.wait_for("lost", lost["attempt"])[0]
    assert (record["node"], record["error"]) == (lost["node"], f"its worker on {lost['node']} was killed")
    again = allocation.wait_for("exit", "3.1")[0]  # on the only node that is free
    assert (again["code"], again["node"]) == (0, lost["node"])
    assert not processes(mark)
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
    wait_until(lambda: not processes(f"SLURM_JOB_ID={allocation.job}"), 60, "nothing is left of it")


def test_killed_leader(allocation: Allocation) -> None:
    allocation.give(allocation.item("1.1", HOLD))
    allocation.submit()
    allocation.wait_for("start", "1.1")
    (leader,) = [process for process in processes(f"SLURM_JOB_ID={allocation.job}") if runs_module(process, "leader")]
    os.kill(leader, signal.SIGKILL)
    assert allocation.wait_for("over")[0]["why"] == "its leader ended with code 137"
    allocation.wait_for_job()
    assert not processes(f"MTUI_PACKED={allocation.job}.")


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


def test_what_a_script_leaves_behind_ends_with_it(allocation: Allocation) -> None:
    step = f"srun -n 1 bash -c 'touch {allocation.root}/step/1.1/runs; sleep 600' &"
    script = f"(trap '' TERM; while :; do sleep 0.1; done) & {step}\nuntil [ -e runs ]; do sleep 0.05; done"
    # Its step is gone with it: Slurm would let another one that needs all of the node wait.
    after = "timeout 60 srun -n 128 true"
    allocation.give(allocation.item("1.1", script), allocation.item("2.1", after, "1.1", tasks=128), end=True)
    allocation.submit()
    allocation.wait_for("over")
    assert allocation.codes() == {"1.1": 0, "2.1": 0}


def test_instances_are_pinned_where_slurm_tells_the_truth(allocation: Allocation) -> None:
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
    assert len(set(pinned)) == len(running)  # each on a core of its own
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
        "1.1": (78, "it asks for 300 cores, a node of the allocation has 128"),
        "2.1": (78, "it asks for 3 nodes, the allocation has 2"),
        "3.1": (78, "it asks for 1 GPUs, a node of the allocation has 0"),
        "4.1": (72, "the workspace is not there"),
    }
    assert {record["attempt"]: record["owner"] for record in allocation.records("twin")} == {"6.1": "99", "7.1": ""}


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
        assert allocation.wait_for("over")[0]["why"] == "no worker began: srun ended with code 3"
    finally:
        allocation.slurm.env["PATH"] = before
    assert allocation.wait_for_job() == "FAILED"
    assert len(allocation.records("over")) == 1


def test_without_python_a_shell_works_down_the_list(allocation: Allocation) -> None:
    trace = allocation.root / "trace"
    items = [allocation.item(f"{number}.1", f"echo {number} >> {trace}; echo out") for number in range(20)]
    slow = allocation.item("20.1", "sleep 60", seconds=1)
    waits = allocation.item("21.1", f"echo never >> {trace}", "1.1")
    allocation.give(*items, slow, waits)
    allocation.submit(nodes=2, python="/no/python")
    began = allocation.wait_for("began")[0]
    assert (began["mode"], began["hosts"], began["cores"]) == ("sh", [], 256)
    spool = allocation.home / "spool" / "new"
    wait_until(lambda: len(list(spool.glob("*.exit.*"))) == 21, 40, "all of them ended")
    allocation.give(allocation.item("22.1", f"echo late >> {trace}"), end=True)
    allocation.wait_for("over")
    assert Counter(trace.read_text().split()) == Counter([*map(str, range(20)), "late"])
    ends = {path.name.rpartition(".exit.")[0]: json.loads(path.read_text()) for path in spool.glob("*.exit.*")}
    assert {name: end["code"] for name, end in ends.items() if end["code"]} == {"20.1": 124}
    assert not list(spool.glob("*.twin.*"))
    assert not [path for path in allocation.root.glob("step/*/a.err") if path.read_text()]
    assert len({end["node"] for end in ends.values()}) == 2
    assert not re.search("taken|cannot", (allocation.root / "log").read_text())


def test_without_python_a_shell_ends_what_it_is_told_to(allocation: Allocation) -> None:
    mark = f"MTUI_TEST_MARK={allocation.root}"
    hold = f"export {mark}\nsleep 600 & echo begun\n"
    trapped = allocation.item("0.1", f"trap 'echo told; exit 9' TERM\n{hold}wait")
    plain = allocation.item("1.1", f"{hold}wait", seconds=600)
    deaf = allocation.item("2.1", f"trap '' TERM\n{hold}wait")
    goes_on = allocation.item("3.1", HOLD)
    runs = allocation.item("4.1", f"{hold}wait")
    allocation.give(trapped, plain, deaf, goes_on, runs)
    allocation.submit(python="/no/python", cores=16)
    wait_until(lambda: all(allocation.output(f"{number}.1") for number in (0, 1, 2, 4)), 40, "all of them run")
    allocation.cancel("0.1", "1.1", "2.1", "77.1")
    spool = allocation.home / "spool" / "new"

    def codes() -> dict[str, int]:
        records = [json.loads(path.read_text()) for path in spool.glob("*.exit.*") if path.read_text().endswith("\n")]
        return {record["attempt"]: record["code"] for record in records}

    wait_until(lambda: len(codes()) == 3, 40, "the three ended")
    assert codes() == {"0.1": 9, "1.1": 143, "2.1": 137}
    assert allocation.output("0.1") == "begun\ntold\n"
    allocation.go("3.1")
    wait_until(lambda: codes().get("3.1") == 0, 20, "the one that nobody cancelled ended by itself")
    allocation.give(allocation.item("5.1", "echo never"))
    allocation.abort()
    allocation.wait_for("over")
    assert codes()["4.1"] == 143
    assert not processes(mark)
