"""An allocation whose nodes have no Python: a shell works down its list."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

from tests.slurm.lone_allocation import HOLD, Allocation, processes
from tests.waiting import wait_until


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


def test_requests_of_the_allocation_do_not_reach_steps_of_instances(
    allocation: Allocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Slurm 23.11 on srun refuses a SLURM_TRES_PER_TASK that differs from SLURM_CPUS_PER_TASK."""
    monkeypatch.setitem(allocation.slurm.env, "SLURM_TRES_PER_TASK", "cpu=8")
    text = "echo ${SLURM_TRES_PER_TASK-unset} $SLURM_CPUS_PER_TASK; srun -n 2 echo step"
    allocation.give(allocation.item("1.1", text, tasks=2), allocation.item("2.1", text, cpus=2, tasks=2), end=True)
    allocation.submit("--partition=shared", "--account=m1234", "--cpus-per-task=8", python="/no/python", cores=4)
    allocation.wait_for("over")
    assert allocation.output("1.1") == "unset 1\nstep\nstep\n"
    assert allocation.output("2.1") == "unset 2\nstep\nstep\n"


def test_without_python_a_shell_ends_what_is_cancelled(allocation: Allocation) -> None:
    mark = f"MTUI_TEST_MARK={allocation.root}"
    hold = f"export {mark}\nsleep 600 & echo begun\n"
    trapped = allocation.item("0.1", f"trap 'echo told; exit 9' TERM\n{hold}wait")
    plain = allocation.item("1.1", f"{hold}wait", seconds=600)
    deaf = allocation.item("2.1", f"trap '' TERM\n{hold}wait")
    still_running = allocation.item("3.1", HOLD)
    runs = allocation.item("4.1", f"{hold}wait")
    allocation.give(trapped, plain, deaf, still_running, runs)
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
    wait_until(lambda: codes().get("3.1") == 0, 20, "the one that nobody cancelled ended")
    allocation.give(allocation.item("5.1", "echo never"))
    allocation.abort()
    allocation.wait_for("over")
    assert codes()["4.1"] == 143
    assert not processes(mark, allocation.slurm)
