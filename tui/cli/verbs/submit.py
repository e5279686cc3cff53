"""`mtui submit`: runs the headless driver of a study as a Slurm job."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ....core.backends.backend import Accepted, Refused
from ....core.backends.command_log import CommandLog, answer_of
from ....core.backends.program_run import run_program
from ....core.backends.slurm_environment import header_options, submission_environment
from ....core.backends.slurm_programs import require_slurm
from ....core.backends.submit_answer import sbatch_answer
from ....core.directive_text import directive_word, shortened
from ....core.durable_files import write_durably
from ....core.errors import EXIT_USAGE, DriverError, StudyDirectoryError
from ....core.file_reading import read_text
from ....core.isolated import isolated_command
from ....core.shell_environment import FIND_DROPPED
from ....core.spec.sbatch_objections import refused
from ....core.spec.sbatch_options import SbatchOption, parse_options
from ....core.store.study_directory import StudyDirectory
from ....core.store.study_file import StudyFile
from ...views.text import safe

_LONGEST_NAME = 200  # bytes; Slurm accepts more, but its lists become unreadable
LEAD = 120  # seconds before the walltime ends at which the driver gets SIGUSR2, to submit its successor


class DriverRefused(DriverError):
    """sbatch rejected the driver's job, and will always do so with these options."""

    exit_code = EXIT_USAGE


def submit_driver(directory: StudyDirectory, study: StudyFile, options: Sequence[str]) -> str:
    """Write the job script of the driver, submit it with sbatch, and return the job ID.

    `options` are additional sbatch options as words (--qos, --time, ...); the account is the study's bank unless they
    name one. Raises BackendMissing, StudyDirectoryError, DriverRefused, or DriverError with the message of sbatch.
    """
    require_slurm()
    script = directory.home / "driver.sh"
    bank = study.plan.batch.text("bank")
    given = _parsed(options)
    account = [f"--account={bank}"] if bank and all(option.name != "account" for option in given) else []
    name = shortened(f"mtui:{study.plan.name}".replace("\n", " "), _LONGEST_NAME)
    command = isolated_command("mtui.tui", "--no-ui", "-y", str(directory.root))
    lines = [
        "#!/bin/sh",
        "# Runs the driver of this study as a Slurm job; the driver submits this script again",
        "# before the walltime ends.",
        f"#SBATCH --job-name={directive_word(name)}",
        "#SBATCH --ntasks=1",
        "#SBATCH --open-mode=append",
        f"#SBATCH --signal=B:USR2@{LEAD}",
        *(f"#SBATCH {option}" for option in account),
        *map(_line, given),
        FIND_DROPPED,
        'eval "set -- ${mtui_dropped:+env $mtui_dropped}"',
        f'exec "$@" {shlex.join(command)}',
        "",
    ]
    try:
        write_durably(script, "\n".join(lines).encode("utf-8"))
    except OSError as error:
        raise StudyDirectoryError(f"cannot write {script}: {error.strerror}") from None
    return _sbatch(directory, script, [])


def _parsed(words: Sequence[str]) -> list[SbatchOption]:
    """Parse the words of the command line. Raises DriverRefused for options with which no driver can be tracked."""
    options = parse_options([" ".join(map(directive_word, words))])
    for option in options:
        if refused([option]) or option.name in ("wait", "clusters"):
            message = f"mtui submit cannot use '{option.text}': a driver is one job of this user on this cluster"
            raise DriverRefused(message, "omit it; the other options are passed to sbatch unchanged")
    return options


def _line(option: SbatchOption) -> str:
    """Return the `#SBATCH` line of an option."""
    first, *rest = option.words
    words = [f"{first}={rest[0]}"] if rest and first.startswith("--") else option.words
    return f"#SBATCH {' '.join(map(directive_word, words))}"


def submit_next(directory: StudyDirectory) -> str:
    """Submit the driver's job again, to start after the current one; return the job ID.

    Called inside the driver's job. Raises DriverError if sbatch rejects it.
    """
    return _sbatch(
        directory, directory.home / "driver.sh", [f"--dependency=afterany:{os.environ.get('SLURM_JOB_ID', '')}"]
    )


def _sbatch(directory: StudyDirectory, script: Path, options: Sequence[str]) -> str:
    log = str(directory.driver_log).replace("%", "%%")
    command = ["sbatch", "--parsable", f"--chdir={directory.root}", f"--output={log}", *options, str(script)]
    calls = CommandLog(directory.slurm_log)
    try:
        command[2:2] = header_options(read_text(script), os.environ)
        done = run_program(command, submission_environment(os.environ), 180)
    except (OSError, subprocess.TimeoutExpired) as error:
        calls.note(command, str(error))
        raise DriverError(f"sbatch: {error}") from None
    calls.note(command, answer_of("sbatch", done.returncode, done.stdout, done.stderr))
    answer = sbatch_answer(done.returncode, done.stdout, done.stderr, bound=False)
    if isinstance(answer, Accepted):
        return answer.job
    words = f"Slurm rejected the driver's job: {safe(answer.message)}"
    if isinstance(answer, Refused):
        raise DriverRefused(
            words, "correct the options after the study (-p means --pgen here; use --partition for a partition)"
        )
    again = f"mtui submit {shlex.quote(str(directory.root))}"
    raise DriverError(words, f"the study was created: run '{again}' later, or 'mtui --no-ui' on its directory")
