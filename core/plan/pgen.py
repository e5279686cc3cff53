"""Runs a user's parameter generator file (`--pgen`, `--pargs`) in a separate process, `pgen_child.py`.

The file is the user's code, with the user's imports: it runs under the Python that the user chose, and cannot crash
mtui.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import PgenError, UsageError
from ..spec.study_spec import EnvEntry, Parameter
from .parameter_table import ParameterTable

DEADLINE = 600.0  # seconds; enough for a generator that samples, but a hanging one must not block forever


def parse_pargs(pargs: Iterable[str]) -> dict[str, str]:
    """Parse `KEY:VALUE` arguments. Raises UsageError for one without a colon."""
    found: dict[str, str] = {}
    for item in pargs:
        key, colon, value = item.partition(":")
        if not colon or not key.strip():
            raise UsageError(f"--pargs '{item}' is not KEY:VALUE", "example: --pargs 'SEED:42'")
        found[key.strip()] = value.strip()
    return found


def run_pgen(
    file: Path,
    pargs: Mapping[str, str],
    *,
    env: Iterable[EnvEntry],
    output_path: str,
    spec_root: str,
    python: str,
    deadline: float = DEADLINE,
) -> ParameterTable:
    """Run a generator file and return its rows.

    Raises PgenError if it fails, exceeds `deadline` (seconds) or returns anything but a generator, UsageError if the
    file or `python` is missing.
    """
    if not file.is_file():
        raise UsageError(f"no such parameter generator file: {file}", "check the path given to --pgen")
    request = {
        "file": str(file.absolute()),
        "pargs": dict(pargs),
        "env": {
            **{entry.name: entry.raw for entry in env},
            "OUTPUT_PATH": output_path,  # the study's own directory, not the parent that the spec names
            "SPECROOT": spec_root,
        },
        "output_path": output_path,
        "spec_root": spec_root,
    }
    answer, code = _ask(request, python, deadline, file)
    if "error" in answer:
        raise PgenError(f"the parameter generator {file} failed:\n  " + "\n  ".join(answer["error"]))
    if "parameters" not in answer:
        raise PgenError(
            f"the parameter generator {file} ended (exit code {code}) without returning parameters",
            "its function get_custom_generator must return a ParameterGenerator",
        )
    columns = [
        Parameter(item["key"], tuple(item["values"]), tuple(item["labels"]), item["name"])
        for item in answer["parameters"]
    ]
    if len({len(column.values) for column in columns}) > 1:
        raise PgenError(
            f"the parameter generator {file} returned parameters of different lengths",
            "every parameter needs a value for each row",
        )
    return ParameterTable.of(columns)


def _ask(request: Mapping[str, object], python: str, deadline: float, file: Path) -> tuple[dict[str, Any], int]:
    read_end, write_end = os.pipe()
    child = Path(__file__).with_name("pgen_child.py")
    try:
        process = subprocess.Popen(
            [python, str(child), str(write_end)],
            stdin=subprocess.PIPE,
            stdout=2,  # output of the user's code goes to stderr, not into mtui's own output
            pass_fds=(write_end,),
            start_new_session=True,
        )
    except OSError as error:
        os.close(read_end)
        raise UsageError(f"cannot run {python}: {error.strerror}", "check the path given to --python") from None
    finally:
        os.close(write_end)
    hung = threading.Event()

    def end() -> None:
        hung.set()
        _kill(process)

    too_late = threading.Timer(deadline, end)
    too_late.start()
    try:
        with os.fdopen(read_end, encoding="utf-8") as pipe:
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps(request, default=str).encode())
                process.stdin.close()
            except BrokenPipeError:
                pass  # it ended before it read the request; the exit code below is reported
            text = pipe.readline()  # not until EOF: a process that the user's code left running may hold the pipe open
        code = process.wait()
    finally:
        too_late.cancel()
        if process.poll() is None:  # interrupted: Ctrl-C does not reach a separate session
            _kill(process)
            process.wait()
    if text.endswith("\n"):
        return json.loads(text), code
    if hung.is_set():
        raise PgenError(
            f"the parameter generator {file} was still running after {deadline:.0f} s and was ended",
            "read its input from a file, or store the values in a CSV file: mtui: parameters",
        )
    return {}, code


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the generator's process group, with the processes that it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
