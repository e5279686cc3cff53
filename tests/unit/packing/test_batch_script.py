"""The batch script of an allocation, and the shell programs beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mtui.core.packing
from mtui.core.packing.batch_script import allocation_script

PACK = Path(mtui.core.packing.__path__[0])
OPTIONS = ("--nodes=2", '--comment=it\'s "mine"')


def write(tmp_path: Path, python: str) -> tuple[Path, Path]:
    home = tmp_path / "a b's" / ".mtui"
    (home / "allocations").mkdir(parents=True)
    script = tmp_path / "allocation.sh"
    script.write_text(allocation_script("3-1", str(home), python, 60, 4, ["/bin/bash", "-l"], OPTIONS))
    return home, script


def test_directives_come_first(tmp_path: Path) -> None:
    _, script = write(tmp_path, sys.executable)
    first, *lines = script.read_text().splitlines()
    assert first == "#!/bin/sh"
    assert lines[:4] == [
        "#SBATCH --nodes=2",
        '#SBATCH "--comment=it\'s \\"mine\\""',
        "#SBATCH --no-requeue",
        "#SBATCH --open-mode=append",
    ]


def fake_python(tmp_path: Path, body: str) -> str:
    """A Python that has our leader, and does this instead of it."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\n[ "$1" = -m ] || exit 0\n{body}\n')
    path.chmod(0o700)
    return str(path)


@pytest.mark.parametrize("said", [True, False], ids=["in order", "killed"])
def test_end_of_the_leader_is_recorded(tmp_path: Path, said: bool) -> None:
    over = '{"v":1,"kind":"over","job":"7","why":"idle"}'
    body = 'shift 2; printf "%s\\n" "$@" >"$1/arguments"; '
    body += (
        f"echo '{over}' >>\"$1/allocations/3-1.records\""
        if said
        else 'printf "{cut" >>"$1/allocations/3-1.records"; kill -9 $$'
    )
    home, script = write(tmp_path, fake_python(tmp_path, body))
    done = subprocess.run(["sh", str(script)], env={**os.environ, "SLURM_JOB_ID": "7"})
    assert (home / "arguments").read_text().splitlines() == [str(home), "3-1", "60", "/bin/bash", "-l"]
    lines = (home / "allocations" / "3-1.records").read_text().splitlines()
    if said:
        assert (done.returncode, lines) == (0, [over])
    else:
        assert done.returncode == 137
        last = json.loads(lines[-1])
        assert last.pop("at") > 0
        assert last == {"v": 1, "kind": "over", "job": "7", "why": "its leader ended with code 137"}
        assert lines[:-1] == ["{cut"]


def test_shell_waits_for_the_leader_after_sigterm(tmp_path: Path) -> None:
    body = "kill -TERM $PPID; kill -TERM $PPID; sleep 0.3; exit 9"
    home, script = write(tmp_path, fake_python(tmp_path, body))
    done = subprocess.run(["sh", str(script)], env={**os.environ, "SLURM_JOB_ID": "7"})
    assert done.returncode == 9
    assert "code 9" in (home / "allocations" / "3-1.records").read_text()


def test_without_python_a_shell_takes_over(tmp_path: Path) -> None:
    home, script = write(tmp_path, "/no/python")
    (tmp_path / "srun").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "srun").chmod(0o700)
    environment = {**os.environ, "SLURM_JOB_ID": "7", "SLURM_NNODES": "2", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", str(script)], env=environment, stdout=subprocess.PIPE, text=True)
    words = done.stdout.splitlines()
    assert "--ntasks=2" in words
    assert words[words.index("sh") + 1 :] == [
        *(f"{home}/fallback.sh", str(home), "3-1", "60", "4", "/bin/bash", "-l"),
    ]
    assert json.loads((home / "allocations" / "3-1.records").read_text())["why"] == "ended"


def test_srun_of_instances_finds_the_real_one(tmp_path: Path) -> None:
    for folder in ("own", "empty", "real"):
        (tmp_path / folder).mkdir()
    ours, real = tmp_path / "own" / "srun", tmp_path / "real" / "srun"
    ours.write_bytes((PACK / "srun.sh").read_bytes())
    real.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    for file in (ours, real):
        file.chmod(0o700)
    path = ":".join(str(tmp_path / name) for name in ("own", "empty", "real"))
    environment = {"PATH": f"{path}:{os.environ['PATH']}", "MTUI_NODES": "a,b", "MTUI_PACKED": "7.a"}
    for job, own in (("7", ["--exact", "--nodelist=a,b"]), ("8", [])):  # job 8 was submitted by an instance of 7
        environment["SLURM_JOB_ID"] = job
        done = subprocess.run(["srun", "-n", "2", "a *"], env=environment, stdout=subprocess.PIPE, text=True)
        assert done.stdout.splitlines() == [*own, "-n", "2", "a *"]
    real.unlink()
    done = subprocess.run([ours], env={"PATH": str(tmp_path / "own")}, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (127, "srun: not found\n")


ALL_OPTIONS = {"SHELLOPTS": "errexit:nounset:noglob:noclobber:allexport", "BASHOPTS": "failglob"}


def test_exported_options_of_the_shell_are_for_the_leader_alone(tmp_path: Path) -> None:
    """bash as sh takes them from its environment, and they would end this script before its record."""
    home, script = write(tmp_path, fake_python(tmp_path, 'echo "$SHELLOPTS" >"${0%/*}/options"; exit 9'))
    environment = {**os.environ, **ALL_OPTIONS, "SLURM_JOB_ID": "7"}
    done = subprocess.run(["bash", "--posix", str(script)], env=environment)
    assert done.returncode == 9
    assert "code 9" in (home / "allocations" / "3-1.records").read_text()
    assert {"errexit", "nounset", "noglob"} <= set((tmp_path / "options").read_text().strip().split(":"))


def test_exported_options_of_the_shell_do_not_change_what_srun_passes_on(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "srun").write_text('#!/bin/sh\necho "$SHELLOPTS"\n')
    (real / "srun").chmod(0o700)
    environment = {"PATH": f"{real}:{os.environ['PATH']}", "SHELLOPTS": "nounset"}
    command = ["bash", "--posix", str(PACK / "srun.sh"), "-n", "2"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert "nounset" in done.stdout
    assert "noglob" not in done.stdout
