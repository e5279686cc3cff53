"""What breaks during a soak test, and how it is healed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.slurm.cluster import Cluster, ClusterError
from tests.slurm.config import NODES
from tests.soak.small_disk import SmallDisk
from tests.soak.studies import ROWS, SoakStudy

_BRIEF = (2.0, 10.0)  # seconds that most faults last
_LONGER_THAN_A_LEASE = 75.0


class Faults:
    """Injects random faults, and ends each after some seconds."""

    def __init__(self, rng: random.Random, cluster: Cluster, disk: SmallDisk, studies: list[SoakStudy]) -> None:
        self._rng, self._cluster, self._disk, self._studies = rng, cluster, disk, studies
        self._now = 0.0
        self._to_heal: dict[
            str, tuple[float, Callable[[], None]]
        ] = {}  # by what is broken: until when, and how to heal
        self._kinds: list[Callable[[], str]] = [
            self._kill_driver,
            self._kill_driver,
            self._stop_driver,
            self._freeze_driver,
            self._rival,
            self._detach,
            self._cancel,
            self._retry,
            self._rerun,
            self._scancel,
            self._kill_packing,
            self._freeze_packing,
            self._kill_controller,
            self._pause_controller,
            self._node_down,
            *([self._fill_disk] if disk.is_small else ()),
        ]

    def strike(self, now: float) -> str:
        """Break something; return its name, and what was hit after a colon."""
        self._now = now
        kinds = list(self._kinds)
        self._rng.shuffle(kinds)
        return next(name for kind in kinds if (name := kind()))  # a driver can always be killed

    def heal(self, now: float) -> None:
        """Heal what was broken for long enough."""
        for name, (until, heal) in list(self._to_heal.items()):
            if now >= until:
                with contextlib.suppress(ClusterError, TimeoutError, subprocess.SubprocessError):  # later, then
                    heal()
                    del self._to_heal[name]

    def heal_all(self) -> None:
        """Heal everything, the controller first: it is needed to heal nodes."""
        for name in sorted(self._to_heal, key=lambda name: name != "controller"):
            _, heal = self._to_heal.pop(name)
            heal()

    def _until_healed(self, name: str, heal: Callable[[], None], seconds: float = 0.0) -> None:
        self._to_heal[name] = (self._now + (seconds or self._rng.uniform(*_BRIEF)), heal)

    def _study(self) -> SoakStudy:
        open_ones = [study for study in self._studies if not study.is_over] or self._studies
        return self._rng.choice(open_ones)

    # --- drivers

    def _kill_driver(self) -> str:
        study = self._study()
        study.signal_driver(signal.SIGKILL)
        return f"kill driver: {study.kind}"

    def _stop_driver(self) -> str:
        study = self._study()
        study.signal_driver(signal.SIGTERM)
        return f"stop driver: {study.kind}"

    def _freeze_driver(self) -> str:
        """Suspend a driver; in some cases for so long that another one takes over, and then let it continue."""
        study = self._study()
        name = f"driver of {study.kind}"
        if name in self._to_heal or not (pid := study.signal_driver(signal.SIGSTOP)):
            return ""
        is_long = self._rng.random() < 0.3
        if is_long:
            study.start_rival()

        def heal() -> None:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)

        self._until_healed(name, heal, _LONGER_THAN_A_LEASE if is_long else 0.0)
        return f"freeze driver: {study.kind}{', with another one' if is_long else ''}"

    def _rival(self) -> str:
        study = self._study()
        study.start_rival()
        return f"second driver: {study.kind}"

    # --- commands

    def _detach(self) -> str:
        study = self._study()
        study.command("detach", study.out)
        return f"detach: {study.kind}"

    def _cancel(self) -> str:
        study = self._study()
        name = self._rng.choice(study.instances)
        study.command("cancel", "-y", study.out, name)
        return f"cancel: {study.kind} {name}"

    def _retry(self) -> str:
        study = self._study()
        study.command("retry", study.out)
        return f"retry: {study.kind}"

    def _rerun(self) -> str:
        study = self._study()
        step, row = self._rng.choice(["sim", "post", "tidy"]), self._rng.randrange(ROWS)
        below = {"sim": ("sim", "post", "tidy"), "post": ("post", "tidy"), "tidy": ("tidy",)}[step]
        study.reruns |= {f"{name}_I.{row}" for name in below} | {"all"}
        study.command("rerun", "-y", study.out, f"{step}_I.{row}")
        return f"rerun: {study.kind} {step}_I.{row}"

    # --- Slurm

    def _scancel(self) -> str:
        """Cancel a random job behind the driver's back."""
        if "controller" in self._to_heal:
            return ""
        jobs = self._cluster.run("squeue", "--noheader", "--format=%i", "--array", check=False).stdout.split()
        if not jobs:
            return ""
        job = self._rng.choice(jobs)
        self._cluster.run("scancel", job, check=False)
        return f"scancel: {job}"

    def _kill_controller(self) -> str:
        if "controller" in self._to_heal:
            return ""
        self._cluster.kill_controller()
        self._until_healed("controller", self._cluster.start_controller)
        return "kill slurmctld"

    def _pause_controller(self) -> str:
        if "controller" in self._to_heal:
            return ""
        self._cluster.pause_controller()
        self._until_healed("controller", self._cluster.resume_controller)
        return "pause slurmctld"

    def _node_down(self) -> str:
        if "controller" in self._to_heal or "node" in self._to_heal:
            return ""
        node = self._rng.choice(NODES)
        self._cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=soak", check=False)
        self._until_healed("node", lambda: self._cluster.set_node(node, "resume"))
        return f"node down: {node}"

    # --- allocations

    def _kill_packing(self) -> str:
        found = self._packing()
        if not found:
            return ""
        pid, part = self._rng.choice(found)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        return f"kill {part}"

    def _freeze_packing(self) -> str:
        found = self._packing()
        if not found:
            return ""
        pid, part = self._rng.choice(found)
        name = f"process {pid}"
        if name in self._to_heal:
            return ""

        def heal() -> None:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGCONT)

        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGSTOP)
        self._until_healed(name, heal)
        return f"freeze {part}"

    def _packing(self) -> list[tuple[int, str]]:
        """The leaders and workers of this cluster's allocations, with what they are."""
        found: list[tuple[int, str]] = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (path / "cmdline").read_bytes().split(b"\0")
                if str(self._disk.folder).encode() not in (path / "environ").read_bytes() or b"python" not in words[0]:
                    continue
                found += [(int(path.name), part) for part in ("leader", "worker") if _runs(words, part)]
        return found

    # --- files

    def _fill_disk(self) -> str:
        if "disk" in self._to_heal:
            return ""
        self._disk.fill()
        self._until_healed("disk", self._disk.free)
        return "disk full"


def _runs(words: list[bytes], part: str) -> bool:
    """Whether a command line is that of a leader or a worker."""
    return any(b"packing" in word and part.encode() in word for word in words)
