"""The benchmarks still run, at a size that takes no time. No verdict hangs on what they measure."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("bench", "said"),
    [
        ("bench_plan", "maestro run --dry"),
        ("bench_resume", "of it reading plan and journal"),
        ("bench_app", "key to paint while it drives"),
    ],
)
def test_benchmark_runs(bench: str, said: str) -> None:
    command = [sys.executable, "-m", f"tests.bench.{bench}", "40"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
