"""The supervisor of the app (ATTEND): it stays when the study has ended, and drives when requested."""

from __future__ import annotations

from mtui.core.driver.driver import HANDED_OVER
from mtui.core.driver.location import CannotDrive, DrivenHere, DriverReleased, HandedOver, StudyOver, WatchEnded
from mtui.core.driver.supervisor import SUCCESSOR_WAIT
from tests.unit.driver.supervised import (
    ATTEND,
    LARGE,
    PlayedDriver,
    World,
    elsewhere,
    ends,
    fails,
    leave,
    leaves_and_ends,
)


def test_app_stays_when_the_study_is_over_and_drives_it_for_a_command(world: World) -> None:
    world.release(world.take_lease(), "the study is failed", result="failed")

    def obey(driver: PlayedDriver) -> str:
        world.forget_commands()
        return driver.end("finished")

    world.drives.append(obey)
    outcome = world.run(ATTEND, lambda: None, world.send, lambda: None, lambda: leave(world))
    assert outcome == WatchEnded()
    assert world.locations == [StudyOver("failed"), DrivenHere(), StudyOver("finished")]


def test_app_drives_a_study_that_another_released_on_request(world: World) -> None:
    epoch = world.take_lease()
    world.drives.append(ends("finished"))
    world.run(
        ATTEND,
        lambda: world.release(epoch, "command to stop"),
        *[lambda: None] * 3,
        lambda: world.supervisor.drive(),
        lambda: leave(world),
    )
    assert world.locations == [
        elsewhere(world, 1),
        DriverReleased("command to stop", by_this_process=False),
        DrivenHere(),
        StudyOver("finished"),
    ]


def test_app_stays_when_its_own_driver_is_stopped_by_a_command(world: World) -> None:
    world.drives.append(ends("stopped"))
    world.run(ATTEND, lambda: None, lambda: leave(world))
    assert world.locations == [DrivenHere(), DriverReleased("command to stop", by_this_process=True)]
    assert len(world.drivers) == 1


def test_request_to_drive_a_study_that_is_driven_is_forgotten(world: World) -> None:
    epoch = world.take_lease()
    world.run(
        ATTEND,
        lambda: world.supervisor.drive(),
        lambda: world.release(epoch, "command to stop"),
        *[lambda: None] * 3,
        lambda: leave(world),
    )
    assert world.drivers == []


def test_app_watches_a_driver_that_comes_while_nobody_drives(world: World) -> None:
    world.release(world.take_lease(), "the study is failed", result="failed")
    world.run(ATTEND, lambda: None, world.take_lease, lambda: leave(world))
    assert world.locations == [StudyOver("failed"), elsewhere(world, 2)]


def test_app_that_cannot_drive_tries_again_on_request(world: World) -> None:
    world.drives.extend([fails, ends("finished")])
    world.run(ATTEND, *[lambda: None] * 3, lambda: world.supervisor.drive(), lambda: leave(world))
    assert world.locations == [DrivenHere(), CannotDrive("the disk is full"), DrivenHere(), StudyOver("finished")]
    assert world.clock.wakes == 2, "one for each request"


def test_app_that_cannot_look_does_not_drive_until_requested(world: World) -> None:
    world.hide_owners()
    world.run(ATTEND, world.show_owners, *[lambda: None] * 3, lambda: leave(world))
    assert isinstance(world.locations[-1], CannotDrive)
    assert world.drivers == []


def test_app_drives_with_the_rows_that_were_added_while_nobody_drove(world: World) -> None:
    world.release(world.take_lease(), "the study is failed", result="failed")
    world.drives.append(leaves_and_ends)
    world.run(ATTEND, world.extend, world.send)
    assert world.drivers[0].study.plan == LARGE


def test_app_that_cannot_drive_tries_again_for_a_new_command_only(world: World) -> None:
    world.send("hold")
    world.drives.extend([fails, ends("stopped")])
    world.run(ATTEND, *[lambda: None] * 3, world.send, lambda: leave(world))
    assert len(world.drivers) == 2
    assert len(world.clock.waits) == 5


def test_bug_is_reported_as_one(world: World) -> None:
    def broken(_: PlayedDriver) -> str:
        raise KeyError("x")

    world.drives.append(broken)
    world.run(ATTEND, lambda: leave(world))
    assert world.locations[-1] == CannotDrive("KeyError: 'x'", is_bug=True)


def test_app_that_lost_its_lease_watches_the_driver_that_has_it(world: World) -> None:
    def loses(driver: PlayedDriver) -> str:
        world.take_lease()
        return fails(driver)

    world.drives.append(loses)
    world.run(ATTEND, lambda: None, lambda: leave(world))
    assert world.locations == [DrivenHere(), CannotDrive("the disk is full"), elsewhere(world, 1)]


def test_app_watches_the_successor_after_a_command_to_release(world: World) -> None:
    world.drives.append(ends("detached", HANDED_OVER))
    outcome = world.run(ATTEND, world.take_lease, lambda: leave(world))
    assert outcome == WatchEnded(world.owner(2))
    assert world.locations == [DrivenHere(), elsewhere(world, 2)]


def _detached(driver: PlayedDriver) -> str:
    driver.world.supervisor.detach()
    return driver.end("detached", HANDED_OVER)


def test_app_that_leaves_ends_when_the_successor_drives(world: World) -> None:
    world.drives.append(_detached)
    assert world.run(ATTEND, world.take_lease) == HandedOver(world.owner(2))
    assert world.drivers[0].asked == ["detach"]


def test_app_that_leaves_drives_on_when_nobody_takes_over(world: World) -> None:
    world.drives.append(_detached)
    world.drives.append(leaves_and_ends)
    assert world.run(ATTEND) == WatchEnded()
    assert world.locations == [DrivenHere(), StudyOver("finished")]
    assert world.clock.now() >= SUCCESSOR_WAIT


def test_app_that_leaves_no_more_watches_its_successor(world: World) -> None:
    world.drives.append(_detached)

    def stay() -> None:
        world.supervisor.stay()
        world.take_lease()

    assert world.run(ATTEND, stay, lambda: leave(world)) == WatchEnded(world.owner(2))
