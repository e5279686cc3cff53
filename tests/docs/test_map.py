"""The table of packages in docs/design.md agrees with the imports, and the files that it names exist."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

import pytest

from tests.docs.markdown import ROOT, tables
from tests.unit import test_imports as source

IMPORTED_BY_ALL = {
    *("core", "core.claims", "core.debug_log", "core.durable_files", "core.errors", "core.file_reading"),
    *("core.directive_text", "core.isolated", "core.search_path", "core.shell_environment"),
    *("core.text_encoding", "mtui"),
}


def package(module: str) -> str:
    """The package of a module as the table has it: a folder, or a single file of `core`."""
    parts = module.split(".")
    if parts[0] == "mtui":
        return "mtui"
    return ".".join(parts[:2]) if parts[0] == "core" or ROOT.joinpath(*parts[:2]).is_dir() else "tui"


@cache
def imports() -> dict[str, set[str]]:
    """The packages that each package imports from."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in source._files():
        here = package(source._module(path))
        others = {package(name) for _, name in source._imports(path) if source._is_ours(name)}
        found[here] |= others - {here} - IMPORTED_BY_ALL
    return {name: others for name, others in found.items() if name not in IMPORTED_BY_ALL}


def documented() -> dict[str, str]:
    """The last column of the table, by package."""
    (table,) = (table for table in tables("docs/design.md") if table[0][0] == "package")
    return {row[0].strip("`"): row[2] for row in table[1:]}


def test_every_package_is_in_the_table() -> None:
    assert set(documented()) == set(imports())


def test_the_table_names_what_each_package_imports() -> None:
    for name, cell in documented().items():
        assert set(re.findall(r"`([a-z._]+)`", cell)) == imports()[name], name


def test_a_package_is_below_those_that_it_imports() -> None:
    above: set[str] = set()
    for name in documented():
        if name != "core.pack":  # forwards, for one release
            assert imports()[name] <= above, name
        above.add(name)


@pytest.mark.parametrize("document", ["docs/design.md", "docs/backends.md"])
def test_files_that_a_document_names_exist(document: str) -> None:
    names = set(re.findall(r"`((?:[\w.]+/)+[\w.]+\.(?:py|sh))", (ROOT / document).read_text(encoding="utf-8")))
    assert names
    missing = {
        name for name in names if not any((ROOT / top / name).exists() for top in ("", "core", "core/driver", "tui"))
    }
    assert missing == set()
