"""Whatever is done outside: intent into the journal, sync, act, answer."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mtui.core.driver.effects import Effect, Effects
from mtui.core.driver.worker_threads import WorkerThreads
from mtui.core.engine import events as ev
from tests.no_threads import NoThreads


@contextmanager
def running_threads() -> Iterator[WorkerThreads]:
    threads = WorkerThreads(1, "test")
    yield threads
    threads.shutdown()


class Trace:
    """Effects that note what happens, in order."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.can_sync = self.may_act = True
        self.waiting: list[Callable[[], None]] = []
        self.effects = Effects(self._emit, self._when_durable, self.posted.put, lambda: self.may_act)

    def _when_durable(self, call: Callable[[], None]) -> None:
        self.steps.append("sync" if self.can_sync else "no sync")
        if self.can_sync:
            call()
        else:
            self.waiting.append(call)

    def _emit(self, event: ev.Event) -> None:
        assert isinstance(event, ev.CancelRequested)
        self.steps.append(f"intent {event.instance}")

    def effect(self, index: int, executor: WorkerThreads | None = None) -> Effect[str]:
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
    with running_threads() as executor:
        trace.effects.perform([trace.effect(1, executor)])
    assert (trace.steps, trace.effects.under_way) == (["intent 1", "sync", "act 1"], 1)
    trace.posted.get(timeout=20)()
    assert (trace.steps[-1], trace.effects.under_way) == ("answer 1", 0)


def test_effect_waits_while_its_intent_cannot_be_written() -> None:
    trace = Trace()
    trace.can_sync = False
    trace.effects.perform([trace.effect(1)])
    assert trace.steps == ["intent 1", "no sync"]
    trace.waiting.pop()()
    assert trace.steps[2:] == ["act 1", "answer 1"]


def test_effect_whose_thread_came_too_late_waits_until_the_lease_is_checked() -> None:
    trace = Trace()
    trace.may_act = False
    with running_threads() as executor:
        trace.effects.perform([trace.effect(1, executor)])
        trace.can_sync = False
        trace.posted.get(timeout=20)()
        assert (trace.steps, trace.effects.under_way) == (["intent 1", "sync", "no sync"], 0)
        trace.may_act = True
        trace.waiting.pop()()
        trace.posted.get(timeout=20)()
    assert trace.steps[-2:] == ["act 1", "answer 1"]


def test_act_that_raises_ends_the_driver_on_its_own_thread() -> None:
    def broken() -> str:
        raise ValueError("a bug")

    trace = Trace()
    with running_threads() as executor:
        trace.effects.perform([Effect("submit", [], broken, trace.steps.append, executor)])
    with pytest.raises(ValueError, match="a bug"):
        trace.posted.get(timeout=20)()
    assert (trace.steps, trace.effects.under_way) == (["sync"], 0)


def test_no_effect_syncs_nothing() -> None:
    trace = Trace()
    trace.effects.perform([])
    assert trace.steps == []


def test_effect_for_which_no_thread_can_be_started_is_carried_out_later(no_threads: NoThreads) -> None:
    trace = Trace()
    with running_threads() as threads:
        trace.effects.perform([trace.effect(1, threads), trace.effect(2, threads)])
        assert threads.is_short
        assert trace.steps == ["intent 1", "intent 2", "sync"]

        no_threads.allow()
        threads.start_missing()
        for _ in range(2):
            trace.posted.get(timeout=20)()

        assert not threads.is_short
    assert trace.effects.under_way == 0
    assert sorted(trace.steps[3:]) == ["act 1", "act 2", "answer 1", "answer 2"]
