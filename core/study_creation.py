"""Creates a study: from a spec file and the user's options to a plan, and from the plan to a study directory."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from .errors import TRY_DOCTOR, DirectoryTaken, StudyDirectoryError, UsageError
from .plan.expand import make_plan
from .plan.parameter_table import ParameterTable
from .plan.pgen import parse_pargs, run_pgen
from .plan.step_selection import StepSelection, select_steps
from .plan.study_plan import Plan
from .sites.advice import advice
from .sites.profile import Profile
from .sites.profile_search import find_profile
from .spec import Problem, Problems, SpecError, StudySpec
from .spec.command_line_values import command_line_words, read_command_line_values
from .spec.cross_checks import study_environment
from .spec.study_parser import load_study
from .store import study_dependencies
from .store.study_directory import StudyDirectory, create_directory, new_directory_name
from .store.study_file import Settings, StudyFile, write_study_file

# Source: man sbatch, "filename pattern". Slurm replaces these anywhere in the path of an output file.
_REPLACED = re.compile(r"\\|%%|%\d*[AJNabjnstux]")


def default_local_jobs() -> int:
    """Return the default number of concurrent local steps: at most 4, since this may be a shared login node."""
    return max(1, min(4, len(os.sched_getaffinity(0))))


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The user's options for planning a study."""

    out: str = ""
    pgen: str = ""
    pargs: Sequence[str] = ()
    python: str = sys.executable
    hashws: bool = False
    local: bool = False
    part: StepSelection = field(default_factory=StepSelection)
    params: Sequence[str] = ()  # NAME=VALUES, overrides parameters of the file
    entries: Sequence[str] = ()  # NAME=VALUE, overrides entries of `env`


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """A study file with its plan and its warnings."""

    study: StudySpec
    plan: Plan
    warnings: list[Problem] = field(default_factory=list[Problem])
    profile: Profile | None = None  # of the site

    @property
    def confirm(self) -> float:
        """The node-hours above which a start needs confirmation; 0: never."""
        return self.study.mtui.confirm or (self.profile.confirm if self.profile else 0.0)


def plan_study(spec: Path, options: PlanOptions) -> PlannedStudy:
    """Read and plan a spec file; write nothing.

    Raises SpecError with every problem of the file, PgenError or UsageError if a generator fails, and UsageError for a
    wrong option.
    """
    study, problems = load_study(
        spec, read_command_line_values(options.params, options.entries, generator=bool(options.pgen))
    )
    cwd = str(Path.cwd())
    spec_root = os.path.abspath(spec.parent)  # noqa: PTH100
    if options.out:
        out = os.path.normpath(os.path.join(cwd, os.path.expanduser(options.out)))  # noqa: PTH111, PTH118
    else:
        out = _free_name(study, cwd, spec_root, problems)
    table = _parameters(study, options, out, spec_root)
    plan = make_plan(
        study,
        out=out,
        spec_root=spec_root,
        cwd=cwd,
        problems=problems,
        parameters=table,
        hashws=options.hashws,
        local=options.local,
    )
    plan = select_steps(plan, options.part)
    _check_path(plan)
    profile = _profile(study, plan, spec)
    if profile:
        problems.found += advice(plan, profile, {step.name: step.place for step in study.steps})
    return PlannedStudy(study, plan, problems.warnings, profile)


def _check_path(plan: Plan) -> None:
    """Raise UsageError if Slurm would replace part of the study directory's path in output file names."""
    found = _REPLACED.search(plan.out) if plan.uses_slurm else None
    if found:
        raise UsageError(
            f"Slurm replaces '{found.group()}' in the names of output files, and the study would be in {plan.out}",
            "choose a directory without it: -o DIR",
        )


def _profile(study: StudySpec, plan: Plan, spec: Path) -> Profile | None:
    """Return the profile of the site where the study will run; None if it does not use Slurm and names no site."""
    if not plan.uses_slurm and not study.mtui.site:
        return None
    try:
        return find_profile(study.mtui.site, spec.absolute().parent, os.environ)
    except UsageError as error:
        if not study.mtui.site:
            raise
        problem = Problem(study.mtui.site_place, f"mtui: site: {error.message}", error.hint)
        raise SpecError(study.file, [problem]) from None


def _free_name(study: StudySpec, cwd: str, spec_root: str, problems: Problems) -> str:
    """Return the directory named after the current second, or after the next second whose name is free."""
    parent = os.path.expandvars(study_environment(study).apply(study.output_path).replace("$(SPECROOT)", spec_root))
    if "$" in parent:
        place = next(entry.place for entry in study.environment if entry.name == "OUTPUT_PATH")
        hint = "it can use env entries, $(SPECROOT) and shell variables; -o DIR overrides it"
        problems.error(place, f"env: OUTPUT_PATH: nothing replaces the '$' in '{parent}'", hint)
    second = time.time()
    while True:
        out = new_directory_name(study.name, parent, cwd, time.localtime(second))
        if not os.path.lexists(out):
            return out
        second += 1


def _parameters(study: StudySpec, options: PlanOptions, out: str, spec_root: str) -> ParameterTable | None:
    if not options.pgen:
        if options.pargs:
            raise UsageError("--pargs is given without --pgen", "name the generator file: --pgen FILE")
        return None
    return run_pgen(
        Path(options.pgen),
        parse_pargs(options.pargs),
        env=study.environment,
        output_path=out,
        spec_root=spec_root,
        python=options.python,
    )


def create_study(planned: PlannedStudy, options: PlanOptions, settings: Settings) -> tuple[StudyDirectory, StudyFile]:
    """Create the directory of a planned study, with everything that a driver needs.

    Raises StudyDirectoryError or DependencyError; files created before the error are removed.
    """
    given = command_line_words(options.params, options.entries)
    with ExitStack() as undo:
        directory, plan = _new_directory(planned, options, undo)
        study = StudyFile(secrets.token_hex(4), time.time(), planned.study.file, settings, plan, given)
        with study_dependencies.clone_repositories(plan.dependencies):
            write_study_file(directory.study_file, study)
        undo.pop_all()
    return directory, study


def _new_directory(planned: PlannedStudy, options: PlanOptions, undo: ExitStack) -> tuple[StudyDirectory, Plan]:
    """Create the directory of a plan. Return both; the study is planned again if another start took the directory."""
    copies = [Path(options.pgen)] if options.pgen else []
    while True:
        study_dependencies.check_paths(planned.plan.dependencies)
        try:
            return create_directory(Path(planned.plan.out), planned.study.text, copies, undo), planned.plan
        except DirectoryTaken:
            if options.out:
                raise
            planned = plan_study(Path(planned.study.file), options)


def write_all(directory: StudyDirectory, plan: Plan) -> None:
    """Write every workspace and script of a plan, as `--dry` does. Raises StudyDirectoryError."""
    from .store.study_directory import prepare_attempt

    try:
        for instance in plan.instances:
            prepare_attempt(directory, plan, instance, 1)
    except OSError as error:
        raise StudyDirectoryError(f"cannot write {error.filename}: {error.strerror}", TRY_DOCTOR) from None
