"""A study whose instances share allocations, as the allocation policy sees it."""

from __future__ import annotations

from mtui.core.engine import events as ev
from mtui.core.engine.allocation_policy import AllocationPolicy, Assignment
from mtui.core.engine.state import StudyState
from mtui.core.engine.status import Status
from mtui.core.plan.shared_allocations import PackingPlan, PoolShare
from mtui.core.plan.study_plan import Plan
from mtui.core.spec.study_spec import PackingOptions
from tests.plans import plan, step

CHAIN = plan(step("a", uses="X"), step("b", "a", uses="X"), step("all", "b_*"), rows={"X": [1, 2, 3]})
A, B, ALL = (0, 1, 2), (3, 4, 5), 6
TWO_POOLS = plan(step("a", uses="X", queue="one"), step("b", uses="X", queue="two"), rows={"X": [1, 2, 3]})


class Study:
    """A state and the policy's decisions on it; each event is a second after the previous one."""

    def __init__(self, pack: PackingOptions | None = None, whole: Plan = CHAIN) -> None:
        self.state = StudyState(whole)
        self.packing = PackingPlan(whole, pack or PackingOptions())
        self.at = 1000.0

    def packer(self) -> AllocationPolicy:
        return AllocationPolicy(self.state, self.packing, self.at)

    def do(self, event: type[ev.Event], **fields: object) -> None:
        self.at += 1
        self.state.apply(event(at=self.at, **fields))

    def allocation(
        self, name: str = "1", *, of: int = 0, began: bool = True, seconds: float = 3600.0, **more: bool
    ) -> None:
        """Request one for the pool of an instance; it is in the queue, and begins if `began`."""
        pool = self.packing.of(of)
        assert isinstance(pool, PoolShare)
        self.do(ev.AllocationIntended, allocation=name, pool=pool.pool.options, gpus=0, nodes=1, seconds=3600)
        self.do(ev.AllocationQueued, allocation=name, job=f"10{name}")
        if began:
            self.do(ev.AllocationBegan, allocation=name, job=f"10{name}", cores=4, seconds=seconds, **more)

    def give(self, *gifts: Assignment) -> None:
        for gift in gifts:
            members = tuple((index, self.state.next_attempt(index)) for index in gift.members)
            name = f"s{self.at}"
            self.do(ev.SubmitIntended, submission=name, backend="pack", members=members, allocation=gift.allocation)
            self.do(ev.Submitted, submission=name, job=self.state.allocations.by_name[gift.allocation].job)

    def give_all(self) -> None:
        while gifts := self.packer().assignments(0, ahead=True):
            self.give(*gifts)

    def start(self, *indices: int) -> None:
        for index in indices:
            self.do(ev.Started, instance=index, attempt=1, job="101", node="n1")

    def finish(self, *indices: int) -> None:
        for index in indices:
            self.do(ev.Ended, instance=index, attempt=1, status=Status.FINISHED, exit_code=0)

    def words(self) -> list[str]:
        return [status.value for status in self.state.status]
