"""What the package requires, and what can be imported from a clone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from mtui import __version__

ROOT = Path(__file__).parents[2]
WITH_TEXTUAL = {"rich"}  # comes with it, and is a part of its interface


@pytest.mark.parametrize(
    ("name", "package"), [("core", "mtui.core"), ("tui.cli", "mtui.tui"), ("core.errors", "mtui.core")]
)
def test_folders_of_the_clone_are_no_separate_packages(name: str, package: str) -> None:
    """Else each class would exist twice: mtui.core.X and core.X."""
    command = [sys.executable, "-c", f"import {name}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert last.endswith(f"import {package}")


def bounds() -> dict[str, str]:
    """The lower bound of each dependency."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block
    return dict(re.findall(r'"([\w-]+)>=([\d.]+)', block[1]))


def test_the_oldest_releases_that_are_tried_are_the_lower_bounds() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "tests" / "oldest.txt").read_text(), re.MULTILINE))
    assert pinned == bounds()


def test_what_is_imported_is_required_and_nothing_else() -> None:
    imported: set[str] = set()
    for path in (path for top in ("core", "tui") for path in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    known = packages_distributions()
    foreign = (
        imported - sys.stdlib_module_names - WITH_TEXTUAL - {"mtui", "maestrowf"}
    )  # maestrowf: a generator imports it
    assert {known[name][0].lower() for name in foreign} == set(bounds())


def test_version_is_in_one_place() -> None:
    command = ["git", "grep", "-lF", f'"{__version__}"', "--", "core", "tui", "mtui", "*.toml"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert found == ["mtui/__init__.py"]


def test_hooks_before_a_commit_run_what_the_environment_has() -> None:
    import yaml

    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    for hook in hooks:
        program, *_ = hook["entry"].split()
        assert hook["language"] == "system"
        path = Path(sys.executable).with_name(program)
        assert subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0, program
