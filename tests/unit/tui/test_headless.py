"""What headless mode prints of who drives."""

from __future__ import annotations

from dataclasses import replace

from mtui.core.driver import SupervisorListener
from mtui.core.driver.location import DrivenElsewhere, DrivenHere, DriverLocation
from mtui.core.engine.state import StudyState
from mtui.core.store.lease_owner import Owner
from mtui.tui.cli.verbs.headless import _Printer
from tests.plans import plan, step

OWNER = Owner(1, "login1", "", 7, "", 0.0)
WATCHED = DrivenElsewhere(OWNER, OWNER.words)


def printed(*locations: DriverLocation) -> list[str]:
    lines: list[str] = []
    printer = _Printer(SupervisorListener(), lines.append)
    for location in locations:
        printer.moved(location, StudyState(plan(step("a"))))
    return lines


def test_driver_that_is_watched_is_printed_once_with_the_progress() -> None:
    suspended = replace(WATCHED, words=f"{OWNER.words}, which is suspended", quiet_for=15.0)
    assert printed(WATCHED, suspended) == [f"Driven by {OWNER.words}; watching. [0/1 done]"]


def test_driver_after_the_watched_one_is_printed_too() -> None:
    newer = replace(WATCHED, owner=replace(OWNER, epoch=2), words="process 8")
    assert printed(WATCHED, newer)[1] == "Driven by process 8; watching. [0/1 done]"


def test_driver_that_is_silent_is_printed_with_its_last_sign_of_life() -> None:
    (line,) = printed(replace(WATCHED, quiet_for=7200.0, is_silent=True))
    assert line.startswith(f"The last driver seems to be gone ({OWNER.words}, no sign of life for 2h")
    assert line.endswith("); to be sure of it may take a minute.")


def test_taking_over_is_printed_of_a_driver_that_was_watched() -> None:
    assert printed(WATCHED, DrivenHere(OWNER))[1] == f"The driver is gone ({OWNER.words}); taking over."


def test_driver_that_was_dead_before_is_not_mentioned() -> None:
    assert printed(DrivenHere(OWNER)) == []
