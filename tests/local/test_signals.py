"""Unexpected signals: the driver continues."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests import mtui
from tests.waiting import wait_until


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE])
def test_driver_survives_an_unexpected_signal(tmp_path: Path, number: signal.Signals) -> None:
    trace, go = tmp_path / "trace", tmp_path / "go"
    cmd = f"echo run >> {trace}; while [ ! -e {go} ]; do sleep 0.05; done"
    spec = mtui.write_study(tmp_path / "study.yaml", f"- {{name: a, description: d, run: {{cmd: '{cmd}'}}}}")
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log")
    try:
        wait_until(trace.exists, 30, "the payload runs")
        driver.signal(number)
        if number != signal.SIGPIPE:  # which Python ignores
            wait_until(lambda: f"{number.name} was received" in driver.log.read_text(), 30, "the signal is noted")
        go.touch()
        assert driver.wait() == 0
    finally:
        driver.kill()
    assert trace.read_text() == "run\n"
    assert mtui.statuses(tmp_path / "out") == {"a": "finished"}
