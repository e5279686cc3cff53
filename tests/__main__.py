"""Format, lint, types and tests, in this order; what fails first ends it.

python -m tests [--fix] [--check | --quick] [arguments of pytest]

--check stops before the tests. --quick runs the unit tests and those of the documents, and nothing else: less than a
minute on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Tests that start no app, no driver and no Slurm, and go through no random worlds.
QUICK = ("tests/unit", "tests/docs")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description="Format, lint, types and tests.")
    parser.add_argument("--fix", action="store_true", help="format, and fix what ruff can fix, before anything else")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--check", action="store_true", help="format, lint and types, without tests")
    only.add_argument("--quick", action="store_true", help=f"only the tests in {' and '.join(QUICK)}, without checks")
    arguments, for_pytest = parser.parse_known_args()
    python = [sys.executable, "-m"]
    ruff = [*python, "ruff"]
    fixes = [[*ruff, "check", "--fix", "--quiet"], [*ruff, "format", "--quiet"]] if arguments.fix else []
    checks = [
        [*ruff, "format", "--check"],
        [*ruff, "check"],
        [*python, "pyright", "--pythonpath", sys.executable],
    ]
    side_by_side = ["-n", "4", "--dist", "loadgroup", "--no-loadscope-reorder"]  # the order is that of conftest.py
    tests = [*python, "pytest", *side_by_side, *(QUICK if arguments.quick else ()), *for_pytest]
    steps = [*fixes, *([] if arguments.quick else checks), *([] if arguments.check else [tests])]
    for number, step in enumerate(steps):
        code = subprocess.run(step, cwd=ROOT, check=False).returncode
        if code and number >= len(fixes):  # the checks report what cannot be fixed
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
