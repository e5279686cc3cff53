"""Nothing is imported from the directory in which mtui is started, nor from a workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mtui
from mtui.core.isolated import isolated_command
from tests import mtui as command
from tests.waiting import wait_until

MARK = "imported from the launch directory"
SRUN = """\
#!/bin/sh
while case $1 in -*) true;; *) false;; esac; do shift; done
export SLURMD_NODENAME=here SLURM_LAUNCH_NODE_IPADDR=127.0.0.1 SLURM_PROCID=0 SLURM_CPUS_ON_NODE=2
exec "$@"
"""
MTUI = Path(sys.executable).with_name("mtui")


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a file named like each module of Python and of mtui's dependencies."""
    folder = tmp_path / "launch"
    folder.mkdir()
    for name in [*sys.stdlib_module_names, "yaml", "networkx", "watchfiles", "argcomplete", "textual", "mtui"]:
        (folder / f"{name}.py").write_text(f"import sys\nsys.stderr.write('{name} {MARK}\\n')\nraise SystemExit(9)\n")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return folder


def spec(folder: Path, cmd: str, batch: str = "", run: str = "") -> Path:
    step = f"- {{name: a, description: d, run: {{cmd: '{cmd}'{run}}}}}\n"
    return command.write_study(folder / "study.yaml", step, batch=batch)


def test_a_detached_driver_starts(launch: Path, tmp_path: Path) -> None:
    go, out, log = tmp_path / "go", tmp_path / "out", tmp_path / "log"
    words = [MTUI, "--no-ui", "-o", out, spec(launch, f"while [ ! -e {go} ]; do sleep 0.1; done")]
    with log.open("w") as file:
        first = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    wait_until(lambda: (out / ".mtui" / "owner" / "000001.beat").exists(), 30, "a driver")
    done = subprocess.run([MTUI, "detach", out], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), (out / ".mtui" / "driver.log").read_text()
    assert (out / ".mtui" / "owner" / "000002").exists()
    assert first.wait(30) == 0
    go.touch()
    wait_until(
        lambda: "finished" in subprocess.run([MTUI, "status", out], capture_output=True, text=True).stdout, 30, "end"
    )
    assert MARK not in log.read_text() + (out / ".mtui" / "driver.log").read_text()


def test_leader_and_worker_start_in_the_allocation_of_the_driver(
    launch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sbatch", "squeue", "sacct", "scancel", "scontrol", "sacctmgr", "srun"):
        (tools / name).write_text(SRUN if name == "srun" else "#!/bin/sh\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    out = tmp_path / "out"
    run = ', procs: 1, walltime: "00:10:00"'
    study = spec(launch, "echo ok > out.txt", "{type: slurm, host: h, bank: b, queue: q}", run)
    words = [MTUI, "--no-ui", "-y", "--in-allocation", "-o", out, study]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (out / "a" / "out.txt").read_text() == "ok\n"


@pytest.mark.parametrize("words", [["status"], ["why"], ["doctor"], ["plan", "study.yaml"], ["report"]])
def test_a_command_does(launch: Path, words: list[str]) -> None:
    spec(launch, "true")
    done = subprocess.run([MTUI, *words], capture_output=True, text=True, timeout=60)
    assert MARK not in done.stdout + done.stderr


def test_a_parameter_generator_gets_its_own_modules(launch: Path, tmp_path: Path) -> None:
    (tmp_path / "gen.py").write_text(
        "import random\nfrom maestrowf.datastructures.core import ParameterGenerator\n"
        "def get_custom_generator(env, **kwargs):\n"
        "    p = ParameterGenerator()\n    p.add_parameter('X', [1, 2], 'X.%%')\n    return p\n"
    )
    done = subprocess.run(
        [MTUI, "plan", "--pgen", tmp_path / "gen.py", spec(launch, "echo $(X)")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert MARK not in done.stderr


# --- the module search path of an isolated process


@pytest.mark.parametrize("written", ["", ".", "{here}:", "{here}/lib"])
def test_folders_of_pythonpath_are_searched_last_unless_they_are_the_current_one(
    launch: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python puts them before its own modules, and reads an empty entry as the current directory."""
    (launch / "lib").mkdir()
    monkeypatch.setenv("PYTHONPATH", written.format(here=launch.parent))
    monkeypatch.setattr(sys, "path", [str(launch), str(launch / "lib"), *sys.path])
    python, isolated, file, searched, module, *rest = isolated_command("mtui.tui", "status")
    assert (python, isolated, module, rest) == (sys.executable, "-I", "mtui.tui", ["status"])
    assert str(launch) not in searched.split(":")
    assert str(launch / "lib") in searched.split(":")
    assert Path(file).samefile(Path(mtui.__path__[0], "core", "isolated.py"))


def test_the_same_mtui_is_started_where_it_is_not_installed(tmp_path: Path) -> None:
    """As with PYTHONPATH: here the package is found only through the path of the script."""
    package = Path(mtui.__path__[0])
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mtui").symlink_to(package)
    start = tmp_path / "copy" / "mtui" / "core" / "isolated.py"
    text = "import mtui.core.claims as c; print(c.__file__)"
    (tmp_path / "copy" / "shown.py").write_text(text)
    searched = str(tmp_path / "copy")
    done = subprocess.run([sys.executable, "-I", start, searched, "shown"], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == str(tmp_path / "copy" / "mtui" / "core" / "claims.py"), done.stderr
