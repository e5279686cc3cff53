"""A driver whose descriptors are all in use waits, and continues when there are some again."""

from __future__ import annotations

import resource
from pathlib import Path

from tests import mtui
from tests.waiting import wait_until

STEPS = """\
- {{name: a, description: d, run: {{cmd: 'echo a >> {trace}; while [ ! -e {go} ]; do sleep 0.05; done'}}}}
- {{name: b, description: d, run: {{cmd: 'echo b >> {trace}', depends: [a]}}}}
"""


def test_driver_without_descriptors_continues_when_there_are_some_again(tmp_path: Path) -> None:
    trace, go = tmp_path / "trace", tmp_path / "go"
    spec = mtui.write_study(tmp_path / "study.yaml", STEPS.format(trace=trace, go=go))
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log")
    try:
        wait_until(trace.exists, 30, "the first step runs")
        driver.wait_for("submitted")
        pid = driver.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, limits[1]))
        go.touch()
        (error, *_) = driver.wait_for("io_error_began", code="EMFILE")
        assert error["message"] == "Too many open files"
        assert driver.process.poll() is None
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        driver.wait_for("io_error_ended", what=error["what"])
        assert driver.wait() == 0, driver.log.read_text()
    finally:
        driver.kill()
    assert trace.read_text() == "a\nb\n"
    assert mtui.statuses(tmp_path / "out") == {"a": "finished", "b": "finished"}
    assert "Traceback" not in driver.log.read_text()
