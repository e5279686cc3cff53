"""Runs the app until the user leaves, then prints the status of the study."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import threading

from ...core.driver.unexpected_signals import surviving_signals
from ...core.errors import EXIT_CODES, EXIT_ERROR, EXIT_FINISHED, DriverError
from ...core.store.file_watch import require_threads
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_file import StudyFile
from ..views.status_view import drives, failure_lines, failures, summary
from ..views.study_session import StudySession
from ..views.text import Paint, safe
from .app import MtuiApp


def run_app(directory: StudyDirectory | None = None, study: StudyFile | None = None, notice: str = "") -> int:
    """Show a study, or the list of the user's studies, until the user leaves; return the exit code."""
    for name in ("COLUMNS", "LINES"):  # exported values are constant; the terminal has its size, also after a resize
        os.environ.pop(name, None)
    _require_threads()
    app = MtuiApp(directory, study, notice)
    try:
        with surviving_signals(lambda _: None):
            app.run()
    finally:
        app.close()
    if app._exception is not None:
        raise app._exception
    if not app.was_left:
        raise RuntimeError("the app ended unexpectedly")
    for thread in threading.enumerate():
        if thread.name == "mtui-driver":
            thread.join(1)
    if app.failure is not None:
        raise app.failure
    if app.ended_by:
        with contextlib.suppress(OSError):
            print(f"mtui: {safe(app.ended_by)}", file=sys.stderr, flush=True)
    if app.study is None:
        return app.return_code or EXIT_FINISHED
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(farewell(app.study), flush=True)
    if not app.study.directory.root.exists() or _is_unread(app.study):
        return app.return_code or EXIT_ERROR
    return app.return_code or EXIT_CODES.get(app.study.state.result, EXIT_FINISHED)


def _require_threads() -> None:
    """Raise DriverError if no threads can be started: Textual would leave the terminal without an echo."""
    try:
        require_threads()
    except OSError:
        raise DriverError(
            "no thread can be started (ulimit -u)", "no data was lost; try again when other processes have ended"
        ) from None


def _is_unread(study: StudySession) -> bool:
    return bool(study.feed.problem) and not study.is_read


def farewell(study: StudySession) -> str:
    """Return the status of the study, its driver, and the command that opens it again."""
    study.apply_events()
    if _is_unread(study):
        return f"Cannot read the journal: {safe(study.feed.problem)}"
    state, directory = study.state, study.directory
    lines = [f"{safe(study.plan.name)}: {summary(state.counts)}"]
    if state.result:
        lines.append(f"Study {state.result}.")
        lines += failure_lines(directory, state, Paint(sys.stdout)) if failures(state) else []
    elif not directory.root.exists():
        return "\n".join([*lines, f"The study's directory no longer exists: {safe(str(directory.root))}"])
    else:
        driver = drives(directory)
        lines.append(f"The study continues; driver: {driver}." if driver else "No driver is running.")
    return "\n".join([*lines, f"To return, run: mtui {shlex.quote(str(directory.root))}"])
