"""The first minutes of somebody who knows nothing of mtui: nothing to show, a first study, what the machine offers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import mtui
from tests.terminal.screen import Terminal
from tests.unit.backends.fake import Fake


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A home in which nothing was ever kept, and no Slurm."""
    (tmp_path / "home").mkdir()
    empty = tmp_path / "bin"
    empty.mkdir()
    for name in ("sh", "bash", "awk", "cat", "sort", "tee"):
        (empty / name).symlink_to(shutil.which(name) or name)
    kept = {key: value for key, value in os.environ.items() if key not in ("NERSC_HOST", "SLURM_CONF")}
    return {**kept, "HOME": str(tmp_path / "home"), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "", "PATH": str(empty)}


def maestro_dry(spec: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    maestro = str(Path(sys.executable).with_name("maestro"))
    command = [maestro, "run", "-fg", "-y", "--dry", "-s", "1", "-o", str(folder / "m"), str(spec)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_with_nothing_to_show_it_says_how_to_begin(env: dict[str, str]) -> None:
    done = mtui.run(env=env)
    assert done.returncode == 0
    named = set(re.findall(r"^mtui \S+", done.stdout, re.MULTILINE))
    assert {"mtui init", "mtui STUDY.yaml", "mtui DIR", "mtui doctor", "mtui --help"} <= named


def test_so_does_the_app(env: dict[str, str]) -> None:
    terminal = Terminal(env={**env, "TERM": "xterm-256color"}, size=(100, 24))
    try:
        terminal.wait_for("mtui init")
        terminal.keys("q")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()


def test_a_first_study_runs_to_its_end(env: dict[str, str], tmp_path: Path) -> None:
    done = mtui.run("init", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a sweep of local steps" in done.stdout
    assert "mtui study.yaml" in done.stdout
    planned = mtui.run("plan", "study.yaml", cwd=tmp_path, env=env)
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "warning" not in planned.stdout
    ran = mtui.run("--no-ui", "-o", "out", "study.yaml", cwd=tmp_path, env=env)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len((tmp_path / "out" / "report" / "table.txt").read_text().splitlines()) == 8


@pytest.mark.parametrize("where", ["--local", "--slurm"])
def test_the_starters_run_in_maestro_too(where: str, tmp_path: Path) -> None:
    mtui.run("init", where, cwd=tmp_path)
    done = maestro_dry(tmp_path / "study.yaml", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "m" / "estimate").iterdir())) in (4, 8)


@pytest.mark.parametrize("where", ["--local", "--slurm"])
def test_what_is_commented_out_in_a_starter_can_be_used(where: str, tmp_path: Path) -> None:
    mtui.run("init", where, cwd=tmp_path)
    spec = tmp_path / "study.yaml"
    text, mark, block = spec.read_text().partition("#mtui:\n")
    assert mark
    spec.write_text(text + mark[1:] + "".join(line.removeprefix("#") for line in block.splitlines(keepends=True)))
    done = mtui.run("plan", spec)
    assert (done.returncode, done.stderr) == (0, "")
    assert "warning" not in done.stdout


def test_a_starter_knows_what_the_site_demands(tmp_path: Path) -> None:
    env = {**os.environ, "NERSC_HOST": "perlmutter", "XDG_CONFIG_HOME": str(tmp_path)}
    mtui.run("init", "--slurm", "my study.yaml", cwd=tmp_path, env=env)
    text = (tmp_path / "my study.yaml").read_text()
    assert "host: perlmutter" in text
    assert "  qos: debug\n  constraint: cpu\n" in text
    assert "mtui plan 'my study.yaml'" in text
    reported = mtui.run("plan", "my study.yaml", cwd=tmp_path, env=env).stdout
    assert re.findall(r"warning: (.*)", reported) == [
        "step 'estimate': it has no account, and perlmutter refuses jobs without one"
    ]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("mine")
    done = mtui.run("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "study.yaml already exists\n  hint: choose another file" in done.stderr
    assert (tmp_path / "study.yaml").read_text() == "mine"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    done = mtui.run("init", "none/study.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot write none/study.yaml: No such file or directory" in done.stderr


def test_a_parameter_that_nobody_uses_is_no_start(tmp_path: Path) -> None:
    mtui.run("init", "--local", cwd=tmp_path)
    done = mtui.run("plan", "study.yaml", "--params", "SEEED=1..8", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--params: parameter 'SEEED' is used by no step\n    hint: did you mean 'SEED'?" in done.stderr


def test_a_step_in_the_place_of_an_instance(tmp_path: Path) -> None:
    mtui.run("init", "--local", cwd=tmp_path)
    assert mtui.run("--dry", "-o", "out", "study.yaml", cwd=tmp_path).returncode == 0
    done = mtui.run("why", "out", "estimate", cwd=tmp_path)
    assert done.returncode == 2
    assert "hint: this is a step; its instances are estimate_SEED.1, estimate_SEED.2, " in done.stderr


def test_dry_run_does_not_start_automatically(env: dict[str, str], tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", "- {name: a, description: d, run: {cmd: echo > ran}}")
    out = tmp_path / "out"
    assert mtui.run("--dry", "-o", out, spec, env=env).returncode == 0
    assert str(out) not in mtui.run(env=env).stdout
    done = mtui.run("--no-ui", out, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "was created by --dry, and nothing has run\n  hint: -y starts it" in done.stderr
    terminal = Terminal(out, env={**env, "TERM": "xterm-256color"}, size=(100, 24))
    try:
        terminal.wait_for("Start it? [y/N]")
        terminal.keys("n", "enter")
        assert terminal.exit_code() == 2
    finally:
        terminal.close()
    assert not (out / "a" / "ran").exists()
    assert mtui.run("--no-ui", "-y", out, env=env).returncode == 0
    assert (out / "a" / "ran").exists()
    assert mtui.run("--no-ui", out, env=env).returncode == 0  # asked once


def test_labels_in_another_order_name_the_same_instance(tmp_path: Path) -> None:
    cmd = "- {name: sim, description: d, run: {cmd: 'echo $(OMEGA) $(GAMMA)'}}"
    rows = "  OMEGA: {values: [2, 3], label: OMEGA.%%}\n  GAMMA: {values: [0.2, 0.8], label: GAMMA.%%}"
    spec = mtui.write_study(tmp_path / "s.yaml", cmd, parameters=rows)
    assert mtui.run("--dry", "-o", tmp_path / "out", spec).returncode == 0
    done = mtui.run("why", tmp_path / "out", "sim_OMEGA.3.GAMMA.0.8")
    assert done.returncode == 2
    assert done.stderr.endswith("hint: did you mean 'sim_GAMMA.0.8.OMEGA.3'?\n")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("studi.yaml",), "did you mean 'study.yaml'?"),
        (("plan", "./studi.yaml"), "did you mean 'study.yaml'?"),
        (("other.yml",), "'mtui init' writes an example study"),
        (("unheard",), "see 'mtui --help'"),
    ],
)
def test_a_name_that_is_none_is_answered_with_the_next_step(words: tuple[str, ...], hint: str, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").touch()
    done = mtui.run(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"hint: {hint}\n")


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """Level and finding by subject."""
    return {item["subject"]: (item["level"], item["found"]) for item in json.loads(done.stdout)["findings"]}


def test_doctor_on_a_machine_without_slurm(env: dict[str, str], tmp_path: Path) -> None:
    done = mtui.run("doctor", cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Slurm is not installed on this machine" in done.stdout
    assert f"Directory {tmp_path}" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("mtui can work here; ")


def test_doctor_with_a_problem_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(tmp_path)
    fake.does("squeue", "echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1")
    monkeypatch.setenv("PATH", str(fake.folder))
    done = mtui.run("doctor", "--json", tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert findings(done)["controller"] == ("problem", "Unable to contact slurm controller")


def test_doctor_for_no_directory(tmp_path: Path) -> None:
    done = mtui.run("doctor", "none", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such directory: none\n  hint: " in done.stderr


def test_doctor_in_a_terminal(env: dict[str, str], tmp_path: Path) -> None:
    env = {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    terminal = Terminal("doctor", tmp_path, env=env, size=(140, 50))
    try:
        terminal.wait_for("mtui can work here")
        assert "xterm-256color, 140x50" in terminal.text
        assert "16 million colours" in terminal.text
    finally:
        terminal.close()
