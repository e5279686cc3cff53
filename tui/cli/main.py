"""The command line: what each verb does, and the one place where expected errors become messages and exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtui import __version__

from ...core.errors import EXIT_ERROR, EXIT_FINISHED, EXIT_USAGE, BackendMissing, MtuiError, UsageError
from .arguments import has_terminal, open_target, plan_options, say_on_stderr, study_file
from .maestro_flags import before_the_verb, notes
from .parser import VERBS, make_parser, refuse_plan_options

if TYPE_CHECKING:  # imported where they are used: --help has to be quick
    from ...core.spec.problems import Problem
    from ...core.store.layout import StudyDirectory
    from ...core.store.study_file import StudyFile


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks how the line may go on
        from .verbs.completion import complete

        complete()
    words = list(sys.argv[1:] if argv is None else argv)
    _say_what_can_be_said()
    try:
        words = _with_verb(words)
        parser = make_parser()
        arguments, further = parser.parse_known_args(words)
        if further and words[0] != "submit":
            parser.error(f"unrecognized arguments: {' '.join(further)}")
        arguments.further = further
        return _carry_out(arguments)
    except MtuiError as error:
        say_on_stderr(f"{error.speaker}{error}")
        return error.exit_code
    except BrokenPipeError:  # the reader of our output went away: `mtui status DIR | head`
        _drop_output()
        return EXIT_FINISHED
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not _has_cwd():
            print(
                "mtui: the directory in which it was started is gone\n  hint: cd into one that exists", file=sys.stderr
            )
            return EXIT_ERROR
        if isinstance(error, PermissionError) and error.filename:
            say_on_stderr(f"mtui: {error.strerror}: {error.filename}\n  hint: it is another's, or was made unreadable")
            return EXIT_USAGE
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            _drop_output()
            say_on_stderr(f"mtui: {error.filename or 'its output'} cannot be written: {error.strerror}")
            return EXIT_ERROR
        return _bug(error, words)


def _say_what_can_be_said() -> None:
    """Say what can be said where a character has no place in the locale, and nothing where no stream is."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _drop_output() -> None:
    """What was not yet written goes nowhere: Python would complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _with_verb(words: list[str]) -> list[str]:
    """The words with the verb, which may be left out, first. Raises UsageError for a first word that can be nothing."""
    count = before_the_verb(words)
    before, words = words[:count], words[count:]
    if not words:
        return ["studies"]
    first = words[0]
    if first == "run":
        return ["run", *before, *words[1:]]
    if first in (*VERBS, "-h", "--help", "-v", "--version"):
        return words
    if not first.startswith("-") and "/" not in first and "." not in first and not Path(first).exists():
        from ...core.spec.problems import nearest

        hint = nearest(first, VERBS) or "mtui --help names the verbs"
        raise UsageError(f"there is no verb and no file '{first}'", hint)
    return ["run", *before, *words]


def _has_cwd() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _bug(error: Exception, words: Sequence[str]) -> int:
    """Something that should not happen: what is needed to mend it goes into a file, and the user is told where."""
    import platform
    import tempfile
    import traceback

    told = [f"mtui {__version__}, Python {platform.python_version()}, {platform.platform()}", f"mtui {' '.join(words)}"]
    with tempfile.NamedTemporaryFile("w", prefix="mtui-report-", suffix=".txt", delete=False) as report:
        report.write("\n".join([*told, "", *traceback.format_exception(error)]))
    print(f"mtui: a bug in mtui: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"  hint: please send {report.name} with your report", file=sys.stderr)
    return EXIT_ERROR


def _run(arguments: argparse.Namespace) -> int:
    for note in notes(arguments):
        say_on_stderr(f"mtui: {note}")
    target = Path(arguments.target)
    if target.is_dir():
        return _go_on(target, arguments)
    return _start(study_file(arguments.target), arguments)


def _start(spec: Path, arguments: argparse.Namespace) -> int:
    from ..views.text import plural

    if (arguments.dry and arguments.usetmp) or (arguments.autono and not arguments.dry):
        from .verbs.no_start import only_check, scripts_elsewhere

        return (scripts_elsewhere if arguments.dry else only_check)(spec, plan_options(arguments))
    directory, study, warnings = _create(spec, arguments, dry=arguments.dry)
    if arguments.dry:
        from ...core.start import write_all

        write_all(directory, study.plan)
        print(f"{plural(len(study.plan.instances), 'script')} written in {directory.root}; nothing was run")
        print(f"It is started by: mtui {directory.root}")
        return EXIT_FINISHED
    return _drive(directory, study, arguments, _first_warning(spec, warnings))


def _first_warning(spec: Path, warnings: Sequence[Problem]) -> str:
    """What the app shows of the warnings at a start, for it hides what was printed; empty if there are none."""
    from ..views.text import plural, safe

    if not warnings:
        return ""
    return f"{plural(len(warnings), 'warning')} (mtui plan {safe(str(spec))}): {safe(warnings[0].message)}"


def _create(
    spec: Path, arguments: argparse.Namespace, *, dry: bool = False
) -> tuple[StudyDirectory, StudyFile, Sequence[Problem]]:
    """A new study; the warnings about its file, which are told on stderr."""
    from dataclasses import replace

    from ...core.backends.batch import require_batch_system, within_abilities
    from ...core.start import create_study, default_local_jobs, plan_study
    from ...core.store.known import remember
    from ...core.store.study_file import Settings
    from .verbs.confirm import confirm_cost

    options = plan_options(arguments)
    planned = plan_study(spec, options)
    for problem in planned.warnings:
        say_on_stderr(problem.text(planned.study.file))
    if not dry:
        require_batch_system(planned.plan)
    if not dry and not confirm_cost(planned, yes=arguments.autoyes):
        raise UsageError("not started", "-y starts it without the question; mtui plan shows what it asks for")
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
        remember(directory.root)
    return directory, replace(study, settings=replace(settings, inside=inside)), planned.warnings


def _allocation(arguments: argparse.Namespace) -> str:
    """The job in whose allocation the study is to run, if it is to; raises UsageError if there is none."""
    if not getattr(arguments, "in_allocation", False):
        return ""
    job = os.environ.get("SLURM_JOB_ID", "")
    if not job:
        raise UsageError("--in-allocation is for use inside one", "get one first: salloc, or a batch script")
    return job


def _go_on(target: Path, arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from ...core.store.known import remember
    from ...core.store.study_file import read_study_file
    from ..views.opening import is_maestros, open_any, read_any, require_ours
    from ..views.text import safe
    from .verbs.confirm import confirm_dry_run

    directory = open_any(target)
    refuse_plan_options(arguments)
    if is_maestros(directory):
        if arguments.no_ui or arguments.json or arguments.quiet or not has_terminal():
            require_ours(directory, "drive")
        remember(directory.root)
        return _drive(directory, read_any(directory)[0], arguments)
    study = read_study_file(directory.study_file)
    if not confirm_dry_run(directory, study, yes=arguments.autoyes):
        raise UsageError("not started", f"mtui status {safe(str(target))} shows it")
    remember(directory.root)
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
            inside=_allocation(arguments),
        ),
    )
    return _drive(directory, study, arguments)


def _drive(directory: StudyDirectory, study: StudyFile, arguments: argparse.Namespace, notice: str = "") -> int:
    if not (arguments.no_ui or arguments.quiet or arguments.json) and has_terminal():
        from ..app.run import run_app

        return run_app(directory, study, notice)
    from .verbs.headless import headless

    return headless(directory, study, quiet=arguments.quiet, as_json=arguments.json)


def _submit(arguments: argparse.Namespace) -> int:
    from ...core.backends.slurm import require_slurm
    from ...core.store import inbox
    from ...core.store.layout import require_own, require_place
    from ...core.store.reader import read_study
    from ..views.opening import require_ours
    from ..views.status_view import drives
    from ..views.text import safe
    from .verbs.submit import DriverRefused, submit_driver

    target = Path(arguments.target)
    directory = open_target(arguments) if target.is_dir() else None
    is_new = directory is None
    if directory:
        require_ours(directory, "drive")
    try:
        require_slurm()
    except BackendMissing as error:
        raise UsageError("mtui submit hands a driver to Slurm, which cannot be done here", error.hint) from None
    if directory:
        refuse_plan_options(arguments)
        study, state = read_study(directory)
        require_own(directory)
        require_place(directory, study.plan)
        if state.result and not inbox.waiting(directory.inbox):
            raise UsageError(f"the study is over: {state.result}", f"to run failed ones again: mtui retry {target}")
        driver = drives(directory)
        if driver:
            raise UsageError(
                f"a driver holds this study: {driver}", f"let it go first: mtui stop {target}; what runs goes on"
            )
    else:
        directory, study, _ = _create(study_file(arguments.target), arguments)
    try:
        job = submit_driver(directory, study, arguments.further)
    except DriverRefused:
        if is_new:  # made a moment ago by this very command: a mistake in it leaves nothing behind
            shutil.rmtree(directory.root, ignore_errors=True)
        raise
    asked = " ".join(arguments.further) or "partition, QOS and time as Slurm has them by default"
    print(f"{study.plan.name} is driven by Slurm job {job} ({safe(asked)}).")
    print(f"Watch it with: mtui status {directory.root}")
    return EXIT_FINISHED


# The verbs by the module that carries them out; those that start or drive a study stand here.
_ELSEWHERE = {
    **dict.fromkeys(("plan", "status", "why", "log", "report", "studies", "completion"), "reading"),
    "init": "init",
    "doctor": "doctor",
    **dict.fromkeys(("order", "update", "extend", "detach"), "ordering"),
}
_HERE = {"run": _run, "submit": _submit}


def _carry_out(arguments: argparse.Namespace) -> int:
    handler: str = arguments.handler
    if handler in _HERE:
        return _HERE[handler](arguments)
    module = importlib.import_module(f".verbs.{_ELSEWHERE[handler]}", __package__)
    return getattr(module, handler)(arguments)
