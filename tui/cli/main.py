"""Entry point of the command line: runs the verb, and turns expected errors into messages and exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mtui import __version__

from ...core.errors import EXIT_ERROR, EXIT_FINISHED, EXIT_USAGE, MtuiError, UsageError, lacks_thread
from ...core.search_path import file_of_python_path
from ...core.text_encoding import terminal_encoding, use_utf8
from .arguments import print_on_stderr
from .maestro_flags import before_the_verb
from .parser import VERBS, make_parser, take_targets


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code."""
    if argv is None:
        use_utf8()
    _open_standard_streams()
    if "_ARGCOMPLETE" in os.environ:  # the shell requests completions
        from .verbs.completion import complete

        complete()
    words = list(sys.argv[1:] if argv is None else argv)
    _print_despite_encoding()
    try:
        words = _with_verb(words)
        parser = make_parser()
        arguments, further = parser.parse_known_args(words)
        further = take_targets(arguments, further)
        if further and words[0] != "submit":
            parser.error(f"unrecognized arguments: {' '.join(further)}")
        arguments.further = further
        return _carry_out(arguments)
    except MtuiError as error:
        print_on_stderr(f"{error.speaker}{error}")
        return error.exit_code
    except BrokenPipeError:  # the reader of stdout is gone, as in `mtui status DIR | head`
        _drop_output()
        return EXIT_FINISHED
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not _has_cwd():
            print_on_stderr("mtui: the current directory no longer exists\n  hint: cd into an existing directory")
            return EXIT_ERROR
        if isinstance(error, PermissionError) and error.filename:
            print_on_stderr(
                f"mtui: {error.strerror}: {error.filename}\n  hint: it belongs to another user or is not readable"
            )
            return EXIT_USAGE
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            _drop_output()
            print_on_stderr(f"mtui: {error.filename or 'its output'} cannot be written: {error.strerror}")
            return EXIT_ERROR
        if lack := _what_lacks(error):
            print_on_stderr(f"mtui: {lack}\n  hint: no data was lost; try again when other processes have ended")
            return EXIT_ERROR
        if file := file_of_python_path(error):
            print_on_stderr(
                f"mtui: PYTHONPATH adds a module that cannot be used: {file}: {type(error).__name__}: {error}\n"
                "  hint: env -u PYTHONPATH mtui ... starts mtui without it"
            )
            return EXIT_ERROR
        return _bug(error, words)


def _open_standard_streams() -> None:
    """Open /dev/null for each of stdin, stdout and stderr that is closed: the next file would get its descriptor."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest descriptor that is free, which is this one
            os.set_inheritable(descriptor, True)
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def _print_despite_encoding() -> None:
    """Write in the encoding of the locale, and replace characters that it cannot encode."""
    encoding = terminal_encoding()
    is_other = sys.flags.utf8_mode and encoding != "utf-8" and "PYTHONIOENCODING" not in os.environ
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and is_other:
            stream.reconfigure(encoding=encoding, errors="replace")
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    if isinstance(sys.stdin, io.TextIOWrapper):  # an answer may have bytes of another encoding
        sys.stdin.reconfigure(errors="replace")


def _drop_output() -> None:
    """Discard buffered output: otherwise Python reports an error when it flushes stdout at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _with_verb(words: list[str]) -> list[str]:
    """Return the words with the verb first; insert `run` or `studies` if it was left out.

    Raises UsageError if the first word is neither a verb nor a file.
    """
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

        hint = nearest(first, VERBS) or "see 'mtui --help'"
        raise UsageError(f"there is no verb and no file '{first}'", hint)
    return ["run", *before, *words]


def _what_lacks(error: Exception) -> str:
    """Return which resource of the machine is exhausted; empty if it is another error."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "there is not enough memory"
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{error.strerror}: {error.filename}" if error.filename else f"{error.strerror} (ulimit -n)"
    if lacks_thread(error):
        return "no thread can be started (ulimit -u)"
    return ""


def _has_cwd() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _bug(error: Exception, words: Sequence[str]) -> int:
    """Handle an unexpected exception: write a report file, print its path, and return the exit code."""
    import platform
    import tempfile
    import traceback

    head = [f"mtui {__version__}, Python {platform.python_version()}, {platform.platform()}", f"mtui {' '.join(words)}"]
    text = "\n".join([*head, "", *traceback.format_exception(error)])
    message = f"mtui: a bug in mtui: {type(error).__name__}: {error}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="mtui-report-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as report:
            report.write(text)
    except OSError:  # no directory for temporary files, or a full disk
        print_on_stderr(f"{text}\n{message}\n  hint: please attach these lines to your bug report")
    else:
        print_on_stderr(f"{message}\n  hint: please attach {report.name} to your bug report")
    return EXIT_ERROR


# The module in `verbs` that implements each verb.
_MODULES = {
    **dict.fromkeys(("run", "submit"), "run"),
    **dict.fromkeys(("plan", "status", "why", "log", "report", "studies", "completion"), "queries"),
    "init": "init",
    "doctor": "doctor",
    **dict.fromkeys(("order", "update", "extend", "detach"), "study_commands"),
}


def _carry_out(arguments: argparse.Namespace) -> int:
    handler: str = arguments.handler
    module = importlib.import_module(f".verbs.{_MODULES[handler]}", __package__)
    return getattr(module, handler)(arguments)
