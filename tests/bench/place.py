"""Where the benches run: folders, the sizes of the day, the cluster, and mtui's driver as they see it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.bench.maestro import find_maestro, run_words
from tests.mtui import COMMAND
from tests.slurm.cluster import Cluster
from tests.slurm.config import NODES, USER
from tests.waiting import wait_until

SBATCH = ("sbatch", "--parsable", "--account=m1234", "--qos=regular", "--partition=shared", "--ntasks=1", "--time=10")
BATCH = "{type: slurm, host: h, bank: m1234, queue: shared, qos: regular}"
LONG = 900.0  # seconds after which nothing more is expected of a run
SMALL = 0.01

# The cluster of the tests, changed so that 1,000 jobs can be there at once on one machine, many times over.
_CHANGES = {
    "CPUs=128": "CPUs=256",
    # With 1,000 jobs starting at once a daemon may not answer for a while; its jobs would be requeued or lost.
    "MessageTimeout=5": "MessageTimeout=100",
    # Each job would look through all processes of the machine twice a minute.
    "JobAcctGatherType=": "JobAcctGatherFrequency=0\nJobAcctGatherType=",
    # Ended jobs count until Slurm forgets them; a full table holds up every sbatch for two minutes.
    "MinJobAge=": "MaxJobCount=200000\nMinJobAge=",
}


class LargeCluster(Cluster):
    """A separate cluster for the benches."""

    def start_controller(self) -> None:
        conf = self.folder / "slurm.conf"
        text = conf.read_text()
        if "MaxJobCount" not in text:
            for old, new in _CHANGES.items():
                text = text.replace(old, new)
            conf.write_text(text)
        super().start_controller()

    def cancel_all(self) -> None:
        """The end of 1,000 running jobs takes longer than the tests would wait."""
        self.run("scancel", f"--user={USER}")
        wait_until(lambda: not self.run("squeue", "--noheader").stdout, LONG, "no job in the queue")


class Place:
    """A folder that is gone at the end; a cluster and a Maestro as soon as they are requested."""

    def __init__(self, size: float = 1.0, cluster: Cluster | None = None) -> None:
        self.size = size
        self.small = size <= SMALL
        # A disk's journal would be most of what is measured.
        base = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="mtui-bench-", dir=base))
        self._given = cluster
        self._numbers = itertools.count(1)

    def close(self) -> None:
        if self._started and not self._given:
            self.cluster.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def recover(self) -> None:
        """After a bench that failed, make the cluster fit for the next."""
        if self._started:
            self.cluster.restore()

    @property
    def _started(self) -> bool:
        return "cluster" in self.__dict__

    def slurm_version(self) -> str:
        """Empty if the cluster was not requested."""
        return self.call(["sbatch", "--version"], env=self.env).strip() if self._started else ""

    def count(self, full: int, least: int = 1) -> int:
        """How many of something that are `full` in a run of size 1."""
        return max(least, round(full * self.size))

    def rounds(self, full: int) -> int:
        return 1 if self.small else full

    @cached_property
    def cluster(self) -> Cluster:
        return self._given or LargeCluster().start()

    @cached_property
    def maestro(self) -> Path:
        return find_maestro(self.folder / "maestro")

    @property
    def local_env(self) -> dict[str, str]:
        """The environment of whoever has no cluster. Maestro wants $USER; Python may keep what it has compiled."""
        env = {**os.environ, "USER": USER, "XDG_STATE_HOME": str(self.folder / "state")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return env

    @property
    def env(self) -> dict[str, str]:
        """The environment of a user of the cluster."""
        return {**self.local_env, **self.cluster.env, "USER": USER}

    def start_cluster(self) -> None:
        """Before anything is measured: its start is to be in nobody's time."""
        self.cluster.run("squeue")

    def new(self, name: str) -> Path:
        """A path in the folder that nobody has used."""
        return self.folder / f"{name}-{next(self._numbers)}"

    # -- runs

    def run_mtui(self, *words: str | Path, env: Mapping[str, str] | None = None) -> None:
        """Run `mtui --no-ui` to its end."""
        self.call([*COMMAND, "--no-ui", "-q", *map(str, words)], env=env)

    def run_maestro(self, spec: Path, sleep: int, env: Mapping[str, str] | None = None) -> None:
        """Run a study in Maestro to its end."""
        self.call(run_words(self.maestro, spec, self.new("maestro-out"), sleep=sleep), env=env)

    def call(self, words: list[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run a program to its end; what it printed."""
        env = self.local_env if env is None else env
        done = subprocess.run(
            words, cwd=cwd or self.folder, env=env, capture_output=True, text=True, timeout=LONG, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} gave {done.returncode}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout

    def sbatch(self, folder: Path, *words: str) -> str:
        """Submit by hand; the job's id."""
        return self.call([*SBATCH, *words], folder, self.env).strip()

    @contextlib.contextmanager
    def drained(self) -> Iterator[None]:
        """Within the block jobs are accepted and none starts; afterwards none is left."""
        for node in NODES:
            self.cluster.set_node(node, "drain")
        try:
            yield
        finally:
            self.cluster.restore()

    @contextlib.contextmanager
    def background(self, words: list[str], log: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """A program that runs beside the block and is killed, with its children, at the end of it."""
        with log.open("ab") as out:
            process = subprocess.Popen(
                words,
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @contextlib.contextmanager
    def drive(self, *words: str | Path, env: Mapping[str, str] | None = None) -> Iterator[Drive]:
        """`mtui --no-ui --json` in the background."""
        log = self.new("events")
        began = time.time()
        command = [*COMMAND, "--no-ui", "--json", *map(str, words)]
        with self.background(command, log, self.env if env is None else env) as process:
            yield Drive(process, log, began)


class Drive:
    """A driver in the background and what it has printed so far; every record is read once."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, began: float) -> None:
        self.process = process
        self.began = began  # wall clock, as in its events
        self.events: list[dict[str, Any]] = []
        self.accepted: dict[int, float] = {}  # by instance, seconds from the start to Slurm's answer
        self._members: dict[str, list[int]] = {}
        self._log = log
        self._at = 0

    def wait_for(self, condition: Callable[[], bool], what: str, limit: float = LONG) -> None:
        """Wait until something holds of the events so far."""

        def holds() -> bool:
            over = self.process.poll() is not None
            self.read()
            if condition():
                return True
            if over:
                raise RuntimeError(f"mtui ended before {what}: {self._log.read_text()[-1500:]}")
            return False

        wait_until(holds, limit, what)

    def wait_accepted(self, count: int, limit: float = LONG) -> float:
        """Wait until Slurm has so many instances; seconds from the start to the answer for the last of them."""
        self.wait_for(lambda: len(self.accepted) >= count, f"{count} instances are accepted", limit)
        return sorted(self.accepted.values())[count - 1]

    def count(self, kind: str) -> int:
        return sum(event["type"] == kind for event in self.events)

    def read(self) -> None:
        """Read what was printed since the last time."""
        with self._log.open("rb") as log:
            log.seek(self._at)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            if line.startswith(b"{"):
                self._take(json.loads(line))

    def _take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        if event["type"] == "submit_intended" and event["backend"] == "slurm":
            self._members[event["submission"]] = [instance for instance, _ in event["members"]]
        elif event["type"] == "submitted":
            for instance in self._members.get(event["submission"], ()):
                self.accepted.setdefault(instance, event["at"] - self.began)
