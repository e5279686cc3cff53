"""Errors of the file system that last, at the points of the driver that a study on Slurm passes: the driver is stopped,
the file system is repaired, and the next driver finds nothing lost and runs nothing twice."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mtui.core.driver import Driver, io_errors
from mtui.core.driver.crash_points import POINTS
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.errors import DriverError, StudyDirectoryError
from mtui.core.spec.study_spec import RetryRule, Step
from mtui.core.store import inbox
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from mtui.core.store.study_reader import read_study
from tests.faults.failing_files import FailingFiles
from tests.faults.fake_slurm import FakeSlurm
from tests.plans import plan, step
from tests.waiting import wait_until

ERRORS = (errno.ENOSPC, errno.EIO, errno.ESTALE)
OF_JOBS = [point for point in POINTS if point.startswith(("unbind.", "retry.", "hook."))]


class Run:
    """A study on the fake Slurm. Its payloads write into `trace`; `victim` is cancelled once another waits for it."""

    def __init__(self, folder: Path, settings: Settings, steps: list[Step]) -> None:
        self.directory: StudyDirectory = create_directory(folder / "out", "", [])
        self.trace = folder / "trace"
        self.trace.touch()
        made = plan(*steps, rows={"X": [1, 2]}, out=str(self.directory.root))
        self.study = StudyFile("0a1b2c3d", 1.0, "s.yaml", settings, made)
        write_study_file(self.directory.study_file, self.study)
        self.is_cancelled = False
        self.outcome = ""
        self.error = ""

    def start(self) -> threading.Thread:
        """Drive on a thread."""
        self.driver = Driver(self.directory, self.study, self._listen)
        thread = threading.Thread(target=self._drive, daemon=True)
        thread.start()
        return thread

    def _drive(self) -> None:
        try:
            self.outcome = self.driver.run()
        except DriverError as error:
            self.error = str(error)

    def _listen(self, event: ev.Event, state: StudyState) -> None:
        del event
        names = [instance.name for instance in state.plan.instances]
        if self.is_cancelled or "after_victim" not in names:
            return
        if "victim" in self.ran() and state.status[names.index("after_victim")] is Status.BOUND:
            with suppress(StudyDirectoryError):  # the user meets the same error, and tries again
                inbox.send_command(self.directory.inbox, "cancel", ("victim",), {})
                self.is_cancelled = True

    def ran(self) -> Counter[str]:
        return Counter(word for word in self.trace.read_text().split() if not word.isdigit())


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[FakeSlurm]:
    slurm = FakeSlurm(tmp_path / "slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", slurm.env["PATH"])
        patch.setattr(io_errors, "FIRST_DELAY", 0.05)
        yield slurm
    slurm.stop()


def ends_after_a_repair(run: Run, point: str) -> str:
    """Have all writes fail from `point` on, stop the driver, repair, and drive again; the result of the study."""
    number = ERRORS[POINTS.index(point) % 3]
    with pytest.MonkeyPatch.context() as patch:
        files = FailingFiles(patch, run.directory.root, point, number, -1)
        first = run.start()
        wait_until(lambda: files.failed or not first.is_alive(), 40, f"writes fail from {point} on")
        run.driver.stop("the test")
        first.join(30)
        assert not first.is_alive()
        assert "stopped while its study directory could not be written" in run.error
        files.repair()
    second = run.start()
    second.join(60)
    assert not second.is_alive()
    _, state = read_study(run.directory)
    assert state.result == run.outcome
    return run.outcome


@pytest.mark.usefixtures("slurm")
@pytest.mark.parametrize("point", OF_JOBS)
def test_next_driver_continues_jobs_after_an_error_that_lasted(tmp_path: Path, point: str) -> None:
    trace, once = tmp_path / "trace", tmp_path / "once"
    run = Run(
        tmp_path,
        Settings(local_jobs=3, poll=1, on_end=f"echo $MTUI_RESULT >> {tmp_path}/ended"),
        [
            step("victim", cmd=f"echo victim >> {trace}; while true; do sleep 0.1; done"),
            step("after_victim", "victim", cmd=f"echo after_victim >> {trace}"),
            step("a", uses="X", cmd=f"echo a_$(X) >> {trace}"),
            step("b", "a", uses="X", cmd=f"echo b_$(X) >> {trace}"),
            step(
                "flaky",
                local=True,
                cmd=f"[ -e {once} ] || {{ touch {once}; exit 9; }}; echo flaky >> {trace}",
                retry={"9": RetryRule(1)},
            ),
        ],
    )
    assert ends_after_a_repair(run, point) == "cancelled"
    assert run.ran() == Counter(["victim", "a_1", "a_2", "b_1", "b_2", "flaky"])
    assert (tmp_path / "ended").read_text() == "cancelled\n"
