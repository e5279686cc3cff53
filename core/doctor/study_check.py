"""Checks the directory of a study, and lists what can be repaired without guessing.

A repair writes again what follows from the plan, the journal and the product, or removes what no longer has a use. What
was decided or ran is in the journal and the plan alone; these are never changed, except that a plan that is missing is
taken from its complete copy. Without a plan nothing else is repaired: it may be of a newer mtui, or no study any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..engine.state import StudyState
from ..engine.status import Status
from ..errors import TRY_DOCTOR, MtuiError, StudyDirectoryError
from ..plan.study_plan import Instance
from ..store.checkpoint import is_usable, load_state
from ..store.file_verification import (
    missing_folders,
    restore_layout,
    restore_scripts,
    torn_runners,
    torn_scripts,
)
from ..store.inbox import pending_commands
from ..store.journal import segment_ends
from ..store.lease_owner import torn_owners
from ..store.status_csv import is_complete, write_status
from ..store.study_directory import StudyDirectory
from ..store.study_file import DamagedPlan, StudyFile, read_study_file
from .finding import Finding, FindingGroup, note, problem

_LEFT = 3600.0  # seconds after which a temporary file is no longer being written
_PLAN_COPIES = (".study.json.tmp", "study.tmp")  # the second one is that of older versions
_NOT_BEGUN = (Status.UNCLEAR, Status.BOUND, Status.PENDING, Status.CONFIGURING, Status.REQUEUED)


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair: its description, and the call that carries it out (raises OSError)."""

    action: str
    carry_out: Callable[[], object]


@dataclass(frozen=True, slots=True)
class StudyCheck:
    """The findings about a study's directory, and the repairs, in the order in which to run them."""

    group: FindingGroup
    repairs: Sequence[Repair]


class _Check:
    """Collects findings and repairs."""

    def __init__(self, directory: StudyDirectory) -> None:
        self.directory = directory
        self.has_plan = True
        self.findings: list[Finding] = []
        self.repairs: list[Repair] = []

    def good(self, subject: str, found: str) -> None:
        self.findings.append(Finding(subject, found))

    def repairable(self, finding: Callable[[str, str, str], Finding], subject: str, found: str, repair: Repair) -> None:
        if not self.has_plan:
            self.findings.append(finding(subject, found, "it can be repaired only when the plan is readable"))
            return
        self.findings.append(finding(subject, found, f"repair: {repair.action}"))
        self.repairs.append(repair)


def is_study(path: Path) -> bool:
    """Whether a directory is a study's, complete or not."""
    return (path / ".mtui").is_dir()


def check_study(directory: StudyDirectory) -> StudyCheck:
    """Check the directory of a study; nothing is changed."""
    check = _Check(directory)
    study = _check_plan(check)
    check.has_plan = study is not None
    _check_layout(check)
    _check_owners(check)
    _check_segments(check)
    state = _check_journal(check, study) if study else None
    if study and state:
        _check_scripts(check, study, state)
        _check_status(check, state)
    _check_inbox(check)
    _check_leftovers(check)
    return StudyCheck(FindingGroup(f"Study {directory.root}", check.findings), check.repairs)


def _check_layout(check: _Check) -> None:
    directory = check.directory
    try:
        wrong = [*missing_folders(directory), *torn_runners(directory)]
    except OSError as error:
        check.findings.append(problem("layout", f"{error.filename}: {error.strerror}", "only the owner can check it"))
        return
    if not wrong:
        check.good("layout", "all folders are there; job.sh and fallback.sh are complete")
        return
    names = ", ".join(str(path.relative_to(directory.root)) for path in wrong)
    repair = Repair(f"create {names}", partial(restore_layout, directory))
    check.repairable(problem, "layout", f"missing or incomplete: {names}", repair)


def _check_plan(check: _Check) -> StudyFile | None:
    """Read the plan, or its copy if only that is complete."""
    path = check.directory.study_file
    try:
        study = read_study_file(path)
    except DamagedPlan as error:
        return _check_copies(check, error)
    except StudyDirectoryError as error:
        check.findings.append(problem("plan", error.message, _unless_doctor(error)))
        return None
    check.good("plan", f"{len(study.plan.instances):,} instances")
    _check_extension(check, study)
    return study


def _check_copies(check: _Check, damage: DamagedPlan) -> StudyFile | None:
    """Take a complete copy for the plan. One that cannot be read now, or is of a newer mtui, may be complete too."""
    path = check.directory.study_file
    then = _without_plan(check.directory)
    for copy in map(path.with_name, _PLAN_COPIES):
        try:
            study = read_study_file(copy)
        except DamagedPlan:
            continue
        except StudyDirectoryError as error:
            then = f"{error.message}: {_unless_doctor(error)}"
            continue
        repair = Repair(f"move .mtui/{copy.name} to .mtui/study.json", partial(copy.replace, path))
        check.repairable(problem, "plan", f"{damage.message}; {copy.name} is complete", repair)
        return study
    check.findings.append(problem("plan", damage.message, then))
    return None


