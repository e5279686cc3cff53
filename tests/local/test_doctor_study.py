"""`mtui doctor DIR` of a study: it shows its plan, changes nothing without a yes, and nothing while a driver lives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import mtui
from tests.waiting import wait_until


@pytest.fixture
def study(tmp_path: Path) -> Path:
    spec = mtui.write_study(tmp_path / "s.yaml", '- {name: a, description: d, run: {cmd: "true"}}')
    assert mtui.run("--no-ui", "-y", "-o", tmp_path / "out", spec).returncode == 0
    return tmp_path / "out"


def test_repairs_are_shown_and_carried_out_only_with_yes(study: Path) -> None:
    job = study / ".mtui" / "job.sh"
    whole = job.read_bytes()
    job.write_bytes(b"")

    shown = mtui.run("doctor", study)
    assert shown.returncode == 1
    assert "1. create .mtui/job.sh" in shown.stdout
    assert f"mtui doctor -y {study}" in shown.stdout
    assert job.read_bytes() == b""
    assert json.loads(mtui.run("doctor", "--json", study).stdout)["repairs"] == ["create .mtui/job.sh"]

    repaired = mtui.run("doctor", "-y", study)
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert "1 repair applied" in repaired.stdout
    assert job.read_bytes() == whole
    assert json.loads(mtui.run("doctor", "--json", study).stdout)["repairs"] == []


def test_nothing_is_repaired_while_a_driver_lives(tmp_path: Path) -> None:
    go = tmp_path / "go"
    steps = f'- {{name: a, description: d, run: {{cmd: "while [ ! -e {go} ]; do sleep 0.05; done"}}}}'
    spec = mtui.write_study(tmp_path / "s.yaml", steps)
    out = tmp_path / "out"
    driver = mtui.Driver("-y", "-o", out, spec, log=tmp_path / "log")
    driver.wait_for("submitted")
    wait_until((out / "status.csv").exists, 20, "status.csv is written")
    (out / ".mtui" / "fallback.sh").unlink()
    refused = mtui.run("doctor", "-y", out)
    assert refused.returncode == 2
    assert "this study already has a driver" in refused.stderr
    go.touch()
    assert driver.wait() == 0


def test_study_with_an_empty_owner_file_and_an_empty_job_sh_is_resumed(study: Path) -> None:
    """What an earlier version left after a power cut: it was refused permanently."""
    (study / ".mtui" / "owner" / "000002").touch()
    (study / ".mtui" / "job.sh").write_bytes(b"")
    assert mtui.run("rerun", study, "a").returncode == 0
    assert mtui.run("--no-ui", study).returncode == 0
    assert mtui.statuses(study) == {"a": "finished"}
    assert (study / ".mtui" / "owner" / "000003").stat().st_size
