"""A machine that runs drivers and their steps on a disk, until its power is cut.

After a cut it has another boot id, and no old process. Its Slurm controller is another machine and keeps running;
jobs that ran on this machine end as on a node that failed.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path

from tests.faults.fake_slurm import FakeSlurm, Job
from tests.mtui import COMMAND
from tests.power.disk import Disk
from tests.waiting import wait_until

_MARK = "MTUI_TEST_MACHINE"
_BOOTED = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'


class Machine:
    """One machine with one disk. What is beside the disk in `folder` is on other machines."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.disk = Disk(folder, kind)
        self.slurm = FakeSlurm(folder / "slurm")
        self._mark = f"{_MARK}={secrets.token_hex(8)}"
        self._boots = 0
        self._boot()

    def start(self, *words: str | Path, log: Path) -> subprocess.Popen[bytes]:
        """Start mtui on this machine, in this boot of it."""
        with log.open("ab") as out:
            return subprocess.Popen(
                [*self._booted(), *COMMAND, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env=self._env(),
                start_new_session=True,
            )

    def run(self, *words: str | Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run mtui on this machine to its end."""
        command = [*self._booted(), *COMMAND, *map(str, words)]
        return subprocess.run(
            command, cwd="/", env=self._env(), capture_output=True, text=True, timeout=timeout, check=False
        )

    def cut_power(self) -> None:
        """Stop at once: the processes first, so that none sees the disk fail; then the disk."""
        for _ in range(2):  # the second finds what was being started during the first
            self._signal(signal.SIGSTOP)
        self.disk.stop()
        self.end_processes()
        for job in self.slurm.jobs():
            self._keep_or_fail(job)
        self.disk.start()
        self._boot()

    @staticmethod
    def _keep_or_fail(job: Job) -> None:
        """Update a job as the controller, which kept running, does: the job's programs may have been killed here."""
        settled = job.folder / "after.settled"
        if job.state == "PENDING" and settled.exists() and not job.get("session"):
            settled.rename(job.folder / "after")
        elif job.state in ("RUNNING", "PENDING") and not job.get("after"):
            job.put("verdict", "NODE_FAIL")

    def end_processes(self) -> None:
        wait_until(lambda: not self._signal(signal.SIGKILL), 20, "all processes of the machine are gone")

    def close(self) -> None:
        self.end_processes()
        self.disk.close()

    def _boot(self) -> None:
        self._boots += 1
        self._boot_id = self.folder / f"boot.{self._boots}"
        self._boot_id.write_text(f"{uuid.uuid4()}\n")

    def _booted(self) -> list[str]:
        return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", _BOOTED, str(self._boot_id)]

    def _env(self) -> dict[str, str]:
        name, _, value = self._mark.partition("=")
        return {**self.slurm.env, name: value, "XDG_STATE_HOME": str(self.folder / "state")}

    def _signal(self, number: signal.Signals) -> list[int]:
        """Send a signal to every process of the machine; their ids."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with suppress(OSError):
                    if os.fsencode(self._mark) in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                        os.kill(int(entry.name), number)
        return found
