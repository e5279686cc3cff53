"""The environment of an instance in an allocation."""

from __future__ import annotations

from mtui.core.packing.job_environment import attempt_environment, base_environment, cookie, counts, step_environment
from mtui.core.packing.protocol import ResourceRequest, WorkItem
from mtui.core.packing.slots import Node, Slots

BATCH = {
    "HOME": "/h",
    "SLURM_JOB_ID": "7",
    "SLURM_NTASKS_PER_NODE": "8",
    "SLURM_CPUS_PER_TASK": "128",
    "SRUN_CPUS_PER_TASK": "128",
    "SLURM_GPUS_PER_NODE": "4",
    "SLURM_TRES_PER_TASK": "cpu:2",
    "SLURM_MEM_PER_NODE": "1000",
    "ROCR_VISIBLE_DEVICES": "0,1",
}


def environment(
    ask: ResourceRequest, *nodes: Node, gpus: tuple[str, ...] = (), batch: dict[str, str] = BATCH
) -> dict[str, str]:
    slots = Slots(len(nodes))
    for node in nodes:
        slots.add(node)
    shares = slots.place(ask) or ()
    of = [slots.nodes[share.node] for share in shares]
    return attempt_environment(base_environment(batch), WorkItem("1.1", ask, "w", "s.sh", "stem"), shares, of, gpus)


def test_the_shape_of_the_allocation_is_left_out() -> None:
    assert set(base_environment(BATCH)) == {"HOME", "SLURM_JOB_ID", "SLURM_MEM_PER_NODE", "ROCR_VISIBLE_DEVICES"}
    assert step_environment(BATCH, {"KEY": "k"})["KEY"] == "k"
    assert "SLURM_CPUS_PER_TASK" not in step_environment(BATCH, {})


def test_one_node() -> None:
    found = environment(ResourceRequest(tasks=3, cpus=4), Node("a", 16, 2, memory=1000))
    assert found == {
        "SLURM_JOB_NAME": "stem",
        "SLURMD_NODENAME": "a",
        "SLURM_NTASKS": "3",
        "SLURM_NPROCS": "3",
        "SLURM_NNODES": "1",
        "SLURM_JOB_NUM_NODES": "1",
        "SLURM_JOB_NODELIST": "a",
        "SLURM_NODELIST": "a",
        "SLURM_TASKS_PER_NODE": "3",
        "SLURM_JOB_CPUS_PER_NODE": "12",
        "SLURM_CPUS_ON_NODE": "12",
        "SLURM_CPUS_PER_TASK": "4",
        "SRUN_CPUS_PER_TASK": "4",
        "SLURM_MEM_PER_NODE": "375",  # six of sixteen cores
        "SLURM_EXACT": "1",
        "MTUI_NODES": "a",
        "MTUI_PACKED": "7.a",
    }


def test_several_nodes() -> None:
    found = environment(ResourceRequest(nodes=3, tasks=7, memory=300), *(Node(name, 16, memory=1000) for name in "abc"))
    assert found["SLURM_JOB_NODELIST"] == "a,b,c"
    assert found["SLURM_TASKS_PER_NODE"] == "3,2(x2)"
    assert found["SLURM_JOB_CPUS_PER_NODE"] == "3(x3)"
    assert found["SLURM_MEM_PER_NODE"] == "300"
    assert "SLURM_CPUS_PER_TASK" not in found


def test_gpus() -> None:
    found = environment(ResourceRequest(gpus=1), Node("a", 16, gpus=2), gpus=("4", "6"))
    assert [found.get(name) for name in ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "SLURM_GRES")] == [
        *("4", "4", "gpu:1")
    ]
    assert "GPU_DEVICE_ORDINAL" not in found
    without = environment(ResourceRequest(), Node("a", 16, gpus=2), gpus=("4", "6"))
    assert (without["CUDA_VISIBLE_DEVICES"], without["SLURM_GRES"]) == ("", "none")
    assert "CUDA_VISIBLE_DEVICES" not in environment(ResourceRequest(), Node("a", 16))


def test_counts() -> None:
    assert counts([4, 4, 3]) == "4(x2),3"


def test_cookie_differs_between_clusters_on_one_machine() -> None:
    marks = {cookie({"SLURM_JOB_ID": "7", "SLURM_CONF": f"/{name}/slurm.conf"}, "a") for name in ("one", "two")}
    assert len(marks) == 2
    assert {mark.rpartition(".")[0] for mark in marks} == {"7.a"}