def _unless_doctor(error: StudyDirectoryError) -> str:
    """The hint of an error, unless it points to this check."""
    return "check it again when it is readable" if error.hint == TRY_DOCTOR else error.hint


def _check_extension(check: _Check, study: StudyFile) -> None:
    """Find the claim of an extension that did not write its plan. Whether its process still lives cannot be known."""
    claim = check.directory.home / f"extended-{max(1, len(study.plan.sizes)) + 1}"
    if claim.exists():
        then = f"if no 'mtui extend' is running, remove {claim}; until then no rows can be added"
        check.findings.append(
            note("extension", "'mtui extend' is adding rows, or ended before the plan was written", then)
        )


def _without_plan(directory: StudyDirectory) -> str:
    begun = any(path.stat().st_size for path in directory.journal.glob("*.jsonl"))
    if begun:
        return "restore .mtui/study.json from a backup; or start a new study of study.yaml, in another directory"
    return "no instance has run: remove the directory, and start the study again"


def _check_owners(check: _Check) -> None:
    try:
        torn = torn_owners(check.directory.owner)
    except OSError as error:
        check.findings.append(problem("owners", f"{error.filename}: {error.strerror}", "only the owner can check it"))
        return
    if torn:
        names = ", ".join(path.name for path in torn)
        then = "it is ignored: the next driver uses the next number"
        check.findings.append(note("owners", f"empty or incomplete, from a driver that did not start: {names}", then))
    else:
        check.good("owners", "all owner files are complete")


def _check_segments(check: _Check) -> None:
    torn = [name for name, complete in segment_ends(check.directory.journal) if not complete]
    if torn:
        then = "an event that a driver was writing when it ended is ignored; its action was not carried out"
        check.findings.append(note("journal", f"the last line is incomplete: {', '.join(torn)}", then))


def _check_journal(check: _Check, study: StudyFile) -> StudyState | None:
    directory = check.directory
    usable = is_usable(directory, study)
    try:
        state, _ = load_state(directory, study)
    except MtuiError as error:
        check.findings.append(problem("journal", error.message, error.hint))
        return None
    attempts = sum(map(len, state.attempts.values()))
    check.good("journal", f"readable; {attempts:,} attempts, {state.outcome if state.is_over else 'not ended'}")
    if directory.checkpoint.exists() and not usable:
        repair = Repair("remove .mtui/checkpoint.jsonl", partial(directory.checkpoint.unlink, missing_ok=True))
        check.repairable(note, "checkpoint", "it does not match the journal and is not used", repair)
    return state


def _check_scripts(check: _Check, study: StudyFile, state: StudyState) -> None:
    directory, plan = check.directory, study.plan
    torn: list[tuple[Instance, dict[str, str]]] = []
    for index in (*state.live_slurm, *state.live_packed):
        if state.status[index] in _NOT_BEGUN:
            instance, changes = plan.instances[index], dict(state.attempts[index][-1].changes)
            with suppress(OSError):
                if torn_scripts(directory, plan, instance, changes):
                    torn.append((instance, changes))
    if not torn:
        check.good("scripts", "all scripts of submitted instances are complete")
        return
    names = ", ".join(instance.name for instance, _ in torn[:3]) + (f", {len(torn) - 3:,} more" if torn[3:] else "")

    def restore() -> None:
        for instance, changes in torn:
            restore_scripts(directory, plan, instance, changes)

    repair = Repair(f"rewrite the scripts of {names}", restore)
    check.repairable(problem, "scripts", f"submitted, and missing or incomplete: {names}", repair)


def _check_status(check: _Check, state: StudyState) -> None:
    path = check.directory.status_csv
    if is_complete(path, state):
        check.good("status.csv", "complete")
        return
    repair = Repair("rewrite status.csv", lambda: write_status(path, state, time.time()))
    check.repairable(note, "status.csv", "missing or incomplete", repair)


def _check_inbox(check: _Check) -> None:
    waiting = pending_commands(check.directory.inbox)
    if waiting:
        then = "the next driver executes them: mtui DIR"
        check.findings.append(note("inbox", f"{len(waiting)} commands wait for a driver", then))


def _check_leftovers(check: _Check) -> None:
    directory, now = check.directory, time.time()
    folders = (directory.root, directory.home, directory.owner, directory.claims.folder, directory.inbox / "tmp")
    left: list[Path] = []
    for folder in folders:
        with suppress(OSError):
            left += [
                path
                for path in folder.iterdir()
                if (path.name.endswith(".tmp") or folder.name == "tmp")
                and path.is_file()
                and path.name not in _PLAN_COPIES
                and now - path.stat().st_mtime > _LEFT
            ]
    if left:
        names = ", ".join(str(path.relative_to(directory.root)) for path in left[:3])
        more = f" and {len(left) - 3:,} more" if left[3:] else ""

        def remove() -> None:
            for path in left:
                path.unlink(missing_ok=True)

        repair = Repair(f"remove {names}{more}", remove)
        check.repairable(note, "leftovers", f"temporary files left by processes that ended: {names}{more}", repair)
