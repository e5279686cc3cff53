"""Random studies in a random world: whatever happens, and whenever a driver dies, what has to hold holds.

MTUI_EXAMPLES=2000 in the environment tries more of them.
"""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from mtui.core.engine.status import BAD, DONE, IN_SLURM, LIVE, OVER, Status
from tests.property.world_machine import WorldMachine, replay
from tests.unit.engine.script import everything, words


class StudyMachine(WorldMachine):
    """What holds in every world, and that every study gets over."""

    # --- what has to hold

    @invariant()
    def statuses_follow_from_those_of_the_parents(self) -> None:
        status = self.state.status
        for index, parents in enumerate(self.parents):
            above = {status[parent] for parent in parents - self.after[index]}
            over = all(status[parent] in OVER for parent in self.after[index])
            match status[index]:
                case Status.WAITING | Status.READY | Status.HELD | Status.BLOCKED as idle:
                    if above & BAD:
                        expected = Status.BLOCKED
                    elif index in self.state.held:
                        expected = Status.HELD
                    else:
                        expected = Status.READY if above <= DONE and over else Status.WAITING
                    assert idle is expected, words(self.state)
                case alive if alive is Status.BOUND:
                    leaves = index in self.state.to_unbind or self.state.attempts[index][-1].cancelled
                    assert leaves or above - DONE or not over, words(self.state)
                    sound = self.could_be_bound(index) and index not in self.state.held
                    assert sound or leaves, words(self.state)
                case alive if alive in LIVE:
                    last = self.state.attempts[index][-1]
                    repeated = index in self.state.missed_rows
                    assert last.after or last.allocation or above <= DONE or repeated, words(self.state)
                case _:
                    pass

    def has_a_job(self, index: int) -> bool:
        """Whether others can be bound to an instance, or need not be."""
        status = self.state.status[index]
        scheduled = self.plan.step_of(self.plan.instances[index]).scheduled
        return index not in self.state.missed_rows and (status in DONE or (status in IN_SLURM and scheduled))

    def ends_with_its_job(self, index: int) -> bool:
        """Whether an instance is over, or will be once its job has ended in any way."""
        status, step = self.state.status[index], self.plan.step_of(self.plan.instances[index])
        above, todo = {step.index}, [step.index] if status is Status.BOUND else []
        while todo:
            found = set(self.plan.steps[todo.pop()].above) - above
            above |= found
            todo += found
        retried = any(self.plan.steps[one].retry or self.plan.steps[one].restart for one in above)
        has_job = status in IN_SLURM and step.scheduled
        return index not in self.state.missed_rows and (status in OVER or (has_job and not retried))

    def could_be_bound(self, index: int) -> bool:
        """Whether Slurm has or had all that an instance waits for."""
        after = self.after[index]
        return all(
            self.ends_with_its_job(parent) if parent in after else self.has_a_job(parent)
            for parent in self.parents[index]
        )

    @invariant()
    def counters_and_queues_are_what_a_recount_gives(self) -> None:
        state = self.state
        assert +state.counts == Counter(state.status)
        for item, counts in zip(self.plan.steps, state.step_counts, strict=True):
            assert +counts == Counter(state.status[index] for index in item.instances)
        for item, ready, ahead in zip(self.plan.steps, state.ready, state.ahead, strict=True):
            assert sorted(ready) == [index for index in item.instances if state.status[index] is Status.READY]
            waiting = [i for i in item.instances if state.status[i] is Status.WAITING and item.scheduled]
            waiting = [i for i in waiting if i not in state.dependency_never_satisfied]
            assert sorted(ahead) == [index for index in waiting if self.could_be_bound(index)]
        assert not state.live_slurm.keys() & state.live_packed.keys()
        for scheduled, live in ((True, {**state.live_slurm, **state.live_packed}), (False, state.live_local)):
            members = [i.index for i in self.plan.instances if self.plan.step_of(i).scheduled is scheduled]
            assert sorted(live) == [index for index in members if state.status[index] in LIVE]
        holdable = (Status.HELD, Status.BLOCKED, Status.BOUND)
        assert state.held == {i for i in state.held if state.status[i] in holdable or state.waits_in_allocation(i)}
        may_be_pending = {i for i in state.to_unbind if state.waits_in_allocation(i)} | state.missed_rows
        unbegun = {Status.BOUND, Status.PENDING}
        assert all(state.status[i] is Status.BOUND or i in may_be_pending for i in state.to_unbind)
        assert all(state.status[i] in unbegun for i in state.to_unbind)
        assert {i for i, status in enumerate(state.status) if status is Status.HELD} <= state.held
        assert all(state.status[index] in LIVE for index in state.to_cancel)
        repeated = [i for i in state.missed_rows if state.status[i] is Status.FINISHED]
        assert state.is_over is (all(status in OVER for status in state.status) and not repeated)

    @invariant()
    def attempts_are_numbered_in_order_and_only_the_last_may_be_open(self) -> None:
        for index, attempts in self.state.attempts.items():
            assert [item.number for item in attempts] == list(range(1, len(attempts) + 1))
            assert all(item.ended_at for item in attempts[:-1])
            if self.state.status[index] in LIVE:
                assert not attempts[-1].ended_at
                assert index not in self.state.marked
            elif self.state.status[index] in OVER - {Status.BLOCKED}:
                assert attempts[-1].ended_at
        for members in self.state.submissions.values():
            assert any(self.state.status[index] in LIVE for index, _ in members)

    @invariant()
    def no_payload_runs_twice_and_what_finished_did_run(self) -> None:
        assert all(count <= 1 for count in self.world.runs.values())
        for index, status in enumerate(self.state.status):
            if status is Status.FINISHED and index not in self.state.marked:
                assert (index, self.state.attempts[index][-1].number) in self.world.succeeded

    # --- in the end

    def what_finished_saw_all_rows(self) -> None:
        """The attempt with which an instance finished began when all its parents of all rows so far were done."""
        rows = {i for i in range(self.state.size) if not self.plan.step_of(self.plan.instances[i]).skipped}
        for index, status in enumerate(self.state.status):
            if status is Status.FINISHED and index not in self.state.marked:
                parents = (self.parents[index] & rows) - self.after[index]
                seen = self.saw[index, self.state.attempts[index][-1].number]
                assert parents <= seen | self.counted_as_done, words(self.state)

    def teardown(self) -> None:
        """Once the world does nothing but end well, every study gets over."""
        if not hasattr(self, "state"):
            return
        for _ in range(60):
            if self.state.is_over:
                break
            self.calm_round()
        assert self.state.is_over, words(self.state)
        self.statuses_follow_from_those_of_the_parents()
        self.counters_and_queues_are_what_a_recount_gives()
        self.no_payload_runs_twice_and_what_finished_did_run()
        self.what_finished_saw_all_rows()
        assert everything(replay(self.plan, self.lines)) == everything(self.state)


StudyMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("MTUI_EXAMPLES", "200")),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestStudyMachine = StudyMachine.TestCase
