"""Who drives a study that is open in the app: this process, another, or nobody. With real drivers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.driver.location import CannotDrive, DrivenElsewhere, DrivenHere, DriverReleased, StudyOver
from mtui.core.store import inbox
from mtui.core.store.lease_owner import read_current_owner
from mtui.core.store.study_directory import StudyDirectory, open_study
from mtui.core.store.study_file import read_study_file
from mtui.tui.views.driver_thread import DriverThread
from tests import mtui
from tests.waiting import wait_until

WAITS = "- {{name: a, description: d, run: {{cmd: 'while [ ! -e {go} ]; do sleep 0.05; done'}}}}"
FAILS = "- {{name: a, description: d, run: {{cmd: 'test -e {go}'}}}}"


class Wheel:
    """A study directory whose steps wait for the file `go`, and this process at its wheel."""

    def __init__(self, folder: Path, steps: str) -> None:
        self.go = folder / "go"
        self.folder = folder
        self.spec = mtui.write_study(folder / "s.yaml", steps.format(go=self.go))
        self.out = folder / "out"
        self._driving: list[DriverThread] = []
        self.changes = 0
        self.heard = 0

    @property
    def directory(self) -> StudyDirectory:
        return open_study(self.out)

    @property
    def driving(self) -> DriverThread:
        return self._driving[-1]

    def make(self) -> None:
        """Make the directory without running anything."""
        done = mtui.run("--dry", "-o", self.out, self.spec)
        assert done.returncode == 0, done.stderr

    def driver(self, *words: str | Path) -> mtui.Driver:
        return mtui.Driver(*words, log=self.folder / "driver.txt")

    def take(self) -> DriverThread:
        def changed() -> None:
            self.changes += 1

        def listener() -> None:
            self.heard += 1

        driving = DriverThread(self.directory, read_study_file(self.directory.study_file), changed, listener)
        self._driving.append(driving)
        driving.start()
        return driving

    def wait(self, kind: type[object], words: str = "") -> None:
        def there() -> bool:
            return isinstance(self.driving.location, kind) and words in str(self.driving.location)

        try:
            wait_until(there, 40, f"{kind.__name__} {words}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}, but {self.driving.location}") from None

    def end(self) -> None:
        self.go.touch()
        for driving in self._driving:
            driving.let_go("the test is over")
            assert driving.join(30)


@pytest.fixture
def wheel(tmp_path: Path) -> Iterator[Wheel]:
    wheel = Wheel(tmp_path, WAITS)
    yield wheel
    wheel.end()


def _own(directory: StudyDirectory) -> bool:
    owner = read_current_owner(directory.owner)
    return owner is not None and owner.pid == os.getpid()


def test_it_drives_when_nobody_does_and_stops_at_the_end(wheel: Wheel) -> None:
    wheel.make()
    wheel.take()
    wheel.wait(DrivenHere)
    wait_until(lambda: _own(wheel.directory), 40, "this process holds the lease")
    wheel.go.touch()
    wheel.wait(StudyOver, "finished")
    assert mtui.statuses(wheel.out) == {"a": "finished"}
    assert wheel.heard >= 3 and wheel.changes >= 2
    assert "a  finished  [1/1 done]" in wheel.directory.driver_log.read_text()


def test_a_finished_study_is_not_driven(wheel: Wheel) -> None:
    wheel.go.touch()
    assert mtui.run("--no-ui", "-o", wheel.out, wheel.spec).returncode == 0
    owner = read_current_owner(wheel.directory.owner)
    wheel.take()
    wheel.wait(StudyOver, "finished")
    assert read_current_owner(wheel.directory.owner) == owner


def test_a_driver_that_lives_is_watched_and_followed_when_it_is_killed(wheel: Wheel) -> None:
    driver = wheel.driver("-o", wheel.out, wheel.spec)
    driver.wait_for("submitted")
    wheel.take()
    wheel.wait(DrivenElsewhere, f"process {driver.process.pid} ")
    driver.kill()
    wheel.wait(DrivenHere)
    wheel.go.touch()
    wheel.wait(StudyOver, "finished")
    starts = (wheel.out / ".mtui" / "claims").iterdir()
    assert len([path for path in starts if not path.name.startswith(".")]) == 1, "what ran went on, once"


def test_a_driver_that_ends_the_study_leaves_nothing_to_do(wheel: Wheel) -> None:
    driver = wheel.driver("-o", wheel.out, wheel.spec)
    driver.wait_for("submitted")
    wheel.take()
    wheel.wait(DrivenElsewhere)
    wheel.go.touch()
    wheel.wait(StudyOver, "finished")
    assert driver.wait() == 0
    assert not _own(wheel.directory)


def test_a_driver_that_was_stopped_is_not_followed_until_somebody_says_so(wheel: Wheel) -> None:
    driver = wheel.driver("-o", wheel.out, wheel.spec)
    driver.wait_for("submitted")
    wheel.take()
    wheel.wait(DrivenElsewhere)
    assert mtui.run("stop", wheel.out).returncode == 0
    wheel.wait(DriverReleased, "by_this_process=False")
    assert driver.wait() == 0
    assert not _own(wheel.directory)
    wheel.driving.drive()
    wheel.wait(DrivenHere)


def test_a_command_resumes_a_finished_study(tmp_path: Path) -> None:
    wheel = Wheel(tmp_path, FAILS)
    try:
        assert mtui.run("--no-ui", "-o", wheel.out, wheel.spec).returncode == 2
        wheel.take()
        wheel.wait(StudyOver, "failed")
        wheel.go.touch()
        inbox.send_command(wheel.directory.inbox, "retry", ("a",), {})
        wheel.wait(StudyOver, "finished")
        assert mtui.instance(wheel.out, "a")["status"] == "finished"
        assert inbox.pending_commands(wheel.directory.inbox) == []
    finally:
        wheel.end()


def test_leaving_hands_the_study_to_a_driver_in_the_background(wheel: Wheel) -> None:
    wheel.make()
    driving = wheel.take()
    wheel.wait(DrivenHere)
    wait_until(lambda: mtui.statuses(wheel.out)["a"] == "running", 20, "the step runs")
    driving.detach()
    assert driving.join(40)
    assert not _own(wheel.directory), "another took it"
    owner = read_current_owner(wheel.directory.owner)
    assert owner
    wheel.take()
    wheel.wait(DrivenElsewhere, f"process {owner.pid} ")
    wheel.go.touch()
    wheel.wait(StudyOver, "finished")


def test_released_study_has_no_driver(wheel: Wheel) -> None:
    wheel.make()
    driving = wheel.take()
    wheel.wait(DrivenHere)
    driving.let_go("the test wants it")
    assert driving.join(30)
    assert mtui.status(wheel.out)["driver"] == ""


def test_leaving_while_another_drives_takes_nothing_from_it(wheel: Wheel) -> None:
    driver = wheel.driver("-o", wheel.out, wheel.spec)
    driver.wait_for("submitted")
    driving = wheel.take()
    wheel.wait(DrivenElsewhere)
    driving.detach()
    assert driving.join(40)
    assert driver.process.poll() is None
    wheel.go.touch()
    assert driver.wait() == 0


def test_leaving_before_anything_began(wheel: Wheel) -> None:
    wheel.make()
    driving = wheel.take()
    driving.detach()
    assert driving.join(40)
    assert "mtui-driver" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_reported_and_tried_again(wheel: Wheel) -> None:
    wheel.make()
    owner = wheel.directory.owner
    owner.chmod(0o500)
    try:
        wheel.take()
        wheel.wait(CannotDrive, "cannot take the lease")
    finally:
        owner.chmod(0o700)
    wheel.driving.drive()
    wheel.wait(DrivenHere)


def test_a_place_where_no_lease_can_be_taken_is_reported_and_tried_again(wheel: Wheel) -> None:
    wheel.make()
    owner = wheel.directory.owner
    owner.rename(owner.with_name("away"))
    owner.write_text("no directory")
    wheel.take()
    wheel.wait(CannotDrive)
    owner.unlink()
    owner.with_name("away").rename(owner)
    wheel.driving.drive()
    wheel.wait(DrivenHere)
