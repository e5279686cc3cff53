"""The same random studies with steps that share allocations, which come, lose what they have, and go.

MTUI_EXAMPLES=2000 in the environment tries more of them.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from mtui.core.engine.causes import CauseCode
from tests.property.packed_driver import PackedDriver


class PackedMachine(PackedDriver):
    """What holds of allocations in every world."""

    @invariant()
    def allocations_have_what_is_given_to_them(self) -> None:
        state = self.state
        for allocation in state.allocations.by_name.values():
            own = {i for i in state.live_packed if state.attempts[i][-1].allocation == allocation.name}
            assert own == allocation.members.keys()
            assert not (allocation.is_over and own)
        for index in state.live_packed:
            assert self.packing.steps, "nothing is to be packed"
            assert state.attempts[index][-1].allocation

    @invariant()
    def no_instance_moves_to_idle_allocations_without_end(self) -> None:
        for attempts in self.state.attempts.values():
            causes = [attempt.cause.code if attempt.cause else None for attempt in attempts[-5:]]
            assert causes.count(CauseCode.IDLE_ALLOCATION) <= 4

    def calm_round(self) -> None:
        self.unanswered.clear()
        for name in list(self.asks):
            del self.asks[name]
            if name not in self.places:
                self.make_place(name)
            self.queued(name)
        for name in list(self.gifts):
            self.write_gift(name, "reported")
        for place in self.places.values():
            if place.state == "queued":
                self.begin_place(place)
        while self.startable():
            self.start_run(*self.startable()[0])
            for place, key in self.runs():
                self.end_run(place, key, 0)
        for place, key in self.runs():
            self.end_run(place, key, 0)
        self.read_records()
        self.take_back()
        self.cancel_within()
        super().calm_round()
        self.ask()
        self.give(0, True)


PackedMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("MTUI_EXAMPLES", "150")),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestPackedMachine = PackedMachine.TestCase
