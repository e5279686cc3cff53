"""Every command line of mtui in the documents does what it says on a study that has what it names."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import mtui
from tests.docs.test_commands import shown, variants
from tests.slurm.cluster import Cluster

SAMPLES = Path(__file__).parents[2] / "sample_specs"
STUDY = """
description: {name: shown, description: What the documents speak of}
env: {variables: {BASE: 10, OLD: none}}
batch: {type: slurm, host: h, bank: "", queue: ""}
study:
- {name: simulate, description: d, run: {cmd: "echo $(SIZE) $(SEED) $(BASE)", procs: 1}}
- {name: sim, description: d, run: {cmd: "echo $(SIZE); test $(SIZE) != 10", restart: "true", procs: 1, walltime: 10}}
- {name: post, description: d, run: {cmd: "true", procs: 1, depends: [sim]}}
- {name: run, description: d, run: {cmd: "echo $(RUN)", procs: 1}}
mtui:
  sweep: product
  parameters:
    SIZE: {values: [10, 20]}
    SEED: {values: [0]}
    RUN: {values: [3, 4]}
"""
# Placeholders of the documents, and their values here.
NAMES = {
    "A": "DIR",
    "STEP": "sim",
    "INSTANCE": "sim_SIZE.10",
    "FILE.py": "gen.py",
    "KEY:VALUE": "N:5",
    "FILE": "row.yaml",
    "pendulum.yaml": "study.yaml",
}
NOT_HERE = {
    "--in-allocation": "it runs within a job of Slurm: tests/slurm/test_packing.py",
    "--qos": "the QOS of another site",
    "--partition": "the partition of another site",
}
# What a command says to a study that has ended: it is the right answer.
ANSWERS = {
    "cancel": "refused: ",
    "detach": "no driver is running",
    "stop": "no driver is running",
    "submit": "mtui retry DIR",
    "extend": "all these rows",
}
ENDLESS = {"-f", "--watch"}


def commands() -> list[tuple[str, ...]]:
    """Each command line once, with all of its alternatives; usage lines of commands.md are no examples."""
    found: dict[tuple[str, ...], None] = {}
    for place, line in shown():
        if place != "docs/commands.md":
            found.update({tuple(words): None for words in variants(line)})
    return sorted(words for words in found if words and not NOT_HERE.keys() & set(words))


@pytest.fixture(scope="module")
def failed_study(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in which one instance has failed."""
    folder = tmp_path_factory.mktemp("shown")
    (folder / "study.yaml").write_text(STUDY)
    out = folder / "out"
    done = mtui.run("--no-ui", "-q", "-o", out, folder / "study.yaml", env=cluster.env)
    assert done.returncode == 2, done.stdout + done.stderr
    return out


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_works(words: tuple[str, ...], cluster: Cluster, failed_study: Path, tmp_path: Path) -> None:
    for name in ("study.yaml", "STUDY.yaml", "hello.yaml"):
        if words != ("init",):
            (tmp_path / name).write_text(STUDY.replace("type: slurm", "type: local"))
    shutil.copy(SAMPLES / "generated.py", tmp_path / "gen.py")
    for name in ("DIR", "out", "first", "STUDY_DIRECTORY"):
        mtui.copied(failed_study, tmp_path / name)
    try:
        done = subprocess.run(
            [*mtui.COMMAND, *(NAMES.get(word, word) for word in words)],
            cwd=tmp_path,
            env={**cluster.env, "PYTHONPATH": str(SAMPLES.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=5 if ENDLESS & set(words) else 60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        assert ENDLESS & set(words)
        return
    reported = done.stdout + done.stderr
    if (answer := ANSWERS.get(words[0])) and answer in reported:
        return
    assert not [line for line in done.stderr.splitlines() if line.startswith("mtui: ")], reported
    assert done.returncode in (0, 2, 3), reported
