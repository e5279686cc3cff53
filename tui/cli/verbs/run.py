"""`mtui STUDY.yaml`, `mtui DIR` and `mtui submit`: start a study, resume it, or run its driver as a Slurm job."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ....core.errors import EXIT_FINISHED, BackendMissing, UsageError
from ...views.text import plural, safe
from ..arguments import has_terminal, open_target, plan_options, print_on_stderr, study_file
from ..maestro_flags import notes
from ..parser import refuse_plan_options
from ..question import agrees

if TYPE_CHECKING:  # imported where it is used: resuming needs no planning
    from ....core.spec.problems import Problem
    from ....core.store.study_directory import StudyDirectory
    from ....core.store.study_file import StudyFile
    from ....core.study_creation import PlannedStudy, PlanOptions


def run(arguments: argparse.Namespace) -> int:
    for note in notes(arguments):
        print_on_stderr(f"mtui: {note}")
    target = Path(arguments.target)
    if target.is_dir():
        return _go_on(target, arguments)
    return _start(study_file(arguments.target), arguments)


def _start(spec: Path, arguments: argparse.Namespace) -> int:
    if (arguments.dry and arguments.usetmp) or (arguments.autono and not arguments.dry):
        return (_scripts_elsewhere if arguments.dry else _only_check)(spec, plan_options(arguments))
    directory, study, warnings = _create(spec, arguments, dry=arguments.dry)
    if arguments.dry:
        from ....core.study_creation import write_all

        write_all(directory, study.plan)
        print(f"{plural(len(study.plan.instances), 'script')} written in {directory.root}; nothing was run")
        print(f"Start it with: mtui {directory.root}")
        return EXIT_FINISHED
    return _drive(directory, study, arguments, _first_warning(spec, warnings))


def _first_warning(spec: Path, warnings: Sequence[Problem]) -> str:
    """Return the notice about warnings that the app shows, because it hides printed output; empty without warnings."""
    if not warnings:
        return ""
    return f"{plural(len(warnings), 'warning')} (mtui plan {safe(str(spec))}): {safe(warnings[0].message)}"


def _create(
    spec: Path, arguments: argparse.Namespace, *, dry: bool = False
) -> tuple[StudyDirectory, StudyFile, Sequence[Problem]]:
    """Create a study; return it with the warnings about its file, which are printed on stderr."""
    from ....core.backends.batch import require_batch_system, within_abilities
    from ....core.store.recent_studies import remember_study
    from ....core.store.study_file import Settings
    from ....core.study_creation import create_study, default_local_jobs

    options = plan_options(arguments)
    planned = _planned(spec, options)
    if not dry:
        require_batch_system(planned.plan)
    if not dry and not _confirm_cost(planned, yes=arguments.autoyes):
        raise UsageError("not started", "-y starts it without confirmation; mtui plan shows what it requests")
    mtui = within_abilities(planned.plan, planned.study.mtui)
    settings = Settings(
        throttle=arguments.throttle or 0,
        local_jobs=arguments.local_jobs or default_local_jobs(),
        poll=float(arguments.sleep or Settings().poll),
        submit_ahead=mtui.submit_ahead and not arguments.no_submit_ahead,
        array=arguments.array or mtui.array,
        pack=mtui.pack,
        rlimit=Settings().rlimit if arguments.rlimit is None else arguments.rlimit,
        attempts=arguments.attempts or Settings().attempts,
        on_end=mtui.on_end,
        on_failure=mtui.on_failure,
        dry=dry,
    )
    inside = _allocation(arguments)
    directory, study = create_study(planned, options, settings)
    if not dry:
        remember_study(directory.root)
    return directory, replace(study, settings=replace(settings, inside=inside)), planned.warnings


def _allocation(arguments: argparse.Namespace, root: Path | None = None) -> str:
    """Return the ID of the job whose allocation the study at `root` uses, empty without --in-allocation.

    With it, raises UsageError outside a job, or if another study uses the allocation.
    """
    from ....core.store.allocation_lock import require_free_allocation

    if not getattr(arguments, "in_allocation", False):
        return ""
    job = os.environ.get("SLURM_JOB_ID", "")
    if not job:
        raise UsageError(
            "--in-allocation must be used inside an allocation", "run it under salloc or in a batch script"
        )
    require_free_allocation(job, root)
    return job


def _go_on(target: Path, arguments: argparse.Namespace) -> int:
    from ....core.store.recent_studies import remember_study
    from ....core.store.study_file import read_study_file
    from ...views.study_opening import is_maestros, open_any_study, read_any_study, require_ours

    directory = open_any_study(target)
    refuse_plan_options(arguments)
    if is_maestros(directory):
        if arguments.no_ui or arguments.json or arguments.quiet or not has_terminal():
            require_ours(directory, "drive")
        remember_study(directory.root)
        return _drive(directory, read_any_study(directory)[0], arguments)
    study = read_study_file(directory.study_file)
    if not _confirm_dry_run(directory, study, yes=arguments.autoyes):
        raise UsageError("not started", f"mtui status {safe(str(target))} shows it")
    remember_study(directory.root)
    settings = study.settings
    study = replace(
        study,
        settings=replace(
            settings,
            throttle=settings.throttle if arguments.throttle is None else arguments.throttle,
            local_jobs=arguments.local_jobs or settings.local_jobs,
            poll=float(arguments.sleep or settings.poll),
            submit_ahead=settings.submit_ahead and not arguments.no_submit_ahead,
            array=arguments.array or settings.array,
            rlimit=settings.rlimit if arguments.rlimit is None else arguments.rlimit,
            attempts=arguments.attempts or settings.attempts,
            inside=_allocation(arguments, directory.root),
        ),
    )
    return _drive(directory, study, arguments)


def _drive(directory: StudyDirectory, study: StudyFile, arguments: argparse.Namespace, notice: str = "") -> int:
    if not (arguments.no_ui or arguments.quiet or arguments.json) and has_terminal():
        from ...app.run import run_app

        return run_app(directory, study, notice)
    from .headless import headless

    return headless(directory, study, quiet=arguments.quiet, as_json=arguments.json)


def submit(arguments: argparse.Namespace) -> int:
    from ....core.backends.slurm_programs import require_slurm
    from ....core.store import inbox
    from ....core.store.study_directory import require_own, require_place
    from ....core.store.study_reader import read_study
    from ...views.status_view import drives
    from ...views.study_opening import require_ours
    from .submit import DriverRefused, submit_driver

    target = Path(arguments.target)
    directory = open_target(arguments) if target.is_dir() else None
    is_new = directory is None
    if directory:
        require_ours(directory, "drive")
    try:
        require_slurm()
    except BackendMissing as error:
        raise UsageError("'mtui submit' needs Slurm, which is not available here", error.hint) from None
    if directory:
        refuse_plan_options(arguments)
        study, state = read_study(directory)
        require_own(directory)
        require_place(directory, study.plan)
        if state.result and not inbox.pending_commands(directory.inbox):
            raise UsageError(
                f"the study has ended: {state.result}", f"rerun failed instances with: mtui retry {target}"
            )
        driver = drives(directory)
        if driver:
            raise UsageError(
                f"this study already has a driver: {driver}",
                f"stop it first: mtui stop {target}; running instances continue",
            )
    else:
        directory, study, _ = _create(study_file(arguments.target), arguments)
    try:
        job = submit_driver(directory, study, arguments.further)
    except DriverRefused:
        if is_new:  # this command created it a moment ago: a rejected option must not leave a directory behind
            shutil.rmtree(directory.root, ignore_errors=True)
        raise
    asked = " ".join(arguments.further) or "Slurm's default partition, QOS and time limit"
    print(f"{study.plan.name} has its driver in Slurm job {job} ({safe(asked)}).")
    print(f"Watch it with: mtui status {directory.root}")
    return EXIT_FINISHED


# --- without a start: -n, and --dry --usetmp


def _only_check(spec: Path, options: PlanOptions) -> int:
    """Run the checks of a start without creating anything; return the exit code."""
    from ....core.backends.batch import require_batch_system
    from ....core.store.study_dependencies import check_paths

    planned = _planned(spec, options)
    check_paths(planned.plan.dependencies)
    require_batch_system(planned.plan)
    print(
        f"{safe(planned.plan.name)}: {plural(len(planned.plan.instances), 'instance')}. "
        "Not started; nothing was created."
    )
    if Path(planned.plan.out).exists():
        print(f"{safe(planned.plan.out)} already exists: a start would need another directory.")
    return EXIT_FINISHED


def _scripts_elsewhere(spec: Path, options: PlanOptions) -> int:
    """Write all scripts into a temporary directory; return the exit code."""
    from ....core.store.study_directory import StudyDirectory
    from ....core.study_creation import write_all

    plan = _planned(spec, options).plan
    try:
        folder = Path(tempfile.mkdtemp(prefix="mtui-"))
    except OSError as error:
        raise UsageError(
            f"cannot create a temporary directory: {error.strerror}", "set TMPDIR to a directory with free space"
        ) from None
    write_all(StudyDirectory(folder), plan)
    print(f"{plural(len(plan.instances), 'script')} written in {folder}; nothing was run")
    return EXIT_FINISHED


def _planned(spec: Path, options: PlanOptions) -> PlannedStudy:
    """Plan a study file; print the warnings about it on stderr."""
    from ....core.study_creation import plan_study

    planned = plan_study(spec, options)
    for problem in planned.warnings:
        print_on_stderr(problem.text(planned.study.file))
    return planned


# --- confirmation before a start


def _confirm_cost(planned: PlannedStudy, *, yes: bool) -> bool:
    """Return whether to start, asking if the study may exceed the `confirm` limit of node-hours.

    Raises UsageError if the user must be asked and stdin is no terminal.
    """
    from ....core.plan.cost import cost_of

    cost = cost_of(planned.plan)
    if yes or not planned.confirm or cost.node_hours <= planned.confirm:
        return True
    words = f"{safe(planned.study.name)} may use up to {cost.node_hours:,.1f} node-hours"
    hint = "-y starts it without confirmation; mtui plan shows what it requests"
    return _start_it(words, f", more than {planned.confirm:,g} ('confirm')", hint)


def _confirm_dry_run(directory: StudyDirectory, study: StudyFile, *, yes: bool) -> bool:
    """Return whether to start a study that `--dry` created and that has not run. Raises UsageError as above."""
    if yes or not study.settings.dry or any(directory.journal.glob("*.jsonl")):
        return True
    words = f"{safe(study.plan.name)} was created by --dry, and nothing has run"
    return _start_it(words, "", "-y starts it; its scripts are in their workspaces")


def _start_it(words: str, more: str, hint: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"{words}{more}", hint)
    return agrees(f"{words}. Start it?")
