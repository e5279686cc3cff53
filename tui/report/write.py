"""`mtui report DIR`: collects the report and writes it atomically; --watch repeats that until the study ends."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from pathlib import Path

from ...core.backends.backend import JobIdentity
from ...core.backends.slurm_text import identity_of
from ...core.backends.usage import NoAccounting, Usage, ask_usage
from ...core.durable_files import replace_file
from ...core.engine.state import StudyState
from ...core.errors import EXIT_FINISHED, StudyDirectoryError, UsageError
from ...core.store.journal_follower import JournalFollower
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_file import StudyFile
from ...core.store.study_reader import read_last_output
from ..views.json_output import print_json
from ..views.study_opening import READ_ONLY, is_maestros, read_any_study
from ..views.text import log_line, print_text
from .attempt_table import table_of_attempts
from .content import Report, report_of
from .html_page import html_page
from .markdown import markdown
from .report_json import report_as_json

FORMATS = {"html": ".html", "md": ".md", "csv": ".csv"}
_LINES = 8
_EVERY = 5.0  # seconds between two writes, at least; more if collecting the report is slow
_REFRESH = 10  # seconds after which a browser reloads a page that is rewritten


def print_report(directory: StudyDirectory) -> int:
    """Print the report as JSON; return the exit code."""
    study, state = read_any_study(directory)
    print_json(report_as_json(_report(directory, study, state, _Usages())))
    return EXIT_FINISHED


def write_report(directory: StudyDirectory, form: str, out: str, *, watch: bool) -> int:
    """Write the report, with `watch` until the study ends; return the exit code. `out` is a path, or `-` for stdout.

    Raises UsageError, StudyDirectoryError.
    """
    ending = Path(out).suffix
    if not form and ending and ending not in (*FORMATS.values(), ".htm"):
        raise UsageError(f"a report cannot be {ending}", "name a file in .html, .md or .csv, or say which by --format")
    if form not in FORMATS:
        form = next((name for name, ending in FORMATS.items() if out.endswith(ending)), "html")
    if is_maestros(directory) and (not out or watch):
        raise UsageError(f"{READ_ONLY}: nothing is written into its directory", "give a path elsewhere: -o report.html")
    path = None if out == "-" else Path(out) if out else directory.root / f"report{FORMATS[form]}"
    if path is None and watch:
        raise UsageError("--watch rewrites a file, and cannot write to stdout", "give a path: -o report.html")
    if path and path.is_dir():
        raise UsageError(f"{path} is a directory", "give the path of a file with -o")
    usages = _Usages()
    study, state = read_any_study(directory)
    with contextlib.suppress(KeyboardInterrupt) if watch else contextlib.nullcontext():
        _write(path, _text(directory, study, state, usages, form, watch=watch))
        if path:
            print_text(f"Written: {path}")
        if path and watch:
            _rewrite_until_over(directory, path, form, usages, state)
    return EXIT_FINISHED


def _rewrite_until_over(directory: StudyDirectory, path: Path, form: str, usages: _Usages, state: StudyState) -> None:
    follower = JournalFollower.from_now(directory.journal)
    pause = threading.Event()
    while not state.result:
        began = time.monotonic()
        while not follower.new_events() and time.monotonic() - began < 6 * _EVERY:
            pause.wait(1.0)
        began = time.monotonic()
        study, state = read_any_study(directory)
        _write(path, _text(directory, study, state, usages, form, watch=True))
        pause.wait(0.0 if state.result else max(_EVERY, 10 * (time.monotonic() - began)))
    print_text(f"Study {state.result}.")


class _Usages:
    """Accounting data of ended jobs; a job is not queried again once accounting has its data."""

    def __init__(self) -> None:
        self.known: dict[JobIdentity, Usage] = {}
        self.problem = ""

    def of(self, study: StudyFile, state: StudyState) -> dict[JobIdentity, Usage]:
        jobs = {
            identity_of(study.study_id, attempt)
            for attempts in state.attempts.values()
            for attempt in attempts
            if attempt.backend == "slurm" and attempt.job and attempt.ended_at
        }
        new = jobs - self.known.keys()
        if new:
            try:
                self.known.update(ask_usage(new))
                self.problem = ""
            except NoAccounting as error:
                self.problem = str(error)
        return self.known


def _text(
    directory: StudyDirectory, study: StudyFile, state: StudyState, usages: _Usages, form: str, *, watch: bool
) -> str:
    if form == "csv":
        return table_of_attempts(study, state, usages.of(study, state))
    report = _report(directory, study, state, usages)
    if form == "md":
        return markdown(report)
    return html_page(report, refresh=_REFRESH if watch and not state.result else 0)


def _report(directory: StudyDirectory, study: StudyFile, state: StudyState, usages: _Usages) -> Report:
    def tail(index: int) -> tuple[str, list[str]]:
        log, said = read_last_output(directory, study.plan.instances[index], _LINES)
        return str(log), [log_line(line) for line in said]

    usage = usages.of(study, state)
    return report_of(study, state, str(directory.root), time.time(), tail, usage, usages.problem)


def _write(path: Path | None, text: str) -> None:
    data = text.encode("utf-8", "replace")
    if path is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        replace_file(path, data)
    except OSError as error:
        raise StudyDirectoryError(f"cannot write {path}: {error.strerror}") from None
