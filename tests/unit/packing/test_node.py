"""What a worker finds out about its node, and how it clears it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.packing import node
from mtui.core.packing.orphans import kill_orphans


def topology(folder: Path, *siblings: str) -> None:
    for cpu, text in enumerate(siblings):
        (folder / f"cpu{cpu}" / "topology").mkdir(parents=True)
        (folder / f"cpu{cpu}" / "topology" / "thread_siblings_list").write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("ours", "cores"),
    [
        ({0, 1, 2, 3, 4, 5}, [{0, 3}, {1, 4}, {2, 5}]),
        ({1, 2, 4}, [{1, 4}, {2}]),
    ],
)
def test_cores_are_those_that_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: set[int], cores: list[set[int]]
) -> None:
    topology(tmp_path, "0,3", "1,4", "2,5", "0,3", "1,4", "2,5")
    monkeypatch.setattr(node, "_CPUS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: ours)
    assert node.cores(len(ours)) == cores
    assert node.cores(128) is None


def test_cores_of_an_unknown_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_CPUS", tmp_path)
    assert node.cores(len(os.sched_getaffinity(0))) is None
    topology(tmp_path, "0-3")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert node.cores(1) == [{0}]


@pytest.mark.parametrize(
    ("environment", "ids"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, ["0", "1"]),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles", "SLURM_STEP_GPUS": "2"}, ["2"]),
        ({"CUDA_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": "3"}, ["3"]),
        ({}, []),
    ],
)
def test_gpus(environment: dict[str, str], ids: list[str]) -> None:
    assert node.gpus(environment) == ids


def test_each_process_killed_for_want_of_memory_is_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.events"
    monkeypatch.setattr(node, "_counter_file", lambda: file)
    file.write_text("low 0\noom 7\noom_kill 3\n")
    memory = node.OutOfMemory()
    assert not memory.happened()
    file.write_text("low 0\noom 9\noom_kill 5\n")
    assert [memory.happened() for _ in range(3)] == [True, True, False]
    file.unlink()
    assert not memory.happened()


@pytest.fixture
def deaf() -> Iterator[subprocess.Popen[str]]:
    """A process of job 77 that does not listen to TERM."""
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True); signal.pause()"
    environment = {**os.environ, "MTUI_PACKED": "77.a", "SLURM_JOB_ID": "77"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_sweep_ends_what_bears_the_cookie(deaf: subprocess.Popen[str]) -> None:
    polite = subprocess.Popen(["sleep", "60"], env={**os.environ, "MTUI_PACKED": "77.a", "SLURM_JOB_ID": "77"})
    others = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, "MTUI_PACKED": mark, "SLURM_JOB_ID": job})
        for mark, job in (("77.a", "78"), ("77.b", "77"), ("77.ab", "77"))
    ]
    assert kill_orphans("77.a")
    assert (polite.wait(), deaf.wait()) == (-signal.SIGTERM, -signal.SIGKILL)
    assert [other.poll() for other in others] == [None] * 3
    for other in others:
        other.kill()
        other.wait()
