"""What is handed out: the source distribution, and the wheel that is built from it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from mtui import __version__

ROOT = Path(__file__).parents[2]


def committed(*folders: str) -> set[str]:
    command = ["git", "ls-tree", "-r", "--name-only", "HEAD", *folders]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds both, built from a clone: the wheel from the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    (source / "build" / "lib" / "mtui" / "core").mkdir(parents=True)  # of an earlier build by other tools
    (source / "build" / "lib" / "mtui" / "core" / "deleted.py").touch()
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
    inside = {name.split("/")[1] for name in names if name.startswith("mtui/")}
    assert inside == {"__init__.py", "py.typed", "core", "tui"}


def test_wheel_has_every_source_file(wheel: zipfile.ZipFile) -> None:
    expected = {f"mtui/{name}" for name in committed("core", "tui")}
    assert {name for name in wheel.namelist() if name.startswith(("mtui/core/", "mtui/tui/"))} == expected


def test_building_leaves_the_tree_as_it_was(built: Path) -> None:
    command = ["git", "status", "--short", "--ignored"]
    done = subprocess.run(command, cwd=built / "source", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["!!", "build/"]  # which the test put there


def test_wheel_of_a_clone_is_that_of_the_source_distribution(built: Path, wheel: zipfile.ZipFile) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        str(built / "direct"),
        str(built / "source"),
    ]
    subprocess.run(command, check=True)
    direct = zipfile.ZipFile(next((built / "direct").glob("*.whl")))
    assert sorted(direct.namelist()) == sorted(wheel.namelist())


def test_wheel_is_as_wheels_are_to_be(built: Path) -> None:
    check = Path(sys.executable).with_name("check-wheel-contents")
    done = subprocess.run([check, next(built.glob("*.whl"))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    reported = Parser().parsestr(wheel.read(name).decode())
    assert (reported["Name"], reported["Version"], reported["License-Expression"]) == ("mtui", __version__, "MIT")
    assert reported.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")


def test_source_distribution_has_all_that_is_committed(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert committed() - names == {"mtui/core", "mtui/tui"}  # links: the folders themselves are in it
