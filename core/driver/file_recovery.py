"""Writes files again that a power cut damaged, when a driver takes a study over.

Jobs that wait in Slurm have not read their scripts yet. An incomplete script could run, and exit with code 0.
"""

from __future__ import annotations

import time
from functools import cache

from ..backends.slurm import write_array_task
from ..backends.slurm_text import array_task
from ..debug_log import get_logger
from ..engine import events as ev
from ..engine.attempt import Attempt
from ..engine.status import Status
from ..file_reading import read_bytes
from ..store.file_verification import is_torn, restore_layout, restore_scripts
from ..store.lease_owner import boot_id, read_owner
from .context import DriverContext

_log = get_logger(__name__)

_NOT_BEGUN = (Status.SUBMITTING, Status.UNCLEAR, Status.BOUND, Status.PENDING, Status.CONFIGURING, Status.REQUEUED)
_NAMED = 3  # paths in the message


def restore_files(context: DriverContext) -> None:
    """Restore the layout of the study directory, and the scripts of attempts that have not begun.

    What cannot be written now is written before its next submission, or missed by its job with a message.
    """
    try:
        restored = [*restore_layout(context.directory), *_restore_scripts(context)]
    except OSError as error:
        _log.warning("files that a power cut may have damaged cannot be restored: %s", error)
        return
    if restored:
        more = f" and {len(restored) - _NAMED:,} more" if len(restored) > _NAMED else ""
        message = f"files that a power cut had damaged were written again: {', '.join(restored[:_NAMED])}{more}"
        context.emit(ev.Anomaly(at=time.time(), message=message))


def _restore_scripts(context: DriverContext) -> list[str]:
    state, here, boot = context.state, context.host, boot_id()

    @cache
    def is_suspect(epoch: str) -> bool:
        """Whether the machine of a driver may have stopped since: it is another one, or was rebooted."""
        owner = read_owner(context.directory.owner, int(epoch)) if epoch.isdecimal() else None
        return owner is None or (owner.host, owner.boot) != (here, boot)

    restored: list[str] = []
    for index in (*state.live_slurm, *state.live_packed):
        context.log.renew()
        attempt = state.attempts[index][-1]
        if state.status[index] in _NOT_BEGUN and is_suspect(attempt.submission.partition("-")[0]):
            instance = context.plan.instances[index]
            restored += restore_scripts(context.directory, context.plan, instance, dict(attempt.changes))
            restored += _restore_task(context, index, attempt)
    return restored


def _restore_task(context: DriverContext, index: int, attempt: Attempt) -> list[str]:
    """Write the file of an array's task again if it is damaged."""
    if attempt.task < 0:
        return []
    root = context.directory.root
    folder = context.directory.home / "submit" / attempt.submission
    files = context.attempt_files(index, attempt.number, dict(attempt.changes))
    path = folder / str(attempt.task)
    data = read_bytes(path) if path.exists() else b""
    if not is_torn(data, array_task(files, str(root)).encode("utf-8", "surrogateescape")):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    write_array_task(folder, attempt.task, files, str(root))
    return [str(path.relative_to(root))]
