"""A study whose drivers, owners and time are played by a test, for a supervisor to look at.

Directory, journal, lease files and inbox are real; a driver of this process runs what the test scripts for it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from mtui.core.driver import Driver, Listener, Purpose, Supervisor, SupervisorListener
from mtui.core.driver.driver import HANDED_OVER, RESTARTS_FOR_ROWS
from mtui.core.driver.location import DrivenElsewhere, DriverLocation, DriverReleased, Outcome, StudyOver
from mtui.core.driver.supervisor import Clock
from mtui.core.engine import events as ev
from mtui.core.engine.event_codec import to_line
from mtui.core.engine.state import StudyState
from mtui.core.errors import DriverError, StudyBusyError
from mtui.core.plan.extend import extend_plan
from mtui.core.store import inbox
from mtui.core.store.lease import LeaseState, Liveness
from mtui.core.store.lease_owner import Owner
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile, write_study_file
from mtui.core.store.study_reader import read_study
from tests.plans import plan, step
from tests.unit.engine import script

Step = Callable[[], object]

ATTEND, COMMANDS, RUN = Purpose.ATTEND, Purpose.COMMANDS, Purpose.RUN
BOTH = pytest.mark.parametrize("purpose", [RUN, ATTEND])
HANDOVERS = pytest.mark.parametrize("reason", [HANDED_OVER, RESTARTS_FOR_ROWS])

SMALL = plan(step("a", uses="X"), rows={"X": [1]})
LARGE = extend_plan(SMALL, plan(step("a", uses="X"), rows={"X": [1, 2]}).parameters)


class ScriptedClock(Clock):
    """Each wait lets its time pass, and then the next thing of the script happen."""

    def __init__(self) -> None:
        self.script: deque[Step] = deque()
        self.waits: list[float] = []
        self.wakes = 0

    def now(self) -> float:
        return sum(self.waits)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) > 2000:
            pytest.fail("it waits for ever")  # no Exception: the supervisor of an app would report it
        if self.script:
            self.script.popleft()()

    def wake(self) -> None:
        self.wakes += 1


class PlayedDriver(Driver):
    """Runs the next drive of the script, which gets it."""

    def __init__(self, world: World, study: StudyFile, listener: Listener, successor: Sequence[str]) -> None:
        self.world, self.study, self.listener, self.successor = world, study, listener, successor
        self.asked: list[str] = []
        self.only_commands = False
        self.gone: Owner | None = None

    def run(self, *, only_commands: bool = False, gone: Owner | None = None) -> str:
        self.only_commands, self.gone = only_commands, gone
        self.world.drivers.append(self)
        return self.world.drives.popleft()(self)

    def stop(self, reason: str) -> None:
        self.asked.append(f"stop: {reason}")

    def drain(self, reason: str) -> None:
        self.asked.append(f"drain: {reason}")

    def detach(self) -> None:
        self.asked.append("detach")

    def end(self, outcome: str, reason: str = "command to stop") -> str:
        """Take the lease, write what a drive with that outcome writes, and release it."""
        epoch = self.world.take_lease()
        result = outcome if outcome in ("finished", "failed", "cancelled") else ""
        self.world.release(epoch, reason, result=result)
        _, self.state = read_study(self.world.directory)
        return outcome


class PlayedLiveness(Liveness):
    """Judges by what the test says."""

    def __init__(self, world: World, owner: Owner) -> None:
        self._world, self._played = world, owner

    def judge(self) -> LeaseState:
        return self._world.standings[self._played.epoch]

    @property
    def words(self) -> str:
        return f"driver {self._played.epoch}"

    @property
    def quiet_for(self) -> float:
        return self._world.quiet_for

    @property
    def last_sign_ago(self) -> float:
        return 7201.0


class World(SupervisorListener):
    """The study, and what was reported of it."""

    def __init__(self, root: Path) -> None:
        self.directory: StudyDirectory = create_directory(root, "", [])
        self.study = StudyFile("0a1b2c3d", 0.0, "s.yaml", Settings(throttle=7), SMALL)
        write_study_file(self.directory.study_file, self.study)
        self.clock = ScriptedClock()
        self.standings: dict[int, LeaseState] = {}  # by epoch
        self.quiet_for = 0.0
        self.judged: list[int] = []  # the epochs whose drivers were begun to be judged
        self.drives: deque[Callable[[PlayedDriver], str]] = deque()
        self.drivers: list[PlayedDriver] = []
        self.locations: list[DriverLocation] = []
        self.states: list[StudyState | None] = []  # that came with the locations
        self.heard: list[str] = []
        self.supervisor: Supervisor

    # --- what the test plays

    def owner(self, epoch: int) -> Owner:
        return Owner(epoch, "elsewhere", "", 4711, "", 0.0)

    def take_lease(self, epoch: int = 0) -> int:
        """Another process, or a played driver, takes the next lease and writes that it started."""
        epoch = epoch or max(self.standings, default=0) + 1
        self.standings[epoch] = LeaseState.ALIVE
        (self.directory.owner / f"{epoch:06d}").write_text(json.dumps(asdict(self.owner(epoch))))
        self.write(epoch, ev.DriverStarted(at=script.at(), epoch=epoch, host="elsewhere", pid=4711, version="1"))
        return epoch

    def write(self, epoch: int, *events: ev.Event) -> None:
        with (self.directory.journal / f"{epoch:06d}.jsonl").open("a", encoding="utf-8") as journal:
            journal.writelines(to_line(event) + "\n" for event in events)

    def release(self, epoch: int, reason: str, *, result: str = "") -> None:
        if result:
            self.write(epoch, ev.StudyEnded(at=script.at(), result=result))
        self.write(epoch, ev.DriverStopped(at=script.at(), reason=reason))
        self.standings[epoch] = LeaseState.RELEASED

    def judge(self, epoch: int, standing: LeaseState) -> Step:
        return lambda: self.standings.update({epoch: standing})

    def extend(self) -> None:
        """Another process adds a row to the plan."""
        write_study_file(self.directory.study_file, StudyFile("0a1b2c3d", 0.0, "s.yaml", Settings(), LARGE))

    def hide_owners(self) -> None:
        """As a network file system that is away."""
        self.directory.owner.rename(self.directory.owner.with_name("away"))

    def show_owners(self) -> None:
        self.directory.owner.with_name("away").rename(self.directory.owner)

    def send(self, verb: str = "retry") -> None:
        inbox.send_command(self.directory.inbox, verb, ("a_X.1",), {})

    def forget_commands(self) -> None:
        for path in inbox.pending_commands(self.directory.inbox):
            inbox.remove_command(path)

    # --- what is supervised

    def prepare(self, purpose: Purpose) -> Supervisor:
        self.supervisor = Supervisor(
            self.directory,
            self.study,
            purpose,
            self,
            make_driver=lambda _, study, listener, successor: PlayedDriver(self, study, listener, successor),
            judge=self._judge,
            clock=self.clock,
        )
        return self.supervisor

    def _judge(self, _: Path, owner: Owner) -> PlayedLiveness:
        self.judged.append(owner.epoch)
        return PlayedLiveness(self, owner)

    def run(self, purpose: Purpose, *steps: Step) -> Outcome:
        """Supervise; `steps` happen one at each wait."""
        self.clock.script.extend(steps)
        outcome = self.prepare(purpose).run()
        assert not self.clock.script, "the script was not played to its end"
        return outcome

    def __call__(self, event: ev.Event, state: StudyState) -> None:
        del state
        self.heard.append(event.kind)

    def moved(self, location: DriverLocation, state: StudyState | None) -> None:
        self.locations.append(location)
        self.states.append(state)


# --- drives for the script, and what is expected of them


def ends(outcome: str, reason: str = "command to stop") -> Callable[[PlayedDriver], str]:
    return lambda driver: driver.end(outcome, reason)


def busy(_: PlayedDriver) -> str:
    raise StudyBusyError("this study already has a driver")


def fails(_: PlayedDriver) -> str:
    raise DriverError("the disk is full")


def leaves_and_ends(driver: PlayedDriver) -> str:
    leave(driver.world)
    return driver.end("finished")


def elsewhere(world: World, epoch: int) -> DrivenElsewhere:
    return DrivenElsewhere(world.owner(epoch), f"driver {epoch}")


def state_of(outcome: object) -> StudyState:
    assert isinstance(outcome, (StudyOver, DriverReleased))
    assert outcome.state
    return outcome.state


def leave(world: World) -> None:
    """End an ATTEND that has nothing more to show."""
    world.supervisor.detach()
