"""The supervisor watches a driver elsewhere and awaits its successor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mtui.core.driver import Purpose
from mtui.core.driver.driver import HANDED_OVER
from mtui.core.driver.location import DrivenElsewhere, DrivenHere, DriverReleased, StudyOver, WatchEnded
from mtui.core.driver.supervisor import LOOK_EVERY, SUCCESSOR_WAIT
from mtui.core.engine import events as ev
from mtui.core.store.lease import LeaseState
from tests.unit.driver.supervised import (
    ATTEND,
    BOTH,
    HANDOVERS,
    LARGE,
    RUN,
    World,
    elsewhere,
    ends,
    leave,
    leaves_and_ends,
    state_of,
)
from tests.unit.engine import script

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
