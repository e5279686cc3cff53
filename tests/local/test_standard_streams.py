"""Standard streams that are closed: every verb works as with /dev/null in their place."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import mtui

STEP = "- {name: a, description: d, run: {cmd: 'readlink /proc/self/fd/0 /proc/self/fd/1; echo hello'}}"


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # `mtui studies` is compared with itself, so no other test may add or change a study between the two calls.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield mtui.write_study(tmp_path / "study.yaml", STEP)


def run(redirections: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *mtui.COMMAND, *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_study_runs_and_is_queried_with_closed_streams(tmp_path: Path, spec: Path, closed: str) -> None:
    out = tmp_path / "out"
    opened = closed.replace("<&-", "</dev/null").replace(">&-", ">/dev/null").replace("22>", "2>")
    first = run(closed, "-o", out, spec)
    assert first.returncode == 0, first.stderr
    assert "a bug" not in first.stderr
    assert (out / "a" / "a.out").read_text().endswith("hello\n")
    assert mtui.statuses(out) == {"a": "finished"}
    for words in (
        ["studies"],
        ["status", out],
        ["log", out, "a"],
        ["why", out],
        ["cancel", out],
        ["doctor", out],
        ["plan", "-o", tmp_path / "planned", spec],  # without -o it names the second of the request
    ):
        done, usual = run(closed, *words), run(opened, *words)
        assert done.returncode == usual.returncode, (words, done.stderr)
        assert "a bug" not in done.stderr + done.stdout, words
        if words[0] != "doctor":  # which measures
            assert (done.stdout, done.stderr) == (usual.stdout, usual.stderr)


def test_refused_start_with_closed_stdin_leaves_no_directory(tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "study.yaml", "- {name: a, description: d, run: {cmd: 'true', depends: [b]}}")
    assert run("<&-", "-o", tmp_path / "out", spec).returncode == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("full", ["2>/dev/full", ">/dev/full 2>&1"])
@pytest.mark.parametrize("words", [["plan", "missing.yaml"], ["status", "--no-such-option"], ["nosuchverb"]])
def test_mistake_has_its_exit_code_although_stderr_cannot_be_written(words: list[str], full: str) -> None:
    assert run(full, *words).returncode == 2
