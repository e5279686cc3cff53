"""What is handed out: the source distribution, the wheel that is built from it, and what both ask for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from mtui.core import __version__

ROOT = Path(__file__).parents[2]
WITH_TEXTUAL = {"rich"}  # comes with it, and is a part of its interface


def committed(*folders: str) -> set[str]:
    command = ["git", "ls-tree", "-r", "--name-only", "HEAD", *folders]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both are, built from a clone so that no build folder is left in the tree; the wheel of the sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deprecat" not in done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


def test_wheel_holds_mtui_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mtui"}
    assert {name.split("/")[1] for name in names if name.startswith("mtui/")} == {"core", "tui"}


def test_wheel_has_every_source_file(wheel: zipfile.ZipFile) -> None:
    assert {f"mtui/{name}" for name in committed("core", "tui")} <= set(wheel.namelist())


def test_wheel_is_as_wheels_are_to_be(built: Path) -> None:
    check = Path(sys.executable).with_name("check-wheel-contents")
    done = subprocess.run([check, next(built.glob("*.whl"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    told = Parser().parsestr(wheel.read(name).decode())
    assert (told["Name"], told["Version"], told["License-Expression"]) == ("mtui", __version__, "MIT")
    assert told.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_source_distribution_has_all_that_is_committed(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert committed() - names == {".gitignore"}


# --- what it asks for


def bounds() -> dict[str, str]:
    """The lower bound of each dependency."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert block
    return dict(re.findall(r'"([\w-]+)>=([\d.]+)', block[1]))


def test_the_oldest_releases_that_are_tried_are_the_lower_bounds() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "tests" / "oldest.txt").read_text(), re.MULTILINE))
    assert pinned == bounds()


def test_what_is_imported_is_asked_for_and_nothing_else() -> None:
    imported: set[str] = set()
    for path in (path for top in ("core", "tui") for path in (ROOT / top).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
    known = packages_distributions()
    foreign = imported - sys.stdlib_module_names - WITH_TEXTUAL - {"maestrowf"}  # a generator's, not ours
    assert {known[name][0].lower() for name in foreign} == set(bounds())


def test_version_stands_in_one_place() -> None:
    command = ["git", "grep", "-lF", f'"{__version__}"', "--", "core", "tui", "*.toml"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert found == ["core/__init__.py"]


def test_hooks_before_a_commit_run_what_the_environment_has() -> None:
    import yaml

    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    for hook in hooks:
        program, *_ = hook["entry"].split()
        assert hook["language"] == "system"
        path = Path(sys.executable).with_name(program)
        assert subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0, program
