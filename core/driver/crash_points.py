"""Named points between a durable write and an effect, at which the crash tests kill the process.

With MTUI_FAULT=NAME, or NAME:N for its Nth passage, the process ends there as by kill -9. The tests iterate over
`POINTS`, so an unlisted point raises an error.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "lease.taken",
    "driver.started",
    "submit.intended",
    "submit.synced",
    "submit.prepared",
    "submit.acted",
    "submit.answered",
    "allocate.intended",
    "allocate.synced",
    "allocate.acted",
    "allocate.answered",
    "give.intended",
    "give.synced",
    "give.prepared",
    "give.acted",
    "give.answered",
    "return.claimed",
    "return.journalled",
    "cancel.intended",
    "cancel.synced",
    "cancel.acted",
    "cancel.answered",
    "unbind.claimed",
    "unbind.journalled",
    "retry.judged",
    "retry.journalled",
    "hook.journalled",
    "records.journalled",
    "records.synced",
    "records.removed",
    "command.journalled",
    "command.synced",
    "command.put_away",
    "status.written",
    "study.ended",
    "driver.stopped",
)

_wanted, _, _number = os.environ.get("MTUI_FAULT", "").partition(":")
_left = int(_number or 1)


def crash_point(name: str) -> None:
    """Pass a point; kills this process if MTUI_FAULT names it."""
    global _left
    if not _wanted:
        return
    if name not in POINTS:
        raise ValueError(f"fault point {name} is not listed")
    if name == _wanted:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
