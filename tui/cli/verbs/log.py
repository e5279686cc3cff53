"""`mtui log DIR INSTANCE`: prints stdout, stderr or the script of an instance; --json lists all its files."""

from __future__ import annotations

import select
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ....core.engine.state import Impossible, StudyState
from ....core.engine.status import OVER, Status
from ....core.errors import EXIT_FINISHED, UsageError
from ....core.file_reading import UnusableFile
from ....core.plan.job_request import job_request
from ....core.plan.resource_changes import UNCHANGED
from ....core.plan.study_plan import Instance
from ....core.store.checkpoint import load_state
from ....core.store.journal_follower import JournalFollower
from ....core.store.study_directory import StudyDirectory, kept_output
from ....core.store.study_file import read_study_file
from ....core.store.study_reader import read_last_lines
from ...views.followed_log import FollowedLog
from ...views.study_opening import is_maestros
from ...views.text import SafeLog

_LOOK_EVERY = 200  # milliseconds between two reads of a file that is followed
_LAST_LINES = 10


def log_file(directory: StudyDirectory, state: StudyState, instance: Instance, arguments: Namespace) -> Path:
    """Return the file that the options of `mtui log` select; raise UsageError for an attempt that does not exist."""
    path = directory.stderr(instance) if arguments.stderr else directory.stdout(instance)
    if arguments.script:
        path = directory.workspace(instance) / state.plan.script_name(instance)
    if arguments.attempt is None:
        return path
    last = state.last_attempt(instance.index)
    count = last.number if last else 0
    if arguments.script:
        raise UsageError("--attempt is for output", "earlier scripts that differ are beside the script: NAME.1.sh")
    if not 1 <= arguments.attempt <= count:
        raise UsageError(f"{instance.name} has no attempt {arguments.attempt}", f"its attempts: 1 to {count}")
    return path if arguments.attempt == count else kept_output(path, arguments.attempt)


def _authors_file(state: StudyState, instance: Instance, path: Path) -> str:
    """Return which file the author of the step named for an output, to which `path` is linked; empty without one."""
    option = {".out": "output", ".err": "error"}.get(path.suffix, "")
    if not option or not state.plan.step_of(instance).scheduled:
        return ""
    name = job_request(state.plan, instance, state.changes.get(instance.index, UNCHANGED)).option(option)
    return f"its cmd writes it to another file: --{option}={name}" if name else ""


def show_log(directory: StudyDirectory, state: StudyState, instance: Instance, path: Path, *, follow: bool) -> int:
    """Print a file, with control sequences made harmless on a terminal. Raises UsageError if it does not exist."""
    status = state.status[instance.index]
    if not path.exists() and not (follow and status not in OVER):
        over = status in OVER and status is not Status.BLOCKED
        hint = _authors_file(state, instance, path) or f"it {'would' if over else 'will'} be {path}"
        yet = "" if over else " yet"
        raise UsageError(f"there is no {path.name}{yet}: {instance.name} is {status.value}", hint)
    out = sys.stdout.buffer
    clean = SafeLog() if sys.stdout.isatty() else None
    follow = follow and not is_maestros(directory)
    follower = JournalFollower.from_now(directory.journal)
    log = FollowedLog(path)
    log.ignore_attempts(_attempts(state, instance))
    if follow:
        state, read = load_state(directory, read_study_file(directory.study_file))
        follower = JournalFollower(directory.journal, read)
    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)
    while True:
        ended = state.status[instance.index] in OVER
        for data in _new_data(log, _attempts(state, instance)):
            out.write(clean.feed(data) if clean else data)
        out.flush()
        if ended or not follow:
            log.close()
            return EXIT_FINISHED
        if reader.poll(_LOOK_EVERY):  # gone, as in `| head -1`; of a log that is quiet no write would show it
            raise BrokenPipeError
        for event in follower.new_events():
            with suppress(Impossible):
                state.apply(event)


def _attempts(state: StudyState, instance: Instance) -> int:
    last = state.last_attempt(instance.index)
    return last.number if last else 0


def _new_data(log: FollowedLog, attempts: int) -> Iterator[bytes]:
    """Read a log on. Raises UsageError if something else is in its place."""
    try:
        yield from log.new_data(attempts)
    except (UnusableFile, IsADirectoryError) as error:
        raise UsageError(
            f"cannot read {log.path}: {error.strerror}", "it was created by the step or by another user"
        ) from None


def log_json(directory: StudyDirectory, state: StudyState, instance: Instance) -> dict[str, object]:
    """Return the paths, sizes and last lines of the scripts and of every attempt's output, as a JSON record."""
    plan, index = state.plan, instance.index
    folder = directory.workspace(instance)
    has_restart = bool(plan.step_of(instance).restart)
    last = state.last_attempt(index)
    attempts: list[dict[str, object]] = []
    for attempt in state.attempts.get(index, []):
        out, err = directory.stdout(instance), directory.stderr(instance)
        if attempt is not last:
            out, err = kept_output(out, attempt.number), kept_output(err, attempt.number)
        attempts.append({"number": attempt.number, "stdout": _output(out), "stderr": _output(err)})
    return {
        "study": plan.name,
        "directory": str(directory.root),
        "name": instance.name,
        "step": plan.step_of(instance).name,
        "status": state.status[index].value,
        "workspace": instance.workspace,
        "script": _file(folder / plan.script_name(instance)),
        "restart": _file(folder / plan.script_name(instance, restart=True)) if has_restart else None,
        "attempts": attempts,
    }


def _file(path: Path) -> dict[str, object]:
    with suppress(OSError):
        stat = path.stat()
        return {"path": str(path), "size": stat.st_size, "modified_at": stat.st_mtime}
    return {"path": str(path), "size": None, "modified_at": 0}


def _output(path: Path) -> dict[str, object]:
    return {**_file(path), "last_lines": read_last_lines(path, _LAST_LINES)}
