"""Runs other programs in the app's terminal: a pager, an editor, a shell in a workspace or on a job's node.

The app suspends its use of the terminal meanwhile; the driver thread keeps running.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from textual.app import SuspendNotSupported

from ...core.engine.status import Status
from ..views.environment import editor_command, pager_command, shell_command
from ..views.study_session import StudySession
from .app_base import AppBase
from .foreground_job import ForegroundJob

_COME_BACK = "mtui: a shell; 'exit' returns to mtui"


def open_pager(app: AppBase, path: Path | None) -> None:
    """Show a whole file in the pager."""
    if path is None or not path.exists():
        app.notify(f"no {path.name if path else 'file'} yet", markup=False)
        return
    if not path.is_file():  # a FIFO would block the pager
        app.notify(f"{path.name} is not a regular file", severity="error", markup=False)
        return
    # Colours, and files that are not text in this locale, unless the user has set options.
    _lend(app, [*pager_command(), str(path)], env={"LESS": "Rf", **os.environ})


def edit_script(app: AppBase, study: StudySession, index: int) -> None:
    """Open the script of an instance in the editor."""
    instance = study.plan.instances[index]
    path = study.directory.workspace(instance) / study.plan.script_name(instance)
    if not path.exists():
        app.notify(f"no {path.name} yet: it is written when the instance is submitted", markup=False)
        return
    _lend(app, [*editor_command(), str(path)])
    app.notify("a retry rewrites this script as planned and keeps your version beside it", markup=False)


async def open_shell(app: AppBase, study: StudySession, index: int) -> None:
    """Open a shell in the instance's workspace, on this machine or on the node where its job runs."""
    workspace = study.directory.workspace(study.plan.instances[index])
    if not workspace.exists():
        app.notify("no workspace yet: it is created when the instance is submitted", markup=False)
        return
    here = shell_command()
    last = study.state.last_attempt(index)
    if last and last.backend != "local" and study.state.status[index] is Status.RUNNING:
        # An allocation may have several nodes: select the one where the instance runs.
        on = ["--nodes=1", "--ntasks=1", f"--nodelist={last.node}"] if last.allocation else []
        node = ["srun", f"--jobid={last.job}", *on, "--overlap", "--pty", f"--chdir={workspace}", *here]
        choice = await app.pick("A shell", [("here", f"here, in {workspace}"), ("node", shlex.join(node))])
        if choice is None:
            return
        if choice == "node":
            _lend(app, node, first=_COME_BACK)
            return
    _lend(app, here, cwd=workspace, first=_COME_BACK)


def _lend(
    app: AppBase,
    command: list[str],
    cwd: Path | None = None,
    first: str = "",
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a program in the terminal, after printing `first`; or resume the one that is suspended."""
    problem = ""
    try:
        with app.suspend():
            try:
                job = app.suspended_job
                if job is not None:
                    job.resume()
                else:
                    if first:
                        print(first, file=sys.stderr)
                    job = ForegroundJob(command, cwd, env)
                app.suspended_job = None if job.wait() else job
            except OSError as error:
                problem = f"{command[0]}: {error.strerror}"
    except SuspendNotSupported:
        problem = "no other program can run in this terminal"
    if problem:
        app.notify(problem, severity="error", markup=False)
    elif app.suspended_job is not None:
        app.notify(f"{app.suspended_job.name} is suspended. s, v or e resumes it.", markup=False)
    app.refresh(layout=True)
