"""When Slurm is asked, and what becomes of a question that fails."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any, cast

from mtui.core.backends.batch import BatchSystem
from mtui.core.backends.slurm_text import SlurmView, Unobserved
from mtui.core.driver.slurm_poller import SlurmPoller


class Broken:
    def look(self, *_: Any) -> SlurmView | Unobserved:
        raise ValueError("a bug")


def test_look_that_raises_counts_as_no_answer_and_another_follows() -> None:
    posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    poller = SlurmPoller(cast(BatchSystem, Broken()), 30.0, posted.put)
    answers: list[SlurmView | Unobserved] = []
    for count in (1, 2):
        poller.start(False, [], [], lambda answer, _: answers.append(answer))
        assert poller.due(False, False) is None, "one is under way"
        posted.get(timeout=20)()
        assert answers == [Unobserved("ValueError: a bug")] * count
        due = poller.due(False, True)
        assert due is not None
        assert due <= time.monotonic() + 30
