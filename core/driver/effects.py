"""The one way to cause an external effect: intent into the journal, sync, act, answer into the journal.

A driver that dies in between leaves an intent without an answer; the next driver finds out whether the effect happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from ..engine import events as ev
from .crash_points import crash_point

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Effect(Generic[A]):
    """An external effect. `kind` names its crash points (submit, allocate, give, cancel)."""

    kind: str
    intent: Sequence[ev.Event]
    act: Callable[[], A]  # may block; does not touch the state; raises OSError if the driver cannot continue
    apply_answer: Callable[[A], None]  # applies the answer, on the driver's thread
    executor: Executor | None = None  # where to act; None: on the driver's thread


class Effects:
    """Carries effects out for one driver."""

    def __init__(
        self,
        emit: Callable[[ev.Event], None],
        sync: Callable[[], None],
        post: Callable[[Callable[[], None]], None],
    ) -> None:
        self._emit = emit
        self._sync = sync
        self._post = post
        self.under_way = 0  # on other threads

    def perform(self, effects: Sequence[Effect[A]]) -> None:
        """Carry effects out: all their intents with one sync, then each act."""
        if not effects:
            return
        kind = effects[0].kind
        for effect in effects:
            for event in effect.intent:
                self._emit(event)
        crash_point(f"{kind}.intended")
        self._sync()
        crash_point(f"{kind}.synced")
        for effect in effects:
            if effect.executor is None:
                answer = effect.act()
                crash_point(f"{effect.kind}.acted")
                self._answered(effect, answer)
            else:
                self.under_way += 1
                effect.executor.submit(self._act, effect)

    def _act(self, effect: Effect[A]) -> None:
        try:
            answer = effect.act()
        except Exception as error:  # most likely a full disk: the loop thread raises it, and the driver ends
            self._post(partial(self._broken, error))
            return
        crash_point(f"{effect.kind}.acted")

        def take() -> None:
            self.under_way -= 1
            self._answered(effect, answer)

        self._post(take)

    def _broken(self, error: Exception) -> None:
        self.under_way -= 1
        raise error

    def _answered(self, effect: Effect[A], answer: A) -> None:
        effect.apply_answer(answer)
        crash_point(f"{effect.kind}.answered")
