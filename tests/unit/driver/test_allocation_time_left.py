"""How much time an allocation has left: its leader reports it, since the clocks of two machines differ."""

from __future__ import annotations

import time

import pytest

from mtui.core.engine import events as ev
from tests.unit.driver.fake_context import Clock
from tests.unit.driver.packed_study import Packed

pytestmark = pytest.mark.usefixtures("clock")


def answer(packed: Packed, seconds: float) -> None:
    """The leader answers the last question that it finds in its list."""
    question = [line for line in packed.list_of().splitlines() if line.startswith("left\t")][-1].split("\t")[1]
    with packed.context.directory.allocation_file("1-1", "records").open("a") as records:
        records.write(f'{{"v":1,"kind":"left","job":"101","question":"{question}","left":{seconds},"at":1.0}}\n')
    packed.tracker.step()


@pytest.mark.parametrize("ahead", [7200.0, -7200.0])
def test_time_left_is_the_leaders_whatever_our_clock_shows(packed: Packed, clock: Clock, ahead: float) -> None:
    packed.step(answers=1)
    then = time.time() - ahead
    packed.context.directory.allocation_file("1-1", "records").write_text(
        f'{{"v":1,"kind":"began","job":"101","hosts":["n1"],"cores":4,"left":1190.0,"mode":"python","at":{then}}}\n'
    )
    packed.tracker.step()
    allocation = packed.context.state.allocations.by_name["1-1"]
    assert packed.tracker.time_left(allocation) is None, "until it has answered"
    answer(packed, 1190.0)
    clock.pass_time(90)
    assert packed.tracker.time_left(allocation) == 1100
    assert 1100 < allocation.ends_at - time.time() < 1200, "for those who read the journal"


def test_driver_that_takes_over_asks_the_leader_how_much_time_is_left(packed: Packed) -> None:
    """The end in the journal is by the clock of the previous driver: it may be hours off."""
    packed.step(answers=1)
    packed.context.emit(
        ev.AllocationBegan(at=time.time() - 9000, allocation="1-1", job="101", hosts=("n1",), cores=4, seconds=3600.0)
    )
    packed.tracker.step()
    assert packed.step() == [], "nothing is withdrawn, dispatched or requested by a clock that may be wrong"
    answer(packed, 1000.0)
    assert "allocation_time_left" in packed.context.trace
    assert packed.step(answers=1) == ["submit_intended", "submitted"]
    assert 990 < packed.context.state.allocations.by_name["1-1"].ends_at - time.time() <= 1000
    packed.scheduler.close()


def test_leader_that_does_not_answer_is_judged_by_the_journal(packed: Packed, clock: Clock) -> None:
    packed.step(answers=1)
    packed.context.emit(
        ev.AllocationBegan(at=time.time(), allocation="1-1", job="101", hosts=("n1",), cores=4, seconds=3600.0)
    )
    packed.tracker.step()
    clock.pass_time(10)
    left = packed.tracker.time_left(packed.context.state.allocations.by_name["1-1"])
    assert left is not None
    assert 3500 < left <= 3600
    packed.scheduler.close()
