"""The one way to cause an external effect: intent into the journal, sync, act, answer into the journal.

A driver that dies in between leaves an intent without an answer; the next driver finds out whether the effect happened.
While the journal cannot be written, or the lease may be lost, effects wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from ..engine import events as ev
from .crash_points import crash_point

A = TypeVar("A")


class Threads(Protocol):
    """Threads on which effects are carried out."""

    def submit(self, call: Callable[[], None], /) -> object: ...


@dataclass(frozen=True, slots=True)
class Effect(Generic[A]):
    """An external effect. `kind` names its crash points (submit, allocate, give, cancel)."""

    kind: str
    intent: Sequence[ev.Event]
    act: Callable[[], A]  # may block; does not touch the state; an error is an answer
    apply_answer: Callable[[A], None]  # applies the answer, on the driver's thread
    executor: Threads | None = None  # where to act; None: on the driver's thread


class Effects:
    """Carries effects out for one driver."""

    def __init__(
        self,
        emit: Callable[[ev.Event], None],
        when_durable: Callable[[Callable[[], None]], None],
        post: Callable[[Callable[[], None]], None],
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        """`when_durable` makes a call once the journal is on the disk; `may_act` is called on any thread."""
        self._emit = emit
        self._when_durable = when_durable
        self._post = post
        self._may_act = may_act
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
        self._when_durable(partial(self._carry_out, effects))

    def _carry_out(self, effects: Sequence[Effect[A]]) -> None:
        crash_point(f"{effects[0].kind}.synced")
        for effect in effects:
            if effect.executor is None:
                answer = effect.act()
                crash_point(f"{effect.kind}.acted")
                self._answered(effect, answer)
            else:
                self.under_way += 1
                effect.executor.submit(partial(self._act, effect))

    def _act(self, effect: Effect[A]) -> None:
        if not self._may_act():  # it waited for a thread so long that another driver may have taken over
            self._post(partial(self._postpone, effect))
            return
        try:
            answer = effect.act()
        except Exception as error:  # a bug: the loop thread raises it, and the driver ends
            self._post(partial(self._broken, error))
            return
        crash_point(f"{effect.kind}.acted")

        def take() -> None:
            self.under_way -= 1
            self._answered(effect, answer)

        self._post(take)

    def _postpone(self, effect: Effect[A]) -> None:
        self.under_way -= 1
        self._when_durable(partial(self._carry_out, [effect]))

    def _broken(self, error: Exception) -> None:
        self.under_way -= 1
        raise error

    def _answered(self, effect: Effect[A], answer: A) -> None:
        effect.apply_answer(answer)
        crash_point(f"{effect.kind}.answered")
