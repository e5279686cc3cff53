"""Sweeps as a user runs them: a product, tables, values from the command line; and the same file under Maestro."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests import mtui
from tests.bench.maestro import find_maestro, run_words

SAMPLES = Path(__file__).parents[2] / "sample_specs"
STUDY = """\
description: {name: t, description: d}
env: {variables: {STEPS: 10}}
study:
- {name: run, description: d, run: {cmd: echo $(SIZE) $(SEED) $(STEPS)}}
global.parameters:
  SIZE: {values: [1, 2], label: SIZE.%%}
  SEED: {values: [7, 8], label: SEED.%%}
mtui: {sweep: product}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


def outputs(directory: Path) -> list[str]:
    return sorted(path.read_text().strip() for path in directory.glob("run/*/*.out"))


def test_the_sample_runs_all_combinations_here_and_its_two_rows_under_maestro(tmp_path: Path) -> None:
    spec = SAMPLES / "product.yaml"
    done = mtui.run("--no-ui", "--local", "-o", tmp_path / "ours", spec)
    assert done.returncode == 0, done.stdout + done.stderr
    ours = (tmp_path / "ours" / "table" / "table.txt").read_text().splitlines()
    assert len(ours) == 20
    command = run_words(find_maestro(tmp_path / "maestro"), spec, tmp_path / "theirs", sleep=1)
    theirs = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    rows = (tmp_path / "theirs" / "table" / "table.txt").read_text().splitlines()
    assert [" ".join(row.split()) for row in rows] == ["11.90 mm steel, 1.0 m", "1818.18 mm oak, 2.0 m"]
    assert set(rows) <= set(ours)


def test_a_table_is_found_beside_the_study_from_any_directory(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    for name in ("product.yaml", "materials.csv"):
        shutil.copy(SAMPLES / name, tmp_path / "specs")
    assert "21 instances" in mtui.run("plan", "specs/product.yaml", cwd=tmp_path).stdout
    (tmp_path / "specs" / "materials.csv").write_bytes(b"MATERIAL,MODULUS\r\nsteel\r\n\xff")
    done = mtui.run("plan", "specs/product.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(r"specs/product\.yaml:\d+:11: materials\.csv: not UTF-8 text", done.stderr)
    (tmp_path / "specs" / "materials.csv").write_bytes(b"MATERIAL,MODULUS\r\nst\x1beel\r\n")
    done = mtui.run("plan", "specs/product.yaml", cwd=tmp_path)
    assert (done.returncode, "specs/materials.csv:2:3: not CSV text" in done.stderr) == (2, True)
    assert "\x1b" not in done.stderr


def test_what_the_command_line_gives_runs_and_is_remembered(folder: Path) -> None:
    words = ("--params", "SIZE=5..7", "--params", "SEED=a b", "--set", "STEPS=1.50")
    done = mtui.run("--no-ui", "-o", "out", *words, "study.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert outputs(folder / "out") == ["5 a b 1.50", "6 a b 1.50", "7 a b 1.50"]
    assert (folder / "out" / "study.yaml").read_text() == STUDY
    status = mtui.run("status", folder / "out").stdout
    assert "Started with --params SIZE=5..7 --params 'SEED=a b' --set STEPS=1.50" in status
    assert mtui.status(folder / "out")["given"] == list(words)
    assert mtui.run("--no-ui", "-o", "plain", "study.yaml", cwd=folder).returncode == 0
    assert "Started with" not in mtui.run("status", folder / "plain").stdout


def test_a_parameter_that_only_the_command_line_knows_is_swept(folder: Path) -> None:
    (folder / "study.yaml").write_text(STUDY.replace("$(STEPS)", "$(MORE)"))
    done = mtui.run("--no-ui", "-o", "out", "--params", "MORE=x,y", "study.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(outputs(folder / "out")) == 8
    assert "run_MORE.x.SEED.7.SIZE.1" in mtui.statuses(folder / "out")


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        ("--params SIZE", "--params 'SIZE' is not NAME=VALUE"),
        ("--params SIZE=9..1", "did you mean a step of -1?"),
        ("--params SIZE=1..1000 --params SEED=1..1000", "study.yaml:8:8: the sweep has 1,000 x 1,000 = 1,000,000 rows"),
        ("--set STEP=1", "--set STEP: env has no entry 'STEP'\n    hint: did you mean 'STEPS'?"),
        ("--set STEPS=", "--set STEPS has no value"),
    ],
)
def test_invalid_parameters_are_reported_at_once_and_leave_nothing(folder: Path, words: str, reported: str) -> None:
    began = time.monotonic()
    for verb in ("run", "plan"):
        done = mtui.run(verb, "study.yaml", *words.split(), cwd=folder)
        assert (done.returncode, reported in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert time.monotonic() - began < 20
    assert [path.name for path in folder.iterdir()] == ["study.yaml"]


def test_a_study_that_exists_takes_no_other_values(folder: Path) -> None:
    assert mtui.run("--dry", "-o", "out", "study.yaml", cwd=folder).returncode == 0
    for words in (("--params", "SIZE=1"), ("--set", "STEPS=1")):
        done = mtui.run("--no-ui", *words, "out", cwd=folder)
        assert (done.returncode, f"{words[0]} cannot be given for a study that exists" in done.stderr) == (2, True)
    assert len(mtui.statuses(folder / "out")) == 4


def test_a_generator_replaces_the_sweep_with_a_warning(folder: Path) -> None:
    (folder / "pgen.py").write_text(
        "from maestrowf.datastructures.core import ParameterGenerator\n"
        "def get_custom_generator(env, **kwargs):\n"
        "    generator = ParameterGenerator()\n"
        "    generator.add_parameter('SIZE', [int(env.find('STEPS').value) * 2], 'SIZE.%%')\n"
        "    generator.add_parameter('SEED', [1], 'SEED.%%')\n"
        "    return generator\n"
    )
    words = ("--pgen", "pgen.py", "--set", "STEPS=21", "--params", "SIZE=1,2")
    done = mtui.run("--no-ui", "-o", "out", *words, "study.yaml", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mtui: 'sweep' has no effect: --pgen gives all parameters" in done.stderr
    assert "--params has no effect" in done.stderr
    assert outputs(folder / "out") == ["42 1 21"]
