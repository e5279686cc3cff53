"""A FIFO or a device in place of a study's file: no command hangs, and the message names the path."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests import mtui

STEPS = """\
- {name: a, description: d, run: {cmd: "echo one; exit 3"}}
"""
MOST = 30  # seconds; a command that hangs takes longer


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    mtui.run("--no-ui", "-o", folder / "out", mtui.write_study(folder / "s.yaml", STEPS))
    return folder / "out"


def replaced(study: Path, name: str, by: str) -> Path:
    """Put something else in place of the file that matches `name`; return its path."""
    (path,) = study.glob(name)
    path.unlink()
    if by == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(by)
    return path


@pytest.mark.parametrize("by", ["fifo", "/dev/zero"])
@pytest.mark.parametrize(
    ("name", "verb", "is_refused"),
    [
        (".mtui/study.json", "status", True),
        (".mtui/journal/000001.jsonl", "status", True),
        (".mtui/owner/000001", "why", True),
        (".mtui/checkpoint.jsonl", "report", False),
        ("a/a.out", "log", True),
        ("a/a.err", "report", False),
        ("status.csv", "studies", False),
    ],
)
def test_a_command_ends(finished: Path, tmp_path: Path, name: str, verb: str, is_refused: bool, by: str) -> None:
    study = mtui.copied(finished, tmp_path / "out")
    (study / ".mtui" / "checkpoint.jsonl").touch()
    path = replaced(study, name, by)
    words = [verb, *([study] if verb != "studies" else []), *(["a"] if verb in ("why", "log") else [])]
    done = mtui.run(*words, cwd=tmp_path, timeout=MOST)
    assert (done.returncode != 0) == is_refused, done.stderr
    assert "a bug in mtui" not in done.stderr
    if is_refused:
        assert str(path.parent) in done.stderr
        assert "not a regular file" in done.stderr


def test_a_driver_passes_over_them_and_can_be_ended(tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", '- {name: a, description: d, run: {cmd: "sleep 60"}}\n')
    study = tmp_path / "out"
    driver = mtui.Driver("-o", study, spec, log=tmp_path / "log")
    driver.wait_for("submitted")
    os.mkfifo(study / ".mtui" / "spool" / "new" / "0.1.exit.99")
    os.mkfifo(study / ".mtui" / "inbox" / "new" / "00000000000000000001-x")
    driver.wait_for("anomaly", count=2)
    driver.signal(signal.SIGTERM)
    assert driver.wait() != 0
    mtui.run("cancel", "-y", study)


def test_a_log_that_is_a_fifo_fails_its_step(tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", STEPS)
    study = tmp_path / "out"
    mtui.run("--dry", "-o", study, spec)
    os.mkfifo(study / "a" / "a.out")
    done = mtui.run("--no-ui", "-y", study, timeout=MOST)
    assert done.returncode == 2
    assert f"not a regular file ({study}/a/a.out)" in done.stdout


def test_a_table_that_is_a_fifo_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.csv")
    spec = mtui.write_study(tmp_path / "s.yaml", STEPS)
    spec.write_text(spec.read_text() + "mtui: {parameters: {file: rows.csv}}\n")
    done = mtui.run("plan", spec, timeout=MOST)
    assert done.returncode == 2
    assert "rows.csv" in done.stderr
    assert "not a regular file" in done.stderr
