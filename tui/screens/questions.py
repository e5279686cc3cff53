"""What is asked before a command is sent: whether it is meant, and what it takes besides whom it is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...core.errors import Refusal
from ...core.plan.changes import CHANGEABLE, RESTART
from ...core.plan.script import header_resources
from ...core.study.commands import MARKS, check_changes
from ..model.acting import Order
from ..open_study import OpenStudy
from .dialogs import ConfirmScreen, RetryScreen

if TYPE_CHECKING:
    from ..app import MtuiApp

_MOST_ASKED = 200  # instances whose resources are compared before a retry


async def ask_for(app: MtuiApp, order: Order, study: OpenStudy) -> dict[str, str] | None:
    """The resources of a retry, the reason of a mark, nothing of other commands; None if it is not to be done."""
    if order.verb in MARKS:
        return await app.push_screen_wait(RetryScreen(order, {"reason": ""}, _anything, "Why (for others to read)"))
    scheduled = [index for index in order.indices if study.plan.step_of(study.plan.instances[index]).scheduled]
    if order.verb not in ("retry", "rerun") or not scheduled:
        return {} if await app.push_screen_wait(ConfirmScreen(order)) else None

    def check(changes: dict[str, str]) -> Refusal | None:
        return check_changes(study.state, order.indices, changes)

    return await app.push_screen_wait(RetryScreen(order, _resources(study, scheduled[:_MOST_ASKED]), check))


def _anything(changes: dict[str, str]) -> Refusal | None:
    """A reason can be anything."""
    del changes
    return None


def _resources(study: OpenStudy, indices: list[int]) -> Mapping[str, str]:
    """What the jobs of instances ask for: the value, or `several` where they differ."""
    found: dict[str, str] = {}
    if any(study.plan.step_of(study.plan.instances[index]).restart for index in indices):
        found[RESTART] = "false"
    for index in indices:
        own = header_resources(study.plan, study.plan.instances[index], study.state.changes.get(index, {}))
        for key in CHANGEABLE:
            value = own.get(key, "")
            found[key] = value if found.get(key, value) == value else "several"
    return found
