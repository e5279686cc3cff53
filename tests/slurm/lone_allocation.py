"""One allocation without a driver, and the processes in it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import mtui.core.backends
import mtui.core.packing
from mtui.core.packing.batch_script import allocation_script
from mtui.core.packing.protocol import ABORT_TEXT, END_TEXT, ResourceRequest, WorkItem, cancel_text, dispatch_text
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

JOB_SH = Path(mtui.core.backends.__path__[0]) / "job.sh"
FALLBACK_SH = Path(mtui.core.packing.__path__[0]) / "fallback.sh"
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

    def item(self, attempt: str, script: str, *waits: str, **ask: Any) -> WorkItem:
        workspace = f"step/{attempt}"
        (self.root / workspace).mkdir(parents=True)
        (self.root / workspace / "a.sh").write_text(script + "\n")
        return WorkItem(attempt, ResourceRequest(**ask), workspace, "a.sh", "a", waits)

    def give(self, *items: WorkItem, barriers: dict[str, tuple[str, ...]] | None = None, end: bool = False) -> None:
        self._gifts += 1
        self._add(dispatch_text(str(self._gifts), items, barriers or {}) + (END_TEXT if end else ""))

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


def processes(mark: str, slurm: Cluster | None = None) -> list[int]:
    """The processes with this text in their command line or environment, of one cluster or of all on this machine.

    Each private cluster has a job 1.
    """
    conf = f"SLURM_CONF={slurm.env['SLURM_CONF']}".encode() if slurm else b""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in text and conf in text and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def workers(slurm: Cluster, job: str, node: str) -> list[int]:
    """The worker of a node: what it runs is a separate session and has another command line."""
    found = running(slurm, job, "worker")
    name = f"\0SLURMD_NODENAME={node}\0".encode()
    return [process for process in found if name in b"\0" + read_proc(process, "environ")]


def running(slurm: Cluster, job: str, module: str) -> list[int]:
    """The processes of an allocation that run a module; not those that they are just forking to run something else."""
    found = [process for process in processes(f"\0SLURM_JOB_ID={job}\0", slurm) if runs_module(process, module)]
    return [process for process in found if parent_of(process) not in (0, *found)]


def parent_of(process: int) -> int:
    """The parent of a process; 0 if it has ended."""
    words = read_proc(process, "stat").rpartition(b")")[2].split()
    return int(words[1]) if words else 0


def runs_module(process: int, name: str) -> bool:
    return read_proc(process, "cmdline").split(b"\0")[1:3] == [b"-m", f"mtui.core.packing.{name}".encode()]


def read_proc(process: int, what: str) -> bytes:
    """What /proc tells of a process; nothing of one that has ended meanwhile, as the sleeps of a payload do."""
    try:
        return Path(f"/proc/{process}/{what}").read_bytes()
    except OSError:
        return b""
