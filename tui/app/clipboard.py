"""Copies job IDs, paths, commands and log lines to the clipboard of the user's terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ..views.study_session import StudySession
from ..views.text import plural, safe
from .app_base import AppBase


async def copy_menu(app: AppBase, study: StudySession, index: int | None, log: Sequence[str] = ()) -> None:
    """Let the user choose a text, copy it, and show it, because not every terminal supports copying."""
    text = await app.pick("Copy", copy_choices(study, index, log))
    if text is not None:
        app.copy_to_clipboard(text)
        shown = text if "\n" not in text else f"{text.count(chr(10)) + 1} lines"
        app.notify(f"copied: {safe(shown)}", markup=False)


def copy_choices(study: StudySession, index: int | None, log: Sequence[str]) -> list[tuple[str, str]]:
    """Return (text, label) pairs for the instance `index`, the study, and the log that is shown."""
    found: list[tuple[str, str]] = []
    root = str(study.directory.root)
    if index is not None:
        instance = study.plan.instances[index]
        last = study.state.last_attempt(index)
        if last and last.job:
            found.append((last.job, f"job id        {last.job}"))
        workspace = str(study.directory.workspace(instance))
        found.append((workspace, f"workspace     {workspace}"))
        found.append((instance.name, f"name          {instance.name}"))
        why = shlex.join(["mtui", "why", root, instance.name])
        found.append((why, f"why           {why}"))
    back = shlex.join(["mtui", root])
    found.append((back, f"this study    {back}"))
    if log:
        found.append(("\n".join(log), f"log           its last {plural(len(log), 'line')}"))
    return found
