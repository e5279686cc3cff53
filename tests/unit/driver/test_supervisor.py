"""The supervisor looks at a study, drives it and carries out commands, with drivers and time played by the test."""

from __future__ import annotations

import threading

import pytest

from mtui.core.driver import Purpose
from mtui.core.driver.driver import HANDED_OVER
from mtui.core.driver.location import (
    CannotDrive,
    DrivenByAnother,
    DrivenHere,
    DriverReleased,
    HandedOver,
    StudyOver,
    WatchEnded,
)
from mtui.core.driver.successor import successor_command
from mtui.core.driver.supervisor import HAND_OVER_LOOK, SUCCESSOR_WAIT, Clock
from mtui.core.engine import events as ev
from mtui.core.errors import DriverError, StorageError
from mtui.core.store.lease import LeaseState
from mtui.core.store.study_file import read_study_file, write_study_file
from tests.unit.driver.supervised import (
    BOTH,
    COMMANDS,
    LARGE,
    RUN,
    PlayedDriver,
    World,
    busy,
    elsewhere,
    ends,
    fails,
    leave,
    state_of,
)
from tests.unit.engine import script

# --- LOOK


@pytest.mark.parametrize("result", ["finished", "failed", "cancelled"])
def test_study_without_a_driver_is_driven_to_its_end(world: World, result: str) -> None:
    world.drives.append(ends(result))
    outcome = world.run(RUN)
    assert isinstance(outcome, StudyOver)
    assert outcome.result == result
    assert state_of(outcome).result == result
    assert world.locations == [DrivenHere()]
    assert (world.drivers[0].gone, world.drivers[0].only_commands) == (None, False)
    assert world.drivers[0].successor == successor_command(world.directory, world.study)


def test_driver_that_is_stopped_has_released_the_study(world: World) -> None:
    world.drives.append(ends("stopped", "signal SIGTERM"))
    outcome = world.run(RUN)
    assert outcome == DriverReleased("signal SIGTERM", True, state_of(outcome))


def test_study_that_is_over_is_not_driven(world: World) -> None:
    world.release(world.take_lease(), "the study is failed", result="failed")
    assert world.run(RUN) == StudyOver("failed")
    assert world.locations == []


def test_study_that_is_over_is_driven_for_a_command_that_waits(world: World) -> None:
    world.release(world.take_lease(), "the study is failed", result="failed")
    world.send()
    world.drives.append(ends("finished"))
    assert isinstance(world.run(RUN), StudyOver)
    assert len(world.drivers) == 1


def test_study_that_is_over_does_not_wait_for_a_driver_that_has_only_to_end(world: World) -> None:
    epoch = world.take_lease()
    world.write(epoch, ev.StudyEnded(at=script.at(), result="finished"))
    assert world.run(RUN) == StudyOver("finished")


@pytest.mark.parametrize(("standing", "is_gone"), [(LeaseState.DEAD, True), (LeaseState.RELEASED, False)])
def test_last_driver_that_is_over_at_first_sight_is_followed_at_once(
    world: World, standing: LeaseState, is_gone: bool
) -> None:
    world.standings[world.take_lease()] = standing
    world.drives.append(ends("finished"))
    world.run(RUN)
    assert world.drivers[0].gone == (world.owner(1) if is_gone else None)
    assert world.clock.waits == []


@pytest.mark.parametrize("standing", [LeaseState.ALIVE, LeaseState.UNKNOWN, LeaseState.SILENT])
def test_last_driver_that_may_live_is_watched(world: World, standing: LeaseState) -> None:
    world.standings[world.take_lease()] = standing
    outcome = world.run(RUN, lambda: world.supervisor.stop("signal SIGINT"))
    assert outcome == WatchEnded(world.owner(1))
    assert world.drivers == []


# --- DRIVE


def test_first_drive_has_the_study_as_it_was_read_before(world: World) -> None:
    world.extend()
    world.drives.append(ends("finished"))
    world.run(RUN)
    assert world.drivers[0].study is world.study


def test_rows_added_since_the_study_was_read_are_known_to_the_first_drive(world: World) -> None:
    write_study_file(world.directory.study_file, world.study)
    world.study = read_study_file(world.directory.study_file)
    world.extend()
    world.drives.append(ends("finished"))
    world.run(RUN)
    assert world.drivers[0].study.plan == LARGE


def test_driver_that_was_not_quick_enough_watches_the_other(world: World) -> None:
    def overtaken(driver: PlayedDriver) -> str:
        world.take_lease()
        return busy(driver)

    world.drives.append(overtaken)
    world.run(RUN, lambda: world.release(1, "the study is finished", result="finished"))
    assert world.locations == [DrivenHere(), elsewhere(world, 1)]


