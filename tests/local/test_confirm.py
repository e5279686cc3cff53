"""The question before a start that requests many node-hours, and what a study says of its site."""

from __future__ import annotations

from pathlib import Path

import pexpect
import pytest

from tests import mtui
from tests.slurm.cluster import Cluster
from tests.slurm.test_studies import SHARED, step


def study(folder: Path, block: str) -> Path:
    steps = step("a", "true", where='nodes: 2, walltime: "10:00:00"')
    spec = mtui.write_study(folder / "study.yaml", steps, batch=SHARED)
    spec.write_text(spec.read_text() + f"mtui: {block}\n")
    return spec


def test_without_a_terminal_the_message_shows_how_to_answer(slurm: Cluster, tmp_path: Path) -> None:
    spec = study(tmp_path, "{confirm: 19.5}")
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env=slurm.env)
    assert (done.returncode, (tmp_path / "out").exists()) == (2, False)
    assert "t may use up to 20.0 node-hours, more than 19.5 ('confirm')" in done.stderr
    assert "-y starts it without confirmation" in done.stderr
    assert mtui.run("--no-ui", "-y", "-o", tmp_path / "out", spec, env=slurm.env).returncode == 0
    assert mtui.run("--no-ui", "-o", tmp_path / "more", study(tmp_path, "{confirm: 20}"), env=slurm.env).returncode == 0


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("", 2), ("y", 0)])
def test_person_is_asked(slurm: Cluster, tmp_path: Path, answer: str, code: int) -> None:
    words = [*mtui.COMMAND[1:], "--no-ui", "-o", str(tmp_path / "out"), str(study(tmp_path, "{confirm: 1}"))]
    child = pexpect.spawn(mtui.COMMAND[0], words, env={**slurm.env, "TERM": "dumb"}, encoding="utf-8", timeout=60)
    child.expect_exact("Start it? [y/N]")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert (tmp_path / "out").exists() is (code == 0)


def test_site_is_shown_in_plan_and_at_the_start(slurm: Cluster, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "name: attic\nconfirm: 5\nqos: {regular: {walltime: '01:00:00', factor: 2}}\nrequired: [constraint]\n"
    )
    spec = study(tmp_path, "{site: ./site.yaml}")
    reported = mtui.run("plan", spec, env=slurm.env)
    assert reported.returncode == 0
    assert "At most 20.0 node-hours on attic, charged as 40.0." in reported.stdout
    assert (
        "study.yaml:4:3: warning: step 'a': it has no constraint, and attic refuses jobs without one" in reported.stdout
    )
    assert "exceeds the 01:00:00 of qos regular" in reported.stdout
    started = mtui.run("--no-ui", "-y", "-o", tmp_path / "out", spec, env=slurm.env)
    assert started.returncode == 0
    assert "it has no constraint" in started.stderr


@pytest.mark.parametrize(
    ("block", "reported"),
    [
        ("{site: attick}", "study.yaml:12:8: mtui: site: there is no site 'attick'"),
        ("{site: [a]}", "'site' must be text, but is a list"),
        ("{confirm: many}", "'confirm' must be a number of node-hours above 0, but is 'many'"),
        ("{confirm: 0}", "'confirm' must be a number of node-hours above 0, but is '0'"),
    ],
)
def test_wrong_words_are_reported(tmp_path: Path, block: str, reported: str) -> None:
    done = mtui.run("plan", study(tmp_path, block))
    assert (done.returncode, reported in done.stderr) == (2, True), done.stderr
