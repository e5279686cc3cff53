"""The tests on Slurm with three generations of it: this machine's, and those of two newer releases of Debian.

python -m tests.slurm.versions [--newest] [--short] [--outputs] [arguments of pytest]

As root, on Debian. The newer ones are unpacked once into folders of /var/tmp/mtui-slurm (a minute and 800 MB each) and
stay there. All tests on Slurm and of faults take 11 minutes with each generation on two cores; --short runs those that
have differed between versions (one minute), --newest the newest generation alone. --outputs runs no test: it writes
what each version's programs print into the data of the unit tests.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.slurm.debian_root import PROJECT, DebianRoot, RootError

NEWER = ("trixie", "sid")  # releases of Debian, oldest Slurm first
ALL = ("tests/slurm", "tests/faults")
SHORT = (
    "tests/slurm/test_arrays.py",
    "tests/slurm/test_directives.py",
    "tests/slurm/test_leader_shell.py",
    "tests/slurm/test_steps_in_allocations.py",
)
TITLE = "The tests on Slurm with three generations of it."
OUTPUTS = PROJECT / "tests/unit/backends/slurm_outputs"

# How pytest is started: as by `python -m tests`, without its files in the project.
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-n", "4", "--dist", "loadgroup", "--no-loadscope-reorder")


@dataclass(frozen=True, slots=True)
class Row:
    """The tests with one generation: what it is, how pytest summed them up, and the seconds they took."""

    versions: str
    summary: str
    seconds: float
    code: int


class Generation:
    """A Slurm, and the Python beside it: this machine's (no root), or those of a root."""

    def __init__(self, root: DebianRoot | None) -> None:
        self.root = root

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python there in the project's folder, with what it prints on stdout both shown and returned."""
        if self.root:
            command = self.root.command("python", *arguments)
            environment = self.root.environment()
        else:
            command, environment = [sys.executable, *arguments], dict(os.environ)
        environment["MTUI_REQUIRE_SLURM"] = "1"
        lines: list[str] = []
        with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                print(line, end="", flush=True)
                lines.append(line)
        return subprocess.CompletedProcess(command, process.returncode, "".join(lines))

    def versions(self) -> str:
        """As in "Slurm 24.11.5, Python 3.13.5"."""
        script = "slurmctld -V; python3 --version"
        shell = ["chroot", str(self.root.folder), "sh", "-c"] if self.root else ["sh", "-c"]
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        words = subprocess.run([*shell, script], env=environment, capture_output=True, text=True, check=True).stdout
        slurm, python = re.findall(r"\d+(?:\.\d+)+", words)[:2]
        return f"Slurm {slurm}, Python {python if self.root else sys.version.split()[0]}"


def test(generation: Generation, arguments: Sequence[str]) -> Row:
    """Run the tests with one generation."""
    versions = generation.versions()
    print(f"--- {versions}: pytest {' '.join(arguments)}", flush=True)
    begun = time.monotonic()
    done = generation.run(*PYTEST, *arguments)
    lines = done.stdout.splitlines()
    summary = next((line.strip("= ") for line in reversed(lines) if re.search(r" in [\d.]+s", line)), "no summary")
    return Row(versions, summary, time.monotonic() - begun, done.returncode)


def write_outputs(generation: Generation) -> None:
    """Write what the programs of a generation print into the data of the unit tests."""
    version = re.findall(r"\d+\.\d+", generation.versions())[0]
    done = generation.run("-m", "tests.slurm.outputs")
    if done.returncode:
        sys.exit(f"the outputs of Slurm {version} could not be made")
    Path(OUTPUTS, f"{version}.txt").write_text(done.stdout, encoding="utf-8")


def made(suite: str) -> DebianRoot:
    """Make the root of a release, unless it is there."""
    root, begun = DebianRoot(suite), time.monotonic()
    root.make()
    print(f"{root.folder}: ready after {time.monotonic() - begun:.0f} s, {root.size() / 1e6:.0f} MB", flush=True)
    return root


def newest() -> list[DebianRoot]:
    """The newest release that can be unpacked: on some days packages of the unstable one are missing."""
    for suite in reversed(NEWER[1:]):
        try:
            return [made(suite)]
        except RootError as error:
            print(f"{suite}: {error}", flush=True)
    return [made(NEWER[0])]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.slurm.versions", description=TITLE)
    parser.add_argument("--newest", action="store_true", help="the newest generation alone")
    parser.add_argument("--short", action="store_true", help="the tests that have differed between versions")
    parser.add_argument("--outputs", action="store_true", help="write the outputs of each version as data of the tests")
    options, arguments = parser.parse_known_args()
    if not any(argument.startswith("tests/") for argument in arguments):
        arguments += SHORT if options.short else ALL
    try:
        newer = newest() if options.newest else [made(suite) for suite in NEWER]
    except RootError as error:
        sys.exit(f"no newer Slurm: {error}")
    generations = [*([] if options.newest else [Generation(None)]), *map(Generation, newer)]
    if options.outputs:
        for generation in generations:
            write_outputs(generation)
        return 0
    rows = [test(generation, arguments) for generation in generations]
    for row in rows:
        print(f"{row.versions:32} {row.summary} (whole: {row.seconds:.0f} s)")
    return max(row.code for row in rows)


if __name__ == "__main__":
    sys.exit(main())
