"""The command line: what each verb does, and the one place where expected errors become messages and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import __version__
from ..core.errors import EXIT_ERROR, EXIT_FINISHED, MtuiError, UsageError
from .as_json import tell
from .maestro_flags import before_the_verb, notes
from .parser import VERBS, make_parser, refuse_plan_options

if TYPE_CHECKING:  # imported where they are used: --help has to be quick
    from ..core.plan.model import Instance
    from ..core.start import PlanOptions
    from ..core.store.layout import StudyDirectory
    from ..core.store.study_file import StudyFile
    from ..core.study.state import StudyState


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks how the line may go on
        from .completion import complete

        complete()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        words = _with_verb(words)
        parser = make_parser()
        arguments, further = parser.parse_known_args(words)
        if further and words[0] != "submit":
            parser.error(f"unrecognized arguments: {' '.join(further)}")
        arguments.further = further
        return _HANDLERS[arguments.handler](arguments)
    except MtuiError as error:
        _tell(f"{error.speaker}{error}")
        return error.exit_code
    except BrokenPipeError:  # the reader of our output went away: `mtui status DIR | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FINISHED
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not _has_cwd():
            print(
                "mtui: the directory in which it was started is gone\n  hint: cd into one that exists", file=sys.stderr
            )
            return EXIT_ERROR
        return _bug(error, words)


def _tell(text: str) -> None:
    """Say something on stderr; it may quote a study file, so it must not drive the terminal."""
    from .text import safe_lines

    print(safe_lines(text), file=sys.stderr)


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
        from ..core.spec.problems import nearest

        raise UsageError(f"there is no verb and no file '{first}'", nearest(first, VERBS))
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
        _tell(f"mtui: {note}")
    target = Path(arguments.target)
    if target.is_dir():
        return _go_on(target, arguments)
    return _start(target, arguments)


def _start(spec: Path, arguments: argparse.Namespace) -> int:
    from .text import plural

    if (arguments.dry and arguments.usetmp) or (arguments.autono and not arguments.dry):
        from .no_start import only_check, scripts_elsewhere

        return (scripts_elsewhere if arguments.dry else only_check)(spec, _plan_options(arguments))
    directory, study, warnings = _create(spec, arguments, dry=arguments.dry)
    if arguments.dry:
        from ..core.start import write_all

        write_all(directory, study.plan)
        print(f"{plural(len(study.plan.instances), 'script')} written in {directory.root}; nothing was run")
        return EXIT_FINISHED
    notice = f"{plural(warnings, 'warning')} about {spec.name}: mtui plan {spec} shows them" if warnings else ""
    return _drive(directory, study, arguments, notice)


def _create(spec: Path, arguments: argparse.Namespace, *, dry: bool = False) -> tuple[StudyDirectory, StudyFile, int]:
    """A new study; how many warnings there were about its file, which are told on stderr."""
    from dataclasses import replace

    from ..core.backends.slurm import require_slurm
    from ..core.start import create_study, default_local_jobs, plan_study
    from ..core.store.known import remember
    from ..core.store.study_file import Settings
    from .confirm import confirm_cost

    options = _plan_options(arguments)
    planned = plan_study(spec, options)
    for problem in planned.warnings:
        _tell(problem.text(planned.study.file))
    if any(step.scheduled and step.instances and not step.skipped for step in planned.plan.steps) and not dry:
        require_slurm()
    if not dry and not confirm_cost(planned, yes=arguments.autoyes):
        raise UsageError("not started")
    settings = Settings(
        throttle=arguments.throttle or 0,
        local_jobs=arguments.local_jobs or default_local_jobs(),
        poll=float(arguments.sleep or Settings().poll),
        submit_ahead=planned.study.mtui.submit_ahead and not arguments.no_submit_ahead,
        array=arguments.array or planned.study.mtui.array,
        pack=planned.study.mtui.pack,
        rlimit=Settings().rlimit if arguments.rlimit is None else arguments.rlimit,
        attempts=arguments.attempts or Settings().attempts,
        on_end=planned.study.mtui.on_end,
        on_failure=planned.study.mtui.on_failure,
    )
    inside = _allocation(arguments)
    directory, study = create_study(planned, options, settings)
    remember(directory.root)
    return directory, replace(study, settings=replace(settings, inside=inside)), len(planned.warnings)


def _allocation(arguments: argparse.Namespace) -> str:
    """The job in whose allocation the study is to run, if it is to; raises UsageError if there is none."""
    if not getattr(arguments, "in_allocation", False):
        return ""
    job = os.environ.get("SLURM_JOB_ID", "")
    if not job:
        raise UsageError("--in-allocation is for use inside one", "get one first: salloc, or a batch script")
    return job


def _has_terminal() -> bool:
    """Whether there is a terminal to draw on: the app reads stdin and draws on stderr."""
    return sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _go_on(target: Path, arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from ..core.store.known import remember
    from ..core.store.layout import open_study
    from ..core.store.study_file import read_study_file

    directory = open_study(target)
    refuse_plan_options(arguments)
    study = read_study_file(directory.study_file)
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
    if not (arguments.no_ui or arguments.quiet or arguments.json) and _has_terminal():
        from .app import run_app

        return run_app(directory, study, notice)
    from .headless import headless

    return headless(directory, study, quiet=arguments.quiet, as_json=arguments.json)


def _studies(arguments: argparse.Namespace) -> int:
    from .studies_text import studies_json, studies_text

    if arguments.json:
        tell(studies_json())
        return EXIT_FINISHED
    if _has_terminal():
        from .app import run_app

        return run_app()
    print(studies_text())
    return EXIT_FINISHED


def _plan(arguments: argparse.Namespace) -> int:
    from ..core.start import plan_study

    planned = plan_study(Path(arguments.target), _plan_options(arguments))
    if arguments.json:
        from ..core.plan.dump import plan_as_json

        for problem in planned.warnings:
            _tell(problem.text(planned.study.file))
        tell(plan_as_json(planned.plan))
        return EXIT_FINISHED
    from .plan_view import plan_text
    from .text import Paint

    study = planned.study
    print(plan_text(planned.plan, study.file, planned.warnings, Paint(sys.stdout), study.mtui, planned.profile))
    return EXIT_FINISHED


def _plan_options(arguments: argparse.Namespace) -> PlanOptions:
    from ..core.plan.part import Part
    from ..core.start import PlanOptions

    return PlanOptions(
        out=arguments.out,
        pgen=arguments.pgen,
        pargs=arguments.pargs,
        python=arguments.python,
        hashws=arguments.hashws,
        local=arguments.local,
        part=Part(_names(arguments.only), _names(getattr(arguments, "from")), _names(arguments.until)),
        params=arguments.params,
        entries=arguments.entries,
    )


def _names(words: Sequence[str]) -> tuple[str, ...]:
    """The names in options that take several, by commas or by being repeated."""
    return tuple(name for word in words for name in word.split(",") if name)


def _status(arguments: argparse.Namespace) -> int:
    from ..core.store.reader import read_study
    from .status_view import status_json, status_text
    from .text import Paint

    directory = _open(arguments)
    study, state = read_study(directory)
    if arguments.json:
        tell(status_json(directory, state, study.given))
    else:
        print(status_text(directory, state, Paint(sys.stdout), study.given))
    return EXIT_FINISHED


def _open(arguments: argparse.Namespace) -> StudyDirectory:
    from ..core.store.layout import open_study

    target = Path(arguments.target)
    if not target.exists():
        raise UsageError(f"no such directory: {target}")
    return open_study(target)


def _instance(state: StudyState, name: str) -> Instance:
    from ..core.spec.problems import nearest

    names = {instance.name: instance for instance in state.plan.instances}
    if name not in names:
        raise UsageError(f"no instance is called '{name}'", nearest(name, names))
    return names[name]


def _why(arguments: argparse.Namespace) -> int:
    from ..core.store.reader import read_study
    from .text import Paint
    from .why import why_json, why_text

    directory = _open(arguments)
    study, state = read_study(directory)
    instance = _instance(state, arguments.instance)
    if arguments.json:
        tell(why_json(directory, study, state, instance.index))
        return EXIT_FINISHED
    print(why_text(directory, study, state, instance.index, Paint(sys.stdout)))
    return EXIT_FINISHED


def _log(arguments: argparse.Namespace) -> int:
    from ..core.store.reader import read_study
    from .log import log_json, show_log

    if arguments.json and arguments.follow:
        raise UsageError("--json tells how the logs stand now, so it cannot follow one", "leave -f out")
    directory = _open(arguments)
    _, state = read_study(directory)
    instance = _instance(state, arguments.instance)
    if arguments.json:
        tell(log_json(directory, state, instance))
        return EXIT_FINISHED
    path = directory.stderr(instance) if arguments.stderr else directory.stdout(instance)
    if arguments.script:
        path = directory.workspace(instance) / state.plan.script_name(instance)
    return show_log(directory, state, instance, path, follow=arguments.follow)


def _report(arguments: argparse.Namespace) -> int:
    from .report.write import write_report

    return write_report(_open(arguments), arguments.format, arguments.out, watch=arguments.watch)


def _order(arguments: argparse.Namespace) -> int:
    from ..core.study.commands import ALL, FAILED
    from .order import order

    whole = not arguments.targets
    targets = tuple(arguments.targets) or ((FAILED,) if arguments.verb == "retry" else (ALL,))
    ask = whole and arguments.verb == "cancel" and not arguments.yes
    options = _changes(arguments.changes)
    if arguments.restart:
        options["restart"] = "true"
    if arguments.because:
        options["reason"] = arguments.because
    return order(_open(arguments), arguments.verb, targets, options, yes=not ask, as_json=arguments.json)


def _changes(words: Sequence[str]) -> dict[str, str]:
    """What `--set KEY=VALUE` asks for. Raises UsageError."""
    changes: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--set {word} does not say to what", f"write --set {word}=VALUE")
        key = key.strip()
        changes["cores per task" if key in ("cores-per-task", "cores_per_task") else key] = value.strip()
    return changes


def _update(arguments: argparse.Namespace) -> int:
    from .order import order

    given = {"throttle": arguments.throttle, "local_jobs": arguments.local_jobs, "poll": arguments.sleep}
    given["rlimit"] = arguments.rlimit
    options = {key: value for key, value in given.items() if value is not None}
    if not options:
        raise UsageError(
            "update changes nothing without an option", "give --throttle N, --local-jobs N, --sleep SEC or --rlimit N"
        )
    return order(_open(arguments), "update", (), options, as_json=arguments.json)


def _extend(arguments: argparse.Namespace) -> int:
    from ..core.start import PlanOptions
    from .extend import extend

    options = PlanOptions(
        pgen=arguments.pgen,
        pargs=arguments.pargs,
        python=arguments.python,
        params=arguments.params,
        entries=arguments.entries,
    )
    return extend(_open(arguments), Path(arguments.spec) if arguments.spec else None, options)


def _detach(arguments: argparse.Namespace) -> int:
    from .order import order

    return order(_open(arguments), arguments.verb, (), {}, as_json=arguments.json)


def _submit(arguments: argparse.Namespace) -> int:
    from ..core.backends.slurm import require_slurm
    from ..core.store import inbox
    from ..core.store.reader import read_study
    from .status_view import drives
    from .submit import submit_driver

    require_slurm()
    target = Path(arguments.target)
    if target.is_dir():
        directory = _open(arguments)
        refuse_plan_options(arguments)
        study, state = read_study(directory)
        if state.result and not inbox.waiting(directory.inbox):
            raise UsageError(f"the study is over: {state.result}", f"to run failed ones again: mtui retry {target}")
        driver = drives(directory)
        if driver:
            raise UsageError(
                f"a driver holds this study: {driver}", f"let it go first: mtui detach {target}, or Ctrl-C"
            )
    else:
        directory, study, _ = _create(target, arguments)
    job = submit_driver(directory, study, arguments.further)
    print(f"{study.plan.name} is driven by Slurm job {job}.")
    print(f"Watch it with: mtui status {directory.root}")
    return EXIT_FINISHED


def _completion(arguments: argparse.Namespace) -> int:
    from .completion import shell_code

    print(shell_code(arguments.shell))
    return EXIT_FINISHED


_HANDLERS = {
    "run": _run,
    "plan": _plan,
    "status": _status,
    "why": _why,
    "log": _log,
    "report": _report,
    "order": _order,
    "update": _update,
    "extend": _extend,
    "detach": _detach,
    "submit": _submit,
    "studies": _studies,
    "completion": _completion,
}
