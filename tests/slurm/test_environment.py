"""Scripts get the environment of the user's own shell and sbatch; Slurm's programs are not misled by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.lone_allocation import Allocation
from tests.slurm.test_arrays import rows
from tests.slurm.test_studies import SHARED, step
from tests.waiting import wait_until

FUNCTION = {"BASH_FUNC_module%%": "() {  echo loaded $1\n}"}
EXPORTED = {**FUNCTION, "name.with-dots": "it's\n two lines"}
SHOW = "module $(I); tr '\\0' '\\n' </proc/$$/environ | grep -A1 with-dots"
SHOWN = "name.with-dots=it's\n two lines\n"
WRITE = "import os; open('environment', 'wb').write(b'\\0'.join(b'='.join(item) for item in os.environb.items()))"
# They differ between two jobs of the same script.
OF_EACH_JOB = (
    *("PWD", "SLURM_JOB_ID", "SLURM_JOBID", "SLURM_JOB_NAME", "SLURM_SUBMIT_DIR", "SLURMD_NODENAME"),
    *("SLURM_JOB_NODELIST", "SLURM_NODELIST", "SLURM_TOPOLOGY_ADDR", "SLURM_TASK_PID", "SLURM_JOB_START_TIME"),
    *("SLURM_JOB_END_TIME", "SLURM_JOB_SLUID", "SLURM_WORKING_CLUSTER"),
)


def environment(folder: Path) -> dict[str, str]:
    text = (folder / "environment").read_text(errors="surrogateescape")
    return dict(item.split("=", 1) for item in text.split("\0"))


def test_script_has_the_environment_of_the_users_own_sbatch(slurm: Cluster, tmp_path: Path) -> None:
    env = {**slurm.env, **EXPORTED, "SLURM_TIME_FORMAT": "relative", "SBATCH_QOS": "nosuch", "LATIN": "\udcff"}
    hand, out = tmp_path / "hand", tmp_path / "out"
    hand.mkdir()
    (hand / "s.py").write_text(f"#!{sys.executable}\n{WRITE}\n")
    options = ("--account=m1234", "--partition=shared", "--qos=regular", "--nodes=1", "--ntasks=1", "--time=5")
    subprocess.run(["sbatch", "--wait", *options, f"--chdir={hand}", hand / "s.py"], env=env, check=True, timeout=60)
    batch = f"{SHARED[:-1]}, shell: {sys.executable}}}"
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", WRITE), batch=batch)
    done = mtui.run("--no-ui", "-o", out, spec, env=env)
    assert done.returncode == 0, done.stdout + done.stderr

    by_hand, by_mtui = environment(hand), environment(out / "a")
    assert set(by_mtui) == set(by_hand)
    assert {name for name, text in by_hand.items() if by_mtui[name] != text} <= set(OF_EACH_JOB)


@pytest.mark.parametrize("pack", ["", "mtui: {pack: {cores: 4}}\n"], ids=["jobs", "packed"])
def test_exported_functions_are_there_in_jobs_arrays_and_allocations(slurm: Cluster, tmp_path: Path, pack: str) -> None:
    steps = step("sweep", SHOW) + step("bound", "srun bash -c 'module $(I)'", depends="sweep")
    spec = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED, parameters=rows(2))
    spec.write_text(spec.read_text() + pack)
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env={**slurm.env, **EXPORTED})
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = {path.stem: path.read_text() for path in (tmp_path / "out").glob("[!.]*/*/*.out")}
    sweep = {f"sweep_I.{row}": f"loaded {row}\n{SHOWN}" for row in range(2)}
    assert outputs == {**sweep, **{f"bound_I.{row}": f"loaded {row}\n" for row in range(2)}}


def test_exported_functions_are_there_on_nodes_without_python(
    allocation: Allocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in FUNCTION.items():
        monkeypatch.setitem(allocation.slurm.env, name, text)
    allocation.give(allocation.item("1.1", "module x; env | grep mtui_"), end=True)
    allocation.submit(python="/no/python")
    allocation.wait_for("over")
    assert allocation.output("1.1") == "loaded x\n"


def test_exported_functions_are_there_below_a_driver_in_a_job(slurm: Cluster, tmp_path: Path) -> None:
    steps = step("here", "module here", where="") + step("job", "module job", depends="here")
    spec, out = mtui.write_study(tmp_path / "s.yaml", steps, batch=SHARED), tmp_path / "out"
    done = mtui.run("submit", "-o", out, spec, "--partition=shared", "--time=5", env={**slurm.env, **EXPORTED})
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: set(mtui.statuses(out).values()) == {"finished"}, 90, "the study finishes")
    outputs = {path.stem: path.read_text() for path in out.glob("*/*.out")}
    assert outputs == {"here": "loaded here\n", "job": "loaded job\n"}


# --- variables that are options of Slurm's programs

MISLEADING = {
    "SQUEUE_FORMAT": "%A",
    "SQUEUE_STATES": "SUSPENDED",
    "SQUEUE_PARTITION": "debug",
    "SQUEUE_USERS": "nobody",
    "SACCT_FORMAT": "State",
    "SLURM_TIME_FORMAT": "relative",
    "SLURM_BITSTR_LEN": "4",
    "SQUEUE_ARRAY": "1",
    "SCANCEL_STATE": "PENDING",
    "SCANCEL_INTERACTIVE": "true",
    "SCANCEL_PARTITION": "debug",
    "SCANCEL_VERBOSE": "1",
    "SBATCH_PARTITION": "nosuch",
    "SBATCH_QOS": "nosuch",
    "SBATCH_TIMELIMIT": "99999",
    "SBATCH_OUTPUT": "/no/where",
    "SBATCH_WAIT": "1",
    "SBATCH_ARRAY_INX": "0-2",
    "SBATCH_OPEN_MODE": "truncate",
    "SBATCH_DEBUG": "3",
    "SBATCH_REQUEUE": "",  # from Slurm 26.05 on sbatch refuses most values
    "SBATCH_MEM_PER_CPU": "1G",
    "SLURM_EXIT_ERROR": "0",
    "SBATCH_ACCOUNT": "nosuch",
}


def test_variables_of_slurms_programs_change_nothing(slurm: Cluster, tmp_path: Path) -> None:
    steps = step("a", "echo a") + step("stays", "sleep 300", depends="a")
    spec, out = mtui.write_study(tmp_path / "s.yaml", steps, batch=f"{SHARED[:-1]}, mem: 100M}}"), tmp_path / "out"
    env = {**slurm.env, **MISLEADING}
    driver = mtui.Driver("-s", "1", "-o", out, spec, log=tmp_path / "log", env=env)
    job = driver.wait_for("started", count=2)[-1]["job"]
    shown = slurm.run("scontrol", "show", "job", job).stdout
    assert "Requeue=0" in shown
    assert "TimeLimit=00:05:00" in shown
    cancel = mtui.run("cancel", out, "stays", env=env)
    assert cancel.returncode == 0, cancel.stdout + cancel.stderr
    assert driver.wait() == 3
    assert mtui.statuses(out) == {"a": "finished", "stays": "cancelled"}
    wait_until(lambda: slurm.job_state(job) == "CANCELLED", 30, "the job ends")


# --- locales


def test_allocations_work_without_a_utf8_locale(slurm: Cluster, tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "echo 'ü $(I)'"), batch=SHARED, parameters=rows(2))
    spec.write_text(spec.read_text() + "mtui: {pack: {cores: 4}}\n")
    env = {**slurm.env, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = mtui.run("--no-ui", "-o", tmp_path / "größe", spec, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.read_text() for path in tmp_path.glob("größe/a/*/*.out")} == {"ü 0\n", "ü 1\n"}


# --- PYTHONPATH


def test_modules_on_pythonpath_replace_none_of_an_allocation(slurm: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("json", "queue", "random", "selectors", "socket"):
        (folder / f"{name}.py").write_text("raise RuntimeError('broken')\n")
    spec = mtui.write_study(tmp_path / "s.yaml", step("a", "echo $PYTHONPATH; echo $MTUI_PACKED"), batch=SHARED)
    spec.write_text(spec.read_text() + "mtui: {pack: {cores: 4}}\n")
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env={**slurm.env, "PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stdout + done.stderr
    first, packed = (tmp_path / "out/a/a.out").read_text().splitlines()
    assert first == str(folder)
    assert packed, "the fallback without Python ran it"
