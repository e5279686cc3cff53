"""Errors of the file system at the points of a driver that a study in shared allocations passes, on a real cluster:
nothing is lost, nothing runs twice."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.driver import Driver, io_errors
from mtui.core.driver.crash_points import POINTS
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.errors import DriverError
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_file import read_study_file
from mtui.core.store.study_reader import read_study
from tests import mtui
from tests.faults.failing_files import FailingFiles
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

ERRORS = (errno.ENOSPC, errno.EIO, errno.ESTALE)
IN_ALLOCATIONS = [point for point in POINTS if point.startswith(("allocate.", "give.", "return."))]
# The allocation is cancelled once by one of its instances, while others have not started: they are returned.
STUDY = """\
description: {{name: packed, description: instances in an allocation that is cancelled once}}
batch: {{type: slurm, host: h, bank: m1234, queue: shared, qos: regular}}
mtui: {{pack: {{cores: 1, idle: "00:00:20", walltime: "00:10:00"}}}}
study:
- name: once
  description: d
  run:
    procs: 1
    walltime: "00:05:00"
    cmd: |
      [ -e {once} ] || {{ touch {once}; scancel $SLURM_JOB_ID; while true; do sleep 0.1; done; }}
      echo once >> {trace}
- name: a
  description: d
  run: {{cmd: "echo a_$(I) >> {trace}", procs: 1, walltime: "00:05:00"}}
- name: b
  description: d
  run: {{cmd: "echo b_$(I) >> {trace}", procs: 1, walltime: "00:05:00", depends: [a]}}
global.parameters:
  I: {{values: [1, 2], label: "I.%%"}}
"""


class Run:
    """The study in a new directory, not begun."""

    def __init__(self, folder: Path, slurm: Cluster) -> None:
        self.trace, self.once = folder / "trace", folder / "once"
        spec = folder / "study.yaml"
        spec.write_text(STUDY.format(trace=self.trace, once=self.once))
        assert mtui.run("--dry", "-o", folder / "out", spec, env=slurm.env).returncode == 0
        self.directory = StudyDirectory(folder / "out")
        self.outcome = self.error = ""

    def start(self, point: str) -> threading.Thread:
        """Drive on a thread of this process. For the points before the allocation ends, it is not cancelled."""
        if not point.startswith("return."):
            self.once.touch()
        self.driver = Driver(self.directory, read_study_file(self.directory.study_file), _show_nothing)
        thread = threading.Thread(target=self._drive, daemon=True)
        thread.start()
        return thread

    def _drive(self) -> None:
        try:
            self.outcome = self.driver.run()
        except DriverError as error:
            self.error = str(error)

    def has_run_once(self) -> bool:
        wanted = Counter(["once", "a_1", "a_2", "b_1", "b_2"])
        return Counter(self.trace.read_text().split()) == wanted and read_study(self.directory)[1].result == "finished"


def _show_nothing(event: ev.Event, state: StudyState) -> None:
    del event, state


@pytest.fixture
def run(slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm.env[name])
    monkeypatch.setattr(io_errors, "FIRST_DELAY", 0.05)
    made = Run(tmp_path, slurm)
    yield made
    made.driver.stop("the test is over")


@pytest.mark.parametrize("point", IN_ALLOCATIONS)
def test_error_that_passes_delays_an_allocation_and_changes_nothing(run: Run, point: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        files = FailingFiles(patch, run.directory.root, point, ERRORS[IN_ALLOCATIONS.index(point) % 3], 4)
        thread = run.start(point)
        thread.join(120)
        assert not thread.is_alive()
    assert files.is_reached
    assert run.outcome == "finished"
    assert run.has_run_once()


@pytest.mark.parametrize("point", IN_ALLOCATIONS)
def test_next_driver_continues_an_allocation_after_an_error_that_lasted(run: Run, point: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        files = FailingFiles(patch, run.directory.root, point, ERRORS[IN_ALLOCATIONS.index(point) % 3], -1)
        first = run.start(point)
        wait_until(lambda: files.failed or not first.is_alive(), 60, f"writes fail from {point} on")
        run.driver.stop("the test")
        first.join(60)
        assert not first.is_alive()
        assert "stopped while its study directory could not be written" in run.error
        files.repair()
    second = run.start(point)
    second.join(120)
    assert not second.is_alive()
    assert run.has_run_once()
