"""Why an attempt ended, in words."""

from __future__ import annotations

import signal

from .status import Status


def end_words(status: Status, code: int | None, reason: str, node: str) -> str:
    """Why an attempt ended, in words."""
    on = f" on {node}" if node else ""
    match status:
        case Status.TIMED_OUT:
            return "its walltime was over"
        case Status.OUT_OF_MEMORY:
            return f"it used more memory than it had asked for{on}"
        case Status.NODE_FAILED:
            return f"a node failed{on}"
        case Status.PREEMPTED:
            return "Slurm took its nodes for another job"
        case Status.DEADLINE:
            return "it could not have ended before its deadline"
        case Status.CANCELLED:
            return "from outside of mtui"
        case _:
            pass
    if reason == "JobLaunchFailure":
        return f"Slurm could not run the script{on}: killed by a signal, or its output directory is missing"
    return exit_words(code, node) if code is not None else f"failed{on} ({reason or 'no reason given'})"


def exit_words(code: int, node: str = "") -> str:
    """An exit code in words, with what a shell means by it, and where it was."""
    return _code_words(code) + (f" on {node}" if node else "")


def _code_words(code: int) -> str:
    if code == 126:
        return "exit code 126 (a command is not executable)"
    if code == 127:
        return "exit code 127 (a command was not found)"
    if code > 128:
        try:
            return f"exit code {code} (signal {signal.Signals(code - 128).name.removeprefix('SIG')})"
        except ValueError:
            pass
    return f"exit code {code}"
