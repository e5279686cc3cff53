"""Creates the environment of an instance, as if it were a separate job."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from itertools import groupby

from .protocol import WorkItem
from .slots import Node, Placement, bits

# Variables of the allocation that srun would read as options of every step.
_SHAPE = (
    *("SLURM_ARRAY_", "SLURM_CPUS_PER_", "SLURM_GPUS", "SLURM_GRES", "SLURM_JOB_GPUS", "SLURM_NTASKS"),
    *("SLURM_STEP_GPUS", "SLURM_STEP_GRES", "SLURM_TRES_PER_", "SLURM_EXACT", "SLURM_EXCLUSIVE", "SLURM_OVERLAP"),
    *("SLURM_WHOLE", "SLURM_HOSTFILE", "SLURM_ARBITRARY_NODELIST", "SLURM_EXPORT_ENV", "SRUN_"),
)
# Layout of steps: for the steps of instances, not for the workers.
_LAYOUT = (
    *("SLURM_CPU_BIND", "SLURM_DISTRIBUTION", "SLURM_GPU_", "SLURM_HINT", "SLURM_MEM_BIND", "SLURM_OVERCOMMIT"),
    *("SLURM_THREADS_PER_CORE", "SLURM_MPI_TYPE", "SLURM_SPREAD_JOB", "SLURM_USE_MIN_NODES", "SLURM_TASK_"),
)
# Variables that select GPUs; Slurm sets those that apply to the site's GPUs.
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def base_environment(batch: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the batch script without the allocation's options."""
    return {name: text for name, text in batch.items() if not name.startswith(_SHAPE)}


def step_environment(batch: Mapping[str, str], private: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the srun that starts workers, without options that limit it to a part of a node."""
    kept = {name: text for name, text in base_environment(batch).items() if not name.startswith(_LAYOUT)}
    return {**kept, **private}


def attempt_environment(
    base: Mapping[str, str], item: WorkItem, shares: Sequence[Placement], nodes: Sequence[Node], gpus: Sequence[str]
) -> dict[str, str]:
    """Return the variables of one attempt; `gpus` are the ids of all GPUs of its first node."""
    ask, first, node = item.ask, shares[0], nodes[0]
    cores = [share.cores.bit_count() for share in shares]
    cpus = [count * of.threads for count, of in zip(cores, nodes, strict=True)]
    names = ",".join(share.node for share in shares)
    found = {
        "SLURM_JOB_NAME": item.stem,
        "SLURMD_NODENAME": node.name,
        "SLURM_NTASKS": str(ask.tasks),
        "SLURM_NPROCS": str(ask.tasks),
        "SLURM_NNODES": str(len(shares)),
        "SLURM_JOB_NUM_NODES": str(len(shares)),
        "SLURM_JOB_NODELIST": names,
        "SLURM_NODELIST": names,
        "SLURM_TASKS_PER_NODE": counts([share.tasks for share in shares]),
        "SLURM_JOB_CPUS_PER_NODE": counts(cpus),
        "SLURM_CPUS_ON_NODE": str(cpus[0]),
        "SLURM_EXACT": "1",  # its steps use only what they request, and run beside those of other instances
        "MTUI_NODES": names,
        "MTUI_PACKED": cookie(base, node.name),
    }
    if ask.cpus > 1:
        found |= {"SLURM_CPUS_PER_TASK": str(ask.cpus), "SRUN_CPUS_PER_TASK": str(ask.cpus)}
    if "SLURM_MEM_PER_NODE" in base and node.memory:
        found["SLURM_MEM_PER_NODE"] = str(first.memory or node.memory * cores[0] // node.cores)
    if gpus:
        ids = ",".join(gpus[place] for place in bits(first.gpus))
        found |= {name: ids for name in _VISIBLE if name in base}
        found |= {"CUDA_VISIBLE_DEVICES": ids, "SLURM_GPUS_ON_NODE": str(first.gpus.bit_count())}
        # By default a step takes every GPU of the allocation, and the next step would wait for it.
        found["SLURM_GRES"] = f"gpu:{first.gpus.bit_count()}" if first.gpus else "none"
    return found


def cookie(batch: Mapping[str, str], node: str) -> str:
    """Return the value of MTUI_PACKED, which marks the processes of instances with job and node.

    Private clusters on one machine have jobs of the same id on nodes of the same name, and differ by SLURM_CONF.
    """
    conf = batch.get("SLURM_CONF", "")
    return f"{batch.get('SLURM_JOB_ID', '')}.{node}" + (f".{zlib.crc32(os.fsencode(conf)):08x}" if conf else "")


def counts(numbers: Sequence[int]) -> str:
    """Format numbers as Slurm does: 4(x2),3."""
    runs = [(number, len(list(same))) for number, same in groupby(numbers)]
    return ",".join(f"{number}(x{length})" if length > 1 else str(number) for number, length in runs)
