"""Format, lint, types and tests, in this order; what fails first ends it.

python -m tests [--fix] [--quick] [arguments of pytest]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Rooms that start clusters, kill drivers, draw terminals or go through random worlds: most of the time, and few files.
SLOW = ("slurm", "faults", "terminal", "property", "bench")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description="Format, lint, types and tests.")
    parser.add_argument("--fix", action="store_true", help="format, and mend what ruff can mend, before anything else")
    parser.add_argument("--quick", action="store_true", help=f"without {', '.join(SLOW)}")
    arguments, for_pytest = parser.parse_known_args()
    python = [sys.executable, "-m"]
    ruff = [*python, "ruff"]
    fixes = [[*ruff, "check", "--fix", "--quiet"], [*ruff, "format", "--quiet"]] if arguments.fix else []
    without = [f"--ignore=tests/{room}" for room in SLOW] if arguments.quick else []
    steps = [
        *fixes,
        [*ruff, "format", "--check"],
        [*ruff, "check"],
        [*python, "pyright", "--pythonpath", sys.executable],
        [*python, "pytest", "-n", "4", "--dist", "loadgroup", *without, *for_pytest],
    ]
    for number, step in enumerate(steps):
        code = subprocess.run(step, cwd=ROOT, check=False).returncode
        if code and number >= len(fixes):  # what cannot be mended is told by the checks
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
