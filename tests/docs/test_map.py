"""The map of rooms in docs/design.md is what the imports are."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

from tests.docs.markdown import ROOT, tables
from tests.unit import test_imports as rooms

PASSED_OVER = {"core", "core.claims", "core.debug_log", "core.errors", "mtui"}  # everybody may import these


def room(module: str) -> str:
    """The room in which a module stands: a folder, or one of the single files of `core`."""
    parts = module.split(".")
    folder = ROOT.joinpath(*parts[:2])
    if parts[0] == "mtui":
        return "mtui"
    return ".".join(parts[:2]) if parts[0] == "core" or folder.is_dir() else "tui"


@cache
def imports() -> dict[str, set[str]]:
    """The rooms that each room imports from."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in rooms._files():
        here = room(rooms._module(path))
        others = {room(name) for _, name in rooms._imports(path) if rooms._is_ours(name)}
        found[here] |= others - {here} - PASSED_OVER
    return {name: others for name, others in found.items() if name not in PASSED_OVER}


def drawn() -> dict[str, str]:
    """The last column of the map, by room."""
    (table,) = (table for table in tables("docs/design.md") if table[0][0] == "room")
    return {row[0].strip("`"): row[2] for row in table[1:]}


def test_every_room_stands_in_the_map() -> None:
    assert set(drawn()) == set(imports())


def test_the_map_says_who_imports_whom() -> None:
    for name, cell in drawn().items():
        assert set(re.findall(r"`([a-z.]+)`", cell)) == imports()[name], name


def test_it_is_walked_from_top_to_bottom() -> None:
    """A room stands below those that it imports from."""
    seen: set[str] = set()
    for name in drawn():
        assert imports()[name] <= seen, name
        seen.add(name)
