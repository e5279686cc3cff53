"""Whatever is done outside: intent into the journal, sync, act, answer."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mtui.core.driver.effects import Effect, Effects
from mtui.core.engine import events as ev


class Trace:
    """Effects that note what happens, in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.effects = Effects(self._emit, lambda: self.steps.append("sync"), self.posted.put)

    def _emit(self, event: ev.Event) -> None:
        assert isinstance(event, ev.CancelRequested)
        self.steps.append(f"intent {event.instance}")

    def effect(self, index: int, executor: ThreadPoolExecutor | None = None) -> Effect[str]:
        def act() -> str:
            self.steps.append(f"act {index}")
            return f"answer {index}"

        intent = [ev.CancelRequested(at=1.0, instance=index)]
        return Effect("submit", intent, act, self.steps.append, executor)


def test_all_intents_are_on_the_disk_before_the_first_act() -> None:
    trace = Trace()
    trace.effects.perform([trace.effect(1), trace.effect(2)])
    assert trace.steps == ["intent 1", "intent 2", "sync", "act 1", "answer 1", "act 2", "answer 2"]


def test_answer_of_another_thread_is_applied_only_when_the_loop_calls_it() -> None:
    trace = Trace()
    with ThreadPoolExecutor(1) as executor:
        trace.effects.perform([trace.effect(1, executor)])
    assert (trace.steps, trace.effects.under_way) == (["intent 1", "sync", "act 1"], 1)
    trace.posted.get(timeout=20)()
    assert (trace.steps[-1], trace.effects.under_way) == ("answer 1", 0)


def test_act_that_raises_ends_the_driver_on_its_own_thread() -> None:
    def broken() -> str:
        raise OSError("no room")

    trace = Trace()
    with ThreadPoolExecutor(1) as executor:
        trace.effects.perform([Effect("submit", [], broken, trace.steps.append, executor)])
    with pytest.raises(OSError, match="no room"):
        trace.posted.get(timeout=20)()
    assert (trace.steps, trace.effects.under_way) == (["sync"], 0)


def test_no_effect_syncs_nothing() -> None:
    trace = Trace()
    trace.effects.perform([])
    assert trace.steps == []
