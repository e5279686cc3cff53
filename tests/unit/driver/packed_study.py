"""A study whose instances share allocations, and the parts of its driver that are concerned."""

from __future__ import annotations

from pathlib import Path

from mtui.core.driver.allocations.in_job import OwnAllocation
from mtui.core.driver.allocations.packed_cancel import PackedCanceller
from mtui.core.driver.allocations.scheduler import AllocationScheduler
from mtui.core.driver.allocations.tracker import AllocationTracker
from mtui.core.driver.cancel import Canceller
from mtui.core.engine import events as ev
from mtui.core.spec.study_spec import Step
from mtui.core.store.study_file import Settings
from tests.plans import step
from tests.unit.driver.fake_context import FakeContext

CHAIN = step("a", uses="X"), step("b", "a", uses="X")


class Packed:
    """A study of two rows whose instances share allocations, and the parts of its driver that are concerned."""

    def __init__(self, folder: Path, settings: Settings, steps: tuple[Step, ...] = CHAIN) -> None:
        self.context = context = FakeContext(folder, *steps, rows={"X": [1, 2]}, settings=settings)
        canceller = Canceller(context)
        self.tracker = AllocationTracker(context, canceller)
        self.scheduler = AllocationScheduler(context, canceller, self.tracker)
        self.packed_canceller = PackedCanceller(context)
        self.own = OwnAllocation(context, self.tracker)

    def step(self, answers: int = 0) -> list[str]:
        """The events of one step of the scheduler, and of so many answers."""
        before = len(self.context.fake_log.events)
        self.scheduler.step()
        self.context.run_posted(answers)
        return self.context.since(before)

    def begin(self, name: str = "1-1") -> None:
        """The leader of an allocation is ready."""
        job = self.context.state.allocations.by_name[name].job
        self.context.emit(ev.AllocationBegan(at=1e9, allocation=name, job=job, hosts=("n1",), cores=4, seconds=0.0))

    def list_of(self, name: str = "1-1") -> str:
        return self.context.directory.allocation_file(name, "list").read_text()
