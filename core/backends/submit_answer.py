"""Parses the answer of sbatch to a submission. submit_errors.py has the table of errors. Runs no programs."""

from __future__ import annotations

import re

from .backend import Accepted, Answer, Deferred, Refused, Unclear
from .submit_errors import ErrorClass, SubmitError, submit_error, was_not_sent

_LONGEST = 1000  # characters of a message: a site's own words may fill pages
# Exit codes of a wrapper whose sbatch was killed, by a signal or by timeout(1): the job may have been accepted.
_KILLED = (124, *range(129, 193))
_NOT_STARTED = (126, 127)  # exit codes of a shell whose sbatch is missing, or lacks a library

_PREFIX = re.compile(r"(?:\[[^]]*\]\s*)?sbatch: (?:error: |fatal: )?")
_FAILED = re.compile(r"(?:\[[^]]*\]\s*)?(?:sbatch: )?(?:error: )?Batch job submission failed: (.+)")
_PARSABLE = re.compile(r"([0-9]+)(?:;(\S*))?")
_FOR_PEOPLE = re.compile(r"Submitted batch job ([0-9]+)(?: on cluster (\S+))?")  # by a wrapper without --parsable


def sbatch_answer(code: int, stdout: str, stderr: str, *, bound: bool = True) -> Answer:
    """Convert sbatch's exit code and output to the answer to a submission.

    `bound`: whether mtui made the job depend on other jobs. Lines that a site prints around those of sbatch do not
    matter, on either stream.
    """
    text, message = _failure(stderr), sbatch_message(stderr)
    if (accepted := job_id(stdout)) and (code == 0 or not text):  # with --wait the exit code is that of the job
        return accepted
    if code < 0:
        return Unclear(message or f"sbatch exited with code {code}")  # killed: it may have been accepted
    if error := submit_error(text, _own_lines(stderr)):  # a wrapper may hide the exit code
        return _answer_of_error(error, message, bound=bound)
    if code == 0:
        return Unclear(f"sbatch answered {stdout.strip()[:80]!r}")
    if was_not_sent(_own_lines(stderr)):
        return Deferred(message)
    if code in _KILLED:
        return Unclear(message or f"sbatch ended with code {code}")
    if code in _NOT_STARTED and not _own_lines(stderr):
        return Deferred(message or f"sbatch exited with code {code}", unknown=True)
    return Refused(message) if message else Unclear(f"sbatch exited with code {code}")


def sbatch_message(stderr: str) -> str:
    """Return sbatch's error messages without prefixes, on one line; of a refusal by Slurm without a site's banner."""
    text = _failure(stderr)
    lines = [*_own_lines(stderr), text] if text else [_PREFIX.sub("", line, count=1) for line in stderr.splitlines()]
    message = "; ".join(line.strip() for line in lines if line.strip())
    return message if len(message) <= _LONGEST else f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"


def error_lines(stderr: str) -> list[str]:
    """Return the lines of sbatch as they are, without a site's banner, if the submission failed in Slurm."""
    return [line.strip() for line in stderr.splitlines() if _PREFIX.match(line)] if _failure(stderr) else []


def job_id(stdout: str) -> Accepted | None:
    """Return the job that sbatch's output names; None if it names none, or several."""
    matches = [
        match
        for line in stdout.splitlines()
        if (match := _PARSABLE.fullmatch(line.strip()) or _FOR_PEOPLE.fullmatch(line.strip()))
    ]
    found = {match.groups(default="") for match in matches}
    return Accepted(found.pop()[0], cluster=matches[0].group(2) or "") if len(found) == 1 else None


def _failure(stderr: str) -> str:
    """Return the text of the error for which the submission failed; empty if sbatch printed none."""
    found = [match.group(1).strip() for line in stderr.splitlines() if (match := _FAILED.fullmatch(line.rstrip()))]
    return found[-1] if found else ""


def _own_lines(stderr: str) -> list[str]:
    """Return the other lines that sbatch printed, without prefixes, among them those of a site's plugins."""
    found: list[str] = []
    for line in stderr.splitlines():
        prefix = _PREFIX.match(line)
        if prefix and not _FAILED.fullmatch(line.rstrip()):
            found.append(line[prefix.end() :].strip())
    return found


def _answer_of_error(error: SubmitError, message: str, *, bound: bool) -> Answer:
    match error.error_class:
        case ErrorClass.LIMIT:
            return Deferred(message, limit=True)
        case ErrorClass.OUTAGE:
            return Deferred(message)
        case ErrorClass.SILENCE:
            return Unclear(message)
        case ErrorClass.DEPENDENCY if bound:  # the driver will soon know that the other job has ended
            return Deferred(message)
        case ErrorClass.UNKNOWN:
            return Deferred(message, unknown=True)
        case _:
            hint = error.hint or "correct 'dependency', or the options under 'sbatch' or in the #SBATCH lines"
            return Refused(f"{message} (hint: {hint})")
