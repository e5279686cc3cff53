"""Jobs that must not run are told to end until Slurm has taken it."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from mtui.core.driver import cancel
from mtui.core.driver.cancel import Canceller
from mtui.core.driver.context import DriverContext


class Slurm:
    """Takes a scancel only from the third one on."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []

    def cancel(self, jobs: Sequence[str]) -> str:
        self.told.append(list(jobs))
        return "" if len(self.told) > 2 else "slurm is away"


def test_stray_is_told_again_until_slurm_has_taken_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancel, "_TRY_AGAIN", 0.0)
    posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    slurm = Slurm()
    state = SimpleNamespace(to_cancel=(), live_packed=(), live_local=())
    effects = SimpleNamespace(perform=list)
    context = SimpleNamespace(slurm=slurm, local=None, post=posted.put, state=state, effects=effects)
    part = Canceller(cast(DriverContext, context))
    part.end_strays(["7", "8"])
    for _ in range(2):
        posted.get(timeout=20)()
        assert part.due() is not None
        part.turn()
    part.stop()
    assert slurm.told == [["7", "8"]] * 3
    assert posted.empty()
    assert part.due() is None
