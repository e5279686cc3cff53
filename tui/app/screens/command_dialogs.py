"""Asks the user before a command is sent: for confirmation, and for the options of the command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ....core.engine.commands import MARKS, check_changes
from ....core.errors import Refusal
from ....core.plan.job_request import job_request
from ....core.plan.resource_changes import CHANGEABLE, RESTART
from ...views.instance_commands import InstanceCommand, command_for
from ...views.study_session import StudySession
from ..app_base import AppBase
from .dialogs import ConfirmScreen, RetryScreen

_MOST_ASKED = 200  # limit of instances whose resources are compared before a retry


async def ask_and_send(
    app: AppBase, study: StudySession, verb: str, indices: Iterable[int]
) -> InstanceCommand | Refusal | None:
    """Send a command for instances, after confirmation.

    Returns the command that was sent, a refusal if it applies to none of the instances, or None if the user declined.
    Raises MtuiError if it cannot be sent.
    """
    order = command_for(study.state, verb, indices)
    if isinstance(order, Refusal):
        return order
    options = await ask_for(app, order, study)
    if options is None:
        return None
    study.send(order, options)
    return order


async def ask_for(app: AppBase, order: InstanceCommand, study: StudySession) -> dict[str, str] | None:
    """Ask for confirmation; return the resources of a retry or the reason of a mark, empty for other commands.

    Returns None if the user declines.
    """
    if order.verb in MARKS:
        return await app.push_screen_wait(
            RetryScreen(order, {"reason": ""}, _anything, "Reason (stored with the study)")
        )
    scheduled = [index for index in order.indices if study.plan.step_of(study.plan.instances[index]).scheduled]
    if order.verb not in ("retry", "rerun") or not scheduled:
        return {} if await app.push_screen_wait(ConfirmScreen(order)) else None

    def check(changes: dict[str, str]) -> Refusal | None:
        return check_changes(study.state, order.indices, changes)

    return await app.push_screen_wait(RetryScreen(order, _resources(study, scheduled[:_MOST_ASKED]), check))


def _anything(changes: dict[str, str]) -> Refusal | None:
    """Accept any text as a reason."""
    del changes
    return None


def _resources(study: StudySession, indices: list[int]) -> Mapping[str, str]:
    """Return the resources that the jobs of the instances request; `several` where they differ."""
    found: dict[str, str] = {}
    if any(study.plan.step_of(study.plan.instances[index]).restart for index in indices):
        found[RESTART] = "false"
    for index in indices:
        own = job_request(study.plan, study.plan.instances[index], study.state.changes.get(index, {})).values
        for key in CHANGEABLE:
            value = own.get(key, "")
            found[key] = value if found.get(key, value) == value else "several"
    return found
