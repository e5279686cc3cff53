"""Reads properties of a worker's node: cores, GPUs, and the kernel's count of out-of-memory kills."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_CGROUPS = Path("/sys/fs/cgroup")
_GPUS = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS")


def cores(cpus_on_node: int) -> list[set[int]] | None:
    """Return the CPUs of each allocated physical core, lowest first; None if they cannot be determined.

    Slurm may report more CPUs than there are, or allocate a part of a node without binding the processes to it.
    """
    ours = os.sched_getaffinity(0)
    if len(ours) != cpus_on_node:
        return None
    found: dict[int, set[int]] = {}
    for cpu in sorted(ours):
        try:
            text = (_CPUS / f"cpu{cpu}/topology/thread_siblings_list").read_text()
            siblings = _numbers(text.strip()) & ours
        except (OSError, ValueError):
            return None
        found[min(siblings)] = siblings
    return [found[first] for first in sorted(found)]


def _numbers(text: str) -> set[int]:
    """Parse a list of numbers such as 0-3,64."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def gpus(environment: Mapping[str, str]) -> list[str]:
    """Return the ids of a step's GPUs, from the first of Slurm's variables that has any."""
    for name in _GPUS:
        ids = [word for word in environment.get(name, "").split(",") if word]
        if ids and "NoDevFiles" not in ids:
            return ids
    return []


class OutOfMemory:
    """Watches how many processes of this cgroup the kernel has killed for lack of memory; 0 if it cannot be read."""

    def __init__(self) -> None:
        self._file = _counter_file()
        self._seen = self._count()

    def happened(self) -> bool:
        """Return whether there is a kill that no earlier call returned."""
        if self._count() <= self._seen:
            return False
        self._seen += 1
        return True

    def _count(self) -> int:
        if self._file:
            with suppress(OSError, ValueError):
                for line in self._file.read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0


def _counter_file() -> Path | None:
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, folder = line.split(":", 2)
            if controllers == "" and (file := _CGROUPS / folder.lstrip("/") / "memory.events").exists():
                return file
            if "memory" in controllers.split(","):
                return _CGROUPS / "memory" / folder.lstrip("/") / "memory.oom_control"
    return None
