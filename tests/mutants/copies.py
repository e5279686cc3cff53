"""Copies of the tree in which mutants are tested, so that the tree itself is never changed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CHECK = "import sys, mtui.core; sys.exit(not mtui.core.__file__.startswith(sys.argv[1]))"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of all files that git knows or would add."""

    root: Path

    @classmethod
    def create(cls, folder: Path) -> Copy:
        """Copy the tree into a new folder.

        Raises RuntimeError if Python would import the package from elsewhere.
        """
        root = folder / ROOT.name
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, names.split("\0")):
            if not os.path.lexists(ROOT / name):
                continue  # deleted, and not yet committed
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name, follow_symlinks=False)
        if (shared := ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(shared)
        copy = cls(root)
        if subprocess.run([sys.executable, "-c", _CHECK, str(root)], cwd=root, env=copy.environment).returncode:
            raise RuntimeError(f"Python does not import mtui from the copy in {root}")
        return copy

    @property
    def environment(self) -> dict[str, str]:
        """CI makes the random tests draw the same examples for each mutant."""
        return {**os.environ, "PYTHONPATH": str(self.root), "CI": "1"}

    @contextmanager
    def changed(self, name: str, text: str) -> Iterator[None]:
        """The copy with another text in one Python file."""
        path = self.root / name
        # A compiled file is found by length and second of its source, and a mutant may share both with the original.
        compiled = Path(importlib.util.cache_from_source(str(path)))
        before = path.read_text(encoding="utf-8")
        try:
            compiled.unlink(missing_ok=True)
            path.write_text(text, encoding="utf-8")
            yield
        finally:
            compiled.unlink(missing_ok=True)
            path.write_text(before, encoding="utf-8")

    def run_tests(self, tests: Sequence[str], seconds: float | None = None) -> int | None:
        """The exit code of pytest, or None if it took longer than `seconds`; its processes are killed then."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