@BOTH
def test_driver_that_was_not_quick_enough_drives_if_the_other_is_gone_already(world: World, purpose: Purpose) -> None:
    def overtaken(driver: PlayedDriver) -> str:
        world.release(world.take_lease(), "command to stop")
        return busy(driver)

    world.drives.extend([overtaken, ends("finished")])
    world.run(purpose, *([] if purpose is RUN else [lambda: leave(world)]))
    assert len(world.drivers) == 2


def test_hand_over_ends_a_run_when_the_successor_drives(world: World) -> None:
    world.drives.append(ends("detached", HANDED_OVER))
    outcome = world.run(RUN, lambda: None, world.take_lease)
    assert outcome == HandedOver(world.owner(2))
    assert world.clock.waits == [HAND_OVER_LOOK] * 2


def test_own_hand_over_that_nobody_takes_is_followed_by_another_drive(world: World) -> None:
    world.drives.extend([ends("detached", HANDED_OVER), ends("finished")])
    outcome = world.run(RUN)
    assert isinstance(outcome, StudyOver)
    assert len(world.drivers) == 2
    assert SUCCESSOR_WAIT <= world.clock.now() < SUCCESSOR_WAIT + 1


def test_drive_after_another_knows_the_rows_that_were_added_in_between(world: World) -> None:
    def extends(driver: PlayedDriver) -> str:
        world.extend()
        return driver.end("detached", HANDED_OVER)

    world.drives.extend([extends, ends("finished")])
    world.run(RUN)
    assert [len(driver.study.plan.instances) for driver in world.drivers] == [1, 2]


def test_stop_while_awaiting_the_own_successor_leaves_the_study_released(world: World) -> None:
    world.drives.append(ends("detached", HANDED_OVER))
    outcome = world.run(RUN, lambda: world.supervisor.stop("signal SIGINT"))
    assert outcome == DriverReleased(HANDED_OVER, True, state_of(outcome))
    assert world.drivers[0].asked == [], "it drives no more"


@pytest.mark.parametrize("request_", ["stop", "drain", "detach"])
def test_requests_reach_the_driver_that_drives(world: World, request_: str) -> None:
    def drive(driver: PlayedDriver) -> str:
        getattr(world.supervisor, request_)(*([] if request_ == "detach" else ["signal SIGTERM"]))
        return driver.end("stopped")

    world.drives.append(drive)
    assert isinstance(world.run(RUN), DriverReleased)
    assert world.drivers[0].asked == ["detach" if request_ == "detach" else f"{request_}: signal SIGTERM"]
    assert world.clock.wakes == 1


@pytest.mark.parametrize("request_", ["stop", "drain", "detach"])
@BOTH
def test_request_to_end_before_anything_began_drives_nothing(world: World, purpose: Purpose, request_: str) -> None:
    supervisor = world.prepare(purpose)
    getattr(supervisor, request_)(*([] if request_ == "detach" else ["signal SIGTERM"]))
    assert supervisor.run() == WatchEnded()
    assert world.locations == []


@BOTH
def test_request_to_end_while_the_driver_is_made_drives_nothing(
    world: World, purpose: Purpose, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = world.prepare(purpose)

    def asked(*_: object) -> PlayedDriver:
        supervisor.stop("signal SIGTERM")
        return PlayedDriver(world, world.study, world, ())

    monkeypatch.setattr(supervisor, "_make_driver", asked)
    assert supervisor.run() == WatchEnded()
    assert world.drivers == []


def test_errors_of_a_run_are_raised(world: World) -> None:
    world.drives.append(fails)
    with pytest.raises(DriverError, match="the disk is full"):
        world.run(RUN)


def test_driver_whose_directory_cannot_be_read_now_is_followed_by_another_after_a_growing_delay(world: World) -> None:
    def away(_: PlayedDriver) -> str:
        raise StorageError("the directory is away")

    world.drives.extend([away, away, ends("finished")])
    world.run(RUN)
    begun = [place for place in world.locations if not isinstance(place, StudyOver)]
    assert begun == [DrivenHere(), CannotDrive("the directory is away")] * 2 + [DrivenHere()]
    assert sum(world.clock.waits) == pytest.approx(3.0), "one second, then two"


# --- COMMANDS


def test_commands_are_carried_out_without_a_successor(world: World) -> None:
    world.send("cancel")
    world.drives.append(ends("stopped", "all commands are done"))
    outcome = world.run(COMMANDS)
    assert outcome == DriverReleased("all commands are done", True, state_of(outcome))
    assert (world.drivers[0].only_commands, world.drivers[0].successor) == (True, ())


def test_commands_are_left_to_a_driver_that_was_quicker(world: World) -> None:
    world.take_lease()
    world.drives.append(busy)
    assert world.run(COMMANDS) == DrivenByAnother()
    assert world.clock.waits == []


# --- its clock


def test_wait_ends_at_once_when_woken_by_another_thread() -> None:
    clock = Clock()
    thread = threading.Thread(target=clock.wait, args=(3600,))
    thread.start()
    clock.wake()
    thread.join(20)
    assert not thread.is_alive()
