"""Runs other programs in the app's terminal: a pager, an editor, a shell in a workspace or on a job's node.

The app suspends its use of the terminal meanwhile; the driver thread keeps running.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from textual.app import SuspendNotSupported

from ...core.engine.status import Status
from ..views.environment import editor_command, pager_command, shell_command
from ..views.study_session import StudySession
from .app_base import AppBase

_COME_BACK = "mtui: a shell; exit comes back"


def open_pager(app: AppBase, path: Path | None) -> None:
    """Show a whole file in the pager."""
    if path is None or not path.exists():
        app.notify(f"there is no {path.name if path else 'file'} yet", markup=False)
        return
    _lend(app, [*pager_command(), str(path)])


def edit_script(app: AppBase, study: StudySession, index: int) -> None:
    """Open the script of an instance in the editor."""
    instance = study.plan.instances[index]
    path = study.directory.workspace(instance) / study.plan.script_name(instance)
    if not path.exists():
        app.notify(f"there is no {path.name} yet: it is written when the instance is submitted", markup=False)
        return
    _lend(app, [*editor_command(), str(path)])
    app.notify("a retry writes this script anew, as it was planned, and keeps yours beside it", markup=False)


async def open_shell(app: AppBase, study: StudySession, index: int) -> None:
    """Open a shell in the instance's workspace, on this machine or on the node where its job runs."""
    workspace = study.directory.workspace(study.plan.instances[index])
    if not workspace.exists():
        app.notify("there is no workspace yet: it is made when the instance is submitted", markup=False)
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


def _lend(app: AppBase, command: list[str], cwd: Path | None = None, first: str = "") -> None:
    """Run a program in the terminal, after printing `first`."""
    try:
        with app.suspend():
            if first:
                print(first)
            problem = _run(command, cwd)
    except SuspendNotSupported:
        problem = "this terminal cannot be lent to another program"
    if problem:
        app.notify(problem, severity="error", markup=False)
    app.refresh(layout=True)


def _run(command: Sequence[str], cwd: Path | None) -> str:
    """Run a program in the suspended terminal; return an error message, empty on success.

    SIGINT is ignored meanwhile: Ctrl-C is meant for the program, but also reaches the app, which is in the same process
    group.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        subprocess.run(command, cwd=cwd, check=False, preexec_fn=_as_usual)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    finally:
        signal.signal(signal.SIGINT, before)
    return ""


def _as_usual() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
