"""Runs the commands that a study defines for its end and for its first failure.

Each is written to the journal before it runs, so it runs at most once even if the driver dies. Its output goes to
.mtui/hooks.log.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import IO

from ..debug_log import get_logger
from ..engine import events as ev
from ..engine.cause_text import cause_text
from ..engine.status import UNSUCCESSFUL
from ..file_reading import open_to_append
from .context import DriverContext
from .crash_points import crash_point

_log = get_logger(__name__)

_END_WAIT = 60.0  # seconds that a driver waits for the last command, which may end with the driver's Slurm job
_RENEW_EVERY = 5.0  # seconds between two checks of the lease while it waits


class HookRunner:
    """The commands of one study."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._process: subprocess.Popen[bytes] | None = None

    def failed(self, index: int) -> None:
        """Run `on_failure` for the first failure without a retry since the start, or since a user's last retry."""
        state, command = self._context.state, self._context.study.settings.on_failure
        if not command or state.failure_hook_ran or state.status[index] not in UNSUCCESSFUL:
            return
        last = state.last_attempt(index)
        if index in state.cancelled_before_submit or (last and last.cancelled):
            return  # by command of a user
        name, cause = state.plan.instances[index].name, cause_text(state.cause(index))
        self._run("on_failure", command, MTUI_INSTANCE=name, MTUI_CAUSE=cause)

    def ended(self, result: str) -> None:
        """Run `on_end`: the study has ended. Not if it ran for this end, which an earlier driver may have found."""
        command = self._context.study.settings.on_end
        if command and not self._context.state.end_hook_ran:
            self._run("on_end", command, MTUI_RESULT=result)

    def wait(self) -> None:
        """Wait for the last command that was run."""
        until = time.monotonic() + _END_WAIT
        while self._process and time.monotonic() < until:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_RENEW_EVERY)
                return
            self._context.log.renew()

    def _run(self, hook: str, command: str, **more: str) -> None:
        """Record in the journal that a command is run, then run it."""
        context = self._context
        context.emit(ev.HookRun(at=time.time(), hook=hook))
        failed = sum(context.state.counts[status] for status in UNSUCCESSFUL)
        about = {
            "MTUI_STUDY": context.plan.name,
            "MTUI_DIRECTORY": str(context.directory.root),
            "MTUI_FAILED": str(failed),
        }
        environment = {key: value.replace("\0", "") for key, value in {**about, **more}.items()}
        context.log.when_durable(lambda: self._start(hook, command, environment))

    def _start(self, hook: str, command: str, environment: Mapping[str, str]) -> None:
        context = self._context
        crash_point("hook.journalled")
        try:
            with ExitStack() as opened:
                log = self._open_log(opened)
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", command],
                    cwd=context.directory.root,
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            message = f"cannot run {hook}: {error.strerror}"
            context.emit(ev.Anomaly(at=time.time(), message=message))

    def _open_log(self, opened: ExitStack) -> IO[bytes] | int:
        try:
            return opened.enter_context(open_to_append(self._context.directory.hooks_log))
        except OSError as error:  # the command matters more than its output
            _log.warning("the output of a hook is discarded: %s", error)
            return subprocess.DEVNULL
