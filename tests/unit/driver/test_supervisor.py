"""Every transition of the supervisor, with drivers, liveness and time played by the test."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.driver import Purpose
from mtui.core.driver.driver import BEGINS_ANEW, HANDED_OVER
from mtui.core.driver.location import (
    CannotDrive,
    DrivenByAnother,
    DrivenElsewhere,
    DrivenHere,
    DriverReleased,
    HandedOver,
    StudyOver,
    WatchEnded,
)
from mtui.core.driver.successor import READY_FD, start_successor, successor_command
from mtui.core.driver.supervisor import HAND_OVER_LOOK, LOOK_EVERY, SUCCESSOR_WAIT, Clock
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.errors import DriverError, StorageError, StudyBusyError
from mtui.core.isolated import isolated_command
from mtui.core.store.lease import LeaseState
from mtui.core.store.study_file import read_study_file, write_study_file
from tests.unit.driver.supervised import LARGE, PlayedDriver, World
from tests.unit.engine import script

ATTEND, COMMANDS, RUN = Purpose.ATTEND, Purpose.COMMANDS, Purpose.RUN
BOTH = pytest.mark.parametrize("purpose", [RUN, ATTEND])
HANDOVERS = pytest.mark.parametrize("reason", [HANDED_OVER, BEGINS_ANEW])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "out")


def ends(outcome: str, reason: str = "command to stop") -> Callable[[PlayedDriver], str]:
    return lambda driver: driver.end(outcome, reason)


def busy(_: PlayedDriver) -> str:
    raise StudyBusyError("a driver holds this study")


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
    """What ends an ATTEND that has nothing more to show."""
    world.supervisor.detach()


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


# --- WATCH


def test_driver_is_watched_until_the_study_is_over_and_its_events_are_reported(world: World) -> None:
    epoch = world.take_lease()
    outcome = world.run(
        RUN,
        lambda: world.write(epoch, script.intend("s", (0, 1)), script.submitted("s")),
        lambda: world.release(epoch, "the study is finished", result="finished"),
    )
    assert isinstance(outcome, StudyOver)
    assert outcome.result == "finished"
    assert world.heard == ["submit_intended", "submitted", "study_ended", "driver_stopped"]
    assert world.locations == [elsewhere(world, 1)]
    assert world.states == [state_of(outcome)]
    assert world.clock.waits == [LOOK_EVERY] * 2


def test_event_that_does_not_fit_is_not_reported(world: World) -> None:
    epoch = world.take_lease()
    world.run(
        RUN,
        lambda: world.write(epoch, script.started(0)),
        lambda: world.release(epoch, "the study is finished", result="finished"),
    )
    assert world.heard == ["study_ended", "driver_stopped"]


def test_driver_that_released_an_unfinished_study_ends_a_run(world: World) -> None:
    epoch = world.take_lease()
    outcome = world.run(RUN, lambda: world.release(epoch, "command to stop"))
    assert outcome == DriverReleased("command to stop", False, state_of(outcome))


@BOTH
def test_watched_driver_that_dies_is_followed(world: World, purpose: Purpose) -> None:
    epoch = world.take_lease()
    world.drives.append(ends("finished"))
    rest = [] if purpose is RUN else [lambda: leave(world)]
    world.run(purpose, world.judge(epoch, LeaseState.DEAD), *rest)
    assert world.drivers[0].gone == world.owner(epoch)
    assert world.locations[:2] == [elsewhere(world, 1), DrivenHere(world.owner(1))]


@BOTH
def test_watched_driver_that_died_after_the_study_was_over_is_not_followed(world: World, purpose: Purpose) -> None:
    epoch = world.take_lease()

    def end_without_a_word() -> None:
        world.write(epoch, ev.StudyEnded(at=script.at(), result="failed"))
        world.standings[epoch] = LeaseState.DEAD

    rest = [] if purpose is RUN else [lambda: leave(world)]
    world.run(purpose, end_without_a_word, *rest)
    assert world.drivers == []


@BOTH
def test_newer_driver_is_watched_in_place_of_the_one_before(world: World, purpose: Purpose) -> None:
    first = world.take_lease()

    def replace_driver() -> None:
        world.standings[first] = LeaseState.DEAD
        world.take_lease()

    rest = [] if purpose is RUN else [lambda: leave(world)]
    world.run(purpose, replace_driver, lambda: world.release(2, "the study is finished", result="finished"), *rest)
    assert world.locations[:2] == [elsewhere(world, 1), elsewhere(world, 2)]
    assert world.drivers == []


def test_newer_driver_that_has_ended_already_is_reported(world: World) -> None:
    world.take_lease()

    def come_and_go() -> None:
        world.release(world.take_lease(), "the study is finished", result="finished")

    world.run(ATTEND, come_and_go, lambda: None, lambda: leave(world))
    assert world.locations[-1] == StudyOver("finished")


@BOTH
def test_request_to_end_while_watching_takes_nothing_from_the_driver(world: World, purpose: Purpose) -> None:
    world.take_lease()
    assert world.run(purpose, lambda: leave(world)) == WatchEnded(world.owner(1))
    assert world.drivers == []


def test_file_system_that_is_away_for_a_moment_does_not_end_a_watch(world: World) -> None:
    epoch = world.take_lease()
    outcome = world.run(
        RUN,
        world.hide_owners,
        world.show_owners,
        lambda: world.release(epoch, "the study is finished", result="finished"),
    )
    assert isinstance(outcome, StudyOver)


def test_driver_is_judged_by_all_that_was_seen_of_it(world: World) -> None:
    world.release(world.take_lease(), "the study is failed", result="failed")
    world.run(ATTEND, *[lambda: None] * 3, world.take_lease, lambda: leave(world))
    assert world.judged == [1, 2]


def test_silence_of_a_driver_is_reported_in_steps(world: World) -> None:
    world.take_lease()

    def quiet(seconds: float) -> Callable[[], object]:
        return lambda: setattr(world, "quiet_for", seconds)

    world.run(ATTEND, quiet(3), quiet(7.5), quiet(9.9), quiet(12), lambda: leave(world))
    assert [place.quiet_for for place in world.locations if isinstance(place, DrivenElsewhere)] == [0, 5, 10]


def test_driver_that_has_most_likely_ended_is_reported_with_its_last_sign(world: World) -> None:
    world.standings[world.take_lease()] = LeaseState.SILENT
    world.run(RUN, lambda: world.supervisor.stop("signal SIGINT"))
    assert world.locations == [replace(elsewhere(world, 1), quiet_for=7200.0, is_silent=True)]


def test_rows_that_were_added_while_watching_are_known_when_taking_over(world: World) -> None:
    epoch = world.take_lease()

    def extend() -> None:
        world.extend()
        world.write(epoch, ev.PlanExtended(at=script.at(), size=2), script.intend("s", (1, 1)))

    world.drives.append(ends("finished"))
    world.run(
        RUN,
        extend,
        lambda: world.write(epoch, script.submitted("s")),
        world.judge(epoch, LeaseState.DEAD),
    )
    assert world.heard == ["submitted"], "what is of unknown instances is read with the plan"
    assert world.drivers[0].study.plan == LARGE
    assert world.drivers[0].study.settings == world.study.settings, "as this process was started"


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


def test_events_of_another_driver_are_left_to_the_app_to_read(world: World) -> None:
    epoch = world.take_lease()
    world.run(ATTEND, lambda: world.write(epoch, script.intend("s", (0, 1))), lambda: leave(world))
    assert world.heard == []


# --- AWAIT


@BOTH
@HANDOVERS
def test_successor_of_a_watched_driver_is_watched(world: World, purpose: Purpose, reason: str) -> None:
    first = world.take_lease()
    rest = [] if purpose is RUN else [lambda: leave(world)]
    world.run(
        purpose,
        lambda: world.release(first, reason),
        world.take_lease,
        lambda: world.release(2, "the study is finished", result="finished"),
        *rest,
    )
    assert world.locations[:2] == [elsewhere(world, 1), elsewhere(world, 2)]
    assert world.drivers == []


@BOTH
@HANDOVERS
def test_hand_over_that_nobody_takes_is_taken(world: World, purpose: Purpose, reason: str) -> None:
    epoch = world.take_lease()
    world.drives.append(leaves_and_ends)
    world.run(purpose, lambda: world.release(epoch, reason))
    assert len(world.drivers) == 1
    assert world.clock.now() >= SUCCESSOR_WAIT


def test_newer_driver_that_the_journal_shows_first_is_awaited(world: World) -> None:
    epoch = world.take_lease()

    def release_to_another() -> None:
        world.release(epoch, "command to stop")
        world.write(2, ev.DriverStarted(at=script.at(), epoch=2, host="elsewhere", pid=1, version="1"))

    world.run(ATTEND, release_to_another, world.take_lease, lambda: leave(world))
    assert world.locations == [elsewhere(world, 1), elsewhere(world, 2)]


def test_request_to_end_while_awaiting_the_successor_of_another(world: World) -> None:
    epoch = world.take_lease()
    outcome = world.run(RUN, lambda: world.release(epoch, HANDED_OVER), lambda: world.supervisor.stop("signal SIGINT"))
    assert outcome == WatchEnded()


def test_successor_says_that_it_is_ready_and_takes_over_without_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(READY_FD, str(write_end))
    epoch = world.take_lease()
    said: list[bytes] = []

    def hand_over() -> None:
        said.append(os.read(read_end, 2))
        world.release(epoch, HANDED_OVER)

    world.drives.append(ends("finished"))
    world.run(RUN, hand_over)
    os.close(read_end)
    assert said == [b"+"]
    assert world.clock.waits == [HAND_OVER_LOOK]
    assert world.drivers[0].gone is None


def test_successor_stays_one_when_the_plan_is_extended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(READY_FD, str(write_end))
    epoch = world.take_lease()

    def extend() -> None:
        world.extend()
        world.write(epoch, ev.PlanExtended(at=script.at(), size=2))

    world.drives.append(ends("finished"))
    world.run(RUN, extend, lambda: world.release(epoch, HANDED_OVER))
    os.close(read_end)
    assert world.clock.waits == [HAND_OVER_LOOK] * 2


def test_successor_whose_driver_has_ended_watches_whoever_drives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    monkeypatch.setenv(READY_FD, str(write_end))
    world.take_lease()
    assert world.run(RUN, lambda: world.supervisor.stop("signal SIGINT")) == WatchEnded(world.owner(1))


# --- DRIVE


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


# --- ATTEND


def test_app_stays_when_the_study_is_over_and_drives_it_for_a_command(world: World) -> None:
    world.release(world.take_lease(), "the study is failed", result="failed")

    def obey(driver: PlayedDriver) -> str:
        world.forget_commands()
        return driver.end("finished")

    world.drives.append(obey)
    outcome = world.run(ATTEND, lambda: None, world.send, lambda: None, lambda: leave(world))
    assert outcome == WatchEnded()
    assert world.locations == [StudyOver("failed"), DrivenHere(), StudyOver("finished")]


def test_app_drives_a_study_that_another_released_when_asked_to(world: World) -> None:
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


def test_app_that_cannot_drive_tries_again_when_asked_to(world: World) -> None:
    world.drives.extend([fails, ends("finished")])
    world.run(ATTEND, *[lambda: None] * 3, lambda: world.supervisor.drive(), lambda: leave(world))
    assert world.locations == [DrivenHere(), CannotDrive("the disk is full"), DrivenHere(), StudyOver("finished")]
    assert world.clock.wakes == 2, "one for each request"


def test_app_that_cannot_look_does_not_drive_until_asked_to(world: World) -> None:
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


def test_app_watches_the_successor_when_a_command_made_it_hand_over(world: World) -> None:
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


# --- COMMANDS


def test_commands_are_carried_out_without_a_successor(world: World) -> None:
    world.send("cancel")
    world.drives.append(ends("stopped", "the commands are carried out"))
    outcome = world.run(COMMANDS)
    assert outcome == DriverReleased("the commands are carried out", True, state_of(outcome))
    assert (world.drivers[0].only_commands, world.drivers[0].successor) == (True, ())


def test_commands_are_left_to_a_driver_that_was_quicker(world: World) -> None:
    world.take_lease()
    world.drives.append(busy)
    assert world.run(COMMANDS) == DrivenByAnother()
    assert world.clock.waits == []


# --- its parts


def test_wait_ends_at_once_when_woken_by_another_thread() -> None:
    clock = Clock()
    thread = threading.Thread(target=clock.wait, args=(3600,))
    thread.start()
    clock.wake()
    thread.join(20)
    assert not thread.is_alive()


def test_successor_of_a_driver_in_an_allocation_stays_in_it(world: World) -> None:
    words = isolated_command("mtui.tui", "--no-ui")
    root = str(world.directory.root)
    assert successor_command(world.directory, world.study) == (*words, root)
    inside = replace(world.study, settings=replace(world.study.settings, inside="71"))
    assert successor_command(world.directory, inside) == (*words, "--in-allocation", root)


# --- a successor that does not come


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import sys; sys.exit('no such module')", "it ended with code 1: no such module"),
        ("import os; os._exit(7)", "it ended with code 7"),
        ("import os; os.kill(os.getpid(), 9)", "it ended with code -9"),
    ],
)
def test_why_a_successor_is_not_ready_is_told_with_its_output(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "driver.log").write_text("of an earlier one\n")
    assert start_successor([sys.executable, "-c", text], tmp_path / "driver.log") == why


def test_successor_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    assert start_successor(["/no/python"], tmp_path / "driver.log") == "/no/python: No such file or directory"


def test_successor_that_is_ready_is_left_alone(tmp_path: Path) -> None:
    text = f"import os; os.write(int(os.environ['{READY_FD}']), b'+')"
    assert start_successor([sys.executable, "-c", text], tmp_path / "driver.log") == ""
