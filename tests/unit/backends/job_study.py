"""A study directory and the job-side runner in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

RUNNER = Path(__file__).parents[3] / "core" / "backends" / "job.sh"
SHELLS = {"dash": ["dash"], "bash": ["bash"], "bash as sh": ["bash", "--posix"]}
FOUND = [name for name, words in SHELLS.items() if shutil.which(words[0])]
LOOP = "touch ready\nwhile [ ! -e go ]; do sleep 0.02; done\n"  # a payload that runs until the file `go` exists


class Study:
    """A study directory as the runner sees it, its paths as awkward as users make them."""

    def __init__(self, root: Path, shell: list[str]) -> None:
        self.shell = shell
        self.home = root / 'it\'s a "study" $HOME' / ".mtui"
        self.workspace = root / "work *here* 'now'"
        for folder in ("spool/new", "claims"):
            (self.home / folder).mkdir(parents=True)
        self.workspace.mkdir()
        self.err = root / "stderr"
        self.out = root / "stdout"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        script: str,
        *,
        job: str = "7",
        attempt: str = "3.1",
        local: bool = False,
        term: bool = False,
        words: tuple[str, ...] = ("/bin/sh",),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        path = self.workspace / "a 'b' c.slurm.sh"
        if not path.exists() and self.workspace.is_dir():
            path.write_text(script)
        arguments = [attempt, str(self.home), str(self.workspace), str(path), "here" if local else "", "1" * term]
        with self.out.open("ab") as out, self.err.open("ab") as err:
            process = subprocess.Popen(
                [*self.shell, str(RUNNER), *arguments, *words],
                env={"PATH": os.environ["PATH"], "SLURM_JOB_ID": job, "SLURMD_NODENAME": "node1", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def run(self, script: str, **options: Any) -> int:
        return self.start(script, **options).wait(30)

    def until_ready(self) -> None:
        wait_until((self.workspace / "ready").exists, 10, f"the payload begins; {self.err.read_text()}")

    def until_taken(self) -> None:
        """Until the runner has the signals that it was sent: bash loses the code of a process that ends before that."""

        def taken() -> bool:
            lines = Path(f"/proc/{self.started[-1].pid}/status").read_text().splitlines()
            return not any(int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd", "ShdPnd")))

        wait_until(taken, 10, "the runner has taken the signals")

    def go(self) -> None:
        (self.workspace / "go").touch()

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        texts = [path.read_text() for path in sorted((self.home / "spool" / "new").iterdir())]
        return [record for record in map(json.loads, texts) if kind in ("", record["kind"])]

    def claim(self, attempt: str = "3.1") -> Path:
        return self.home / "claims" / attempt
