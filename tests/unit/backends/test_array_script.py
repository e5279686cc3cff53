"""What is handed to sbatch for an array, and each of its tasks run by it as on a node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mtui.core.backends.backend import AttemptFiles, Job
from mtui.core.backends.slurm_text import array_script, array_task

RUNNER = Path(__file__).parents[3] / "core" / "backends" / "job.sh"
NAMES = ["plain", "two words", "it's", "$HOME", "`ls`", "a;b&c", "*", "\\", "#x", "ä", "\udce9"]


class Array:
    """A study directory with an array of tasks 5, 7 and 50, each with its own workspace and script."""

    def __init__(self, root: Path, script: str = "true") -> None:
        self.root = root
        self.home = root / ".mtui"
        for folder in ("spool/new", "claims", "submit/1-1"):
            (self.home / folder).mkdir(parents=True)
        shutil.copyfile(RUNNER, self.home / "job.sh")
        attempts = tuple(self.attempt(index, script) for index in range(3))
        options = ("#SBATCH --nodes=1", "#SBATCH --signal=B:USR1@60")
        self.job = Job("1-1", "mt.x.1-1:a", attempts, (5, 7, 50), options)
        for task, attempt in zip(self.job.tasks, attempts, strict=True):
            (self.home / f"submit/1-1/{task}").write_text(array_task(attempt, str(root)), errors="surrogateescape")

    def attempt(self, index: int, script: str) -> AttemptFiles:
        workspace = self.root / "step" / f"X.{index}-(a)"
        workspace.mkdir(parents=True)
        path = workspace / f"step_X.{index}.slurm.sh"
        path.write_text(f"#!/bin/sh -e\n{script}\n")
        return AttemptFiles(f"{index}.1", str(workspace), str(path), f"{workspace}/step.out", f"{workspace}/step.err")

    def text(self, script: str = "#!/bin/sh -e\n") -> str:
        return array_script(self.job, script, str(self.home), str(self.root))

    def run(self, task: int, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """As Slurm does it: a copy of the script, started in the study directory."""
        script = self.home / "handed to sbatch"
        script.write_text(self.text(), errors="surrogateescape")
        slurm = {"SLURM_JOB_ID": str(100 + task), "SLURM_ARRAY_JOB_ID": "90", "SLURM_ARRAY_TASK_ID": str(task)}
        counts = {f"SLURM_ARRAY_TASK_{key}": "3" for key in ("COUNT", "MAX", "MIN", "STEP")}
        return subprocess.run(
            ["sh", script],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "SLURMD_NODENAME": "node1", **slurm, **counts, **(env or {})},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def records(self) -> list[dict[str, Any]]:
        files = sorted((self.home / "spool" / "new").iterdir())
        return [json.loads(path.read_text()) for path in files]


def test_options_of_the_array_come_after_ours_and_its_logs_are_links() -> None:
    job = Job("1-1", "n", (AttemptFiles("0.1", "/r/w", "/r/w/a.sh", "", ""),) * 2, (0, 1), ("#SBATCH -N 2",))
    lines = array_script(job, "#!/bin/bash -l\n", "/r/.mtui", "/r").split("\n")
    assert lines[:6] == [
        "#!/bin/sh",
        "#SBATCH --no-requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=.mtui/submit/1-1/%a.out",
        "#SBATCH --error=.mtui/submit/1-1/%a.err",
        "#SBATCH -N 2",
    ]
    assert lines[-3].endswith("'' '' /bin/bash -l")


@pytest.mark.parametrize(("option", "passed"), [("--signal=B:TERM@60", True), ("--signal=B:USR1@60", False)])
def test_runner_of_a_task_hands_term_on_if_slurm_sends_it_to_the_runner_alone(option: str, passed: bool) -> None:
    job = Job("1-1", "n", (AttemptFiles("0.1", "/r/w", "/r/w/a.sh", "", ""),) * 2, (0, 1), (f"#SBATCH {option}",))
    assert ("'' 1 /bin/sh" in array_script(job, "", "/r/.mtui", "/r")) is passed


def test_task_gets_its_attempt_workspace_and_script(tmp_path: Path) -> None:
    attempt = Array(tmp_path / "out").job.attempts[1]
    assert array_task(attempt, str(tmp_path / "out")) == "1.1 step/X.1-(a) step_X.1.slurm.sh\n"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("task", "index"), [(5, 0), (50, 2)])
def test_task_runs_its_own_script_in_its_own_workspace(tmp_path: Path, name: str, task: int, index: int) -> None:
    array = Array(tmp_path / name, 'pwd > here; echo "$0" > name')
    done = array.run(task)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    workspace = Path(array.job.attempts[index].workspace)
    assert (workspace / "here").read_bytes() == os.fsencode(f"{workspace}\n")
    assert (workspace / "name").read_bytes() == os.fsencode(f"{array.job.attempts[index].script}\n")
    assert (array.home / "claims" / f"{index}.1").read_text() == f"90_{task}\n"
    assert [path.name for path in (array.home / "claims").iterdir()] == [f"{index}.1"]
    assert [(record["kind"], record["attempt"], record["job"]) for record in array.records()] == [
        ("exit", f"{index}.1", f"90_{task}"),
        ("start", f"{index}.1", f"90_{task}"),
    ]


def test_script_does_not_see_that_it_shares_an_array(tmp_path: Path) -> None:
    array = Array(tmp_path / "out", "env > seen")
    assert array.run(7, {"SLURM_NTASKS": "4"}).returncode == 0
    seen = (Path(array.job.attempts[1].workspace) / "seen").read_text()
    assert "SLURM_ARRAY" not in seen
    assert "mtui_" not in seen
    assert "SLURM_JOB_ID=107\n" in seen
    assert "SLURM_NTASKS=4\n" in seen


def test_shell_of_the_script_is_the_one_that_it_names(tmp_path: Path) -> None:
    array = Array(tmp_path / "out", "false\ntouch reached")
    assert array.run(5).returncode == 1
    assert not (Path(array.job.attempts[0].workspace) / "reached").exists()


@pytest.mark.parametrize("task", [0, 1, 6, 500, 55])
def test_task_that_is_not_in_the_table_ends_and_runs_nothing(tmp_path: Path, task: int) -> None:
    array = Array(tmp_path / "out", "touch ran")
    done = array.run(task)
    assert done.returncode == 72
    assert "mtui: cannot read the command of this task\n" in done.stderr
    assert (array.records(), list((array.home / "claims").iterdir()), list(array.root.rglob("ran"))) == ([], [], [])


def test_task_whose_table_is_gone_ends_and_runs_nothing(tmp_path: Path) -> None:
    array = Array(tmp_path / "out", "touch ran")
    (array.home / "submit/1-1/5").unlink()
    assert array.run(5).returncode == 72
    assert list(array.root.rglob("ran")) == []


def owned(array: Array, *claims: str) -> None:
    for claim in claims:
        (array.home / "claims" / claim).write_text("void\n")


@pytest.mark.parametrize(("task", "code", "ran"), [(5, 75, False), (7, 0, True)])
def test_task_whose_claim_is_the_drivers_does_not_run(tmp_path: Path, task: int, code: int, ran: bool) -> None:
    array = Array(tmp_path / "out", "touch ran")
    owned(array, "0.1")
    assert array.run(task).returncode == code
    assert (list(array.root.rglob("ran")) != []) is ran
    kinds: Sequence[str] = [record["kind"] for record in array.records()]
    assert kinds == (["exit", "start"] if ran else ["twin"])
    if not ran:
        assert array.records()[0]["owner"] == "void"
