"""Modules on PYTHONPATH that replace others, or are broken."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from mtui.core.search_path import file_of_python_path, search_python_path_last


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PYTHONPATH."""
    monkeypatch.setenv("PYTHONPATH", f"/elsewhere:{tmp_path}")
    monkeypatch.setattr(sys, "path", ["/elsewhere", str(tmp_path), *sys.path])
    return tmp_path


def test_python_path_is_searched_last(folder: Path) -> None:
    search_python_path_last()
    assert sys.path[-2:] == ["/elsewhere", str(folder)]


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("raise RuntimeError('broken')", ""),
        ("x = (", ""),
        ("import no_such_module_anywhere", ""),
        ("", "from odd_{n} import missing"),
        ("", "import odd_{n}; odd_{n}.missing"),
        ("def run(): raise ValueError", "import odd_{n}; odd_{n}.run()"),
    ],
    ids=["raises", "syntax", "lacks a module", "lacks a name", "lacks an attribute", "fails later"],
)
def test_error_of_a_module_on_python_path_is_found(folder: Path, text: str, use: str) -> None:
    name = f"odd_{abs(hash((text, use)))}"
    file = folder / f"{name}.py"
    file.write_text(f"{text}\n")
    importlib.invalidate_caches()
    with pytest.raises(Exception) as caught:
        exec((use or "import odd_{n}").replace("odd_{n}", name), {})
    assert file_of_python_path(caught.value) == str(file)


def test_other_errors_have_nothing_to_do_with_it(folder: Path) -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x")
    assert file_of_python_path(caught.value) == ""
    assert folder.exists()


def test_package_of_an_environment_below_a_folder_of_python_path_is_not_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = folder / "site-packages"
    site.mkdir()
    (site / "odd_package.py").write_text("raise RuntimeError\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    importlib.invalidate_caches()
    with pytest.raises(RuntimeError) as caught:
        importlib.import_module("odd_package")
    assert file_of_python_path(caught.value) == ""
