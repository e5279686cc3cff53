"""A study that Maestro runs plans the same here, but for the deviations in their table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mtui.core.spec import SpecError
from tests.conftest import SHARED

from .deviations import DEVIATIONS, Accepted, Differs, Line, Refused
from .plans import MaestroRefusal, differences, maestro_rows, our_rows

OURS = Path(__file__).parent / "cases"
Rows = list[dict[str, Any]]


def _cases() -> dict[str, Path]:
    """Every spec by its name in the table of deviations."""
    found = {f"ours/{path.stem}": path for path in sorted(OURS.glob("*.yaml"))}
    for path in sorted((SHARED / "conformance" / "cases").glob("*/*.yaml")):
        found[f"{path.parent.name}/{path.stem}"] = path
    return found


CASES = _cases()


def _maestro(case: str, shared: Path) -> Rows | str:
    """Maestro's plan, or what it says when it refuses: as recorded, for our own cases as of now."""
    if case.startswith("ours/"):
        try:
            return maestro_rows(shared, CASES[case])
        except MaestroRefusal as refusal:
            return str(refusal)
    golden = json.loads((shared / "conformance" / "golden" / f"{case}.json").read_text())
    return golden if isinstance(golden, list) else f"{golden['error']}: {golden['message']}"


def _mtui(case: str) -> Rows | str:
    try:
        return our_rows(CASES[case])[0]
    except SpecError as error:
        return str(error)


def test_the_conformance_data_is_whole(shared: Path) -> None:
    counts = {folder: sum(case.startswith(f"{folder}/") for case in CASES) for folder in ("bad", "expand", "launcher")}
    assert counts == {"bad": 72, "expand": 4, "launcher": 29}, f"in {shared}"


def test_every_deviation_belongs_to_a_case(shared: Path) -> None:
    assert DEVIATIONS.keys() - CASES.keys() == set(), f"in {shared} and {OURS}"


@pytest.mark.parametrize("case", [case for case in CASES if case not in DEVIATIONS])
def test_plans_like_maestro(case: str, shared: Path) -> None:
    theirs, ours = _maestro(case, shared), _mtui(case)
    if isinstance(theirs, str):
        assert isinstance(ours, str), f"Maestro refuses it ({theirs}), mtui accepts it"
    else:
        assert not isinstance(ours, str), f"Maestro accepts it, mtui refuses it: {ours}"
        assert differences(theirs, ours) == []


@pytest.mark.parametrize("case", [case for case in DEVIATIONS if case in CASES])
def test_deviates_as_the_table_says(case: str, shared: Path) -> None:
    deviation, theirs, ours = DEVIATIONS[case], _maestro(case, shared), _mtui(case)
    match deviation:
        case Accepted():
            assert isinstance(theirs, str), "Maestro accepts it as well: remove the deviation"
            assert not isinstance(ours, str), ours
            assert {row["name"]: _command(row) for row in ours} == deviation.commands
            parents = {row["name"]: row["parents"] for row in ours if row["name"] in deviation.parents}
            assert parents == deviation.parents
        case Refused():
            assert not isinstance(theirs, str), f"Maestro refuses it as well ({theirs}): remove the deviation"
            assert isinstance(ours, str), "mtui accepts it: remove the deviation"
            assert deviation.message in ours
        case Differs():
            assert not isinstance(theirs, str), f"Maestro refuses it: {theirs}"
            assert not isinstance(ours, str), ours
            assert differences(theirs, ours) != [], "it no longer deviates"
            assert differences(*_with_deviation(deviation, theirs, ours)) == []


@pytest.mark.parametrize("hashws", [False, True])
def test_a_generator_gives_the_sweep_that_maestro_makes_of_it(shared: Path, hashws: bool) -> None:
    spec, pgen = OURS / "generated" / "study.yaml", OURS / "generated" / "generator.py"
    options: dict[str, Any] = {"hashws": hashws, "pgen": pgen, "pargs": {"COUNT": "3"}}
    theirs, (ours, problems) = maestro_rows(shared, spec, **options), our_rows(spec, **options)
    assert len(theirs) == 3 * 12 + 3 + 1
    assert differences(theirs, ours) == []
    assert problems == []


def _command(row: dict[str, Any]) -> str:
    return row["body"].partition("\n\n")[2]


def _with_deviation(deviation: Differs, theirs: Rows, ours: Rows) -> tuple[Rows, Rows]:
    """Maestro's plan with our lines in it, and both without the instances that only one of them has."""
    only_ours = {row["name"]: _command(row) for row in ours if row["name"] in deviation.only_ours}
    assert only_ours == deviation.only_ours
    assert {row["name"] for row in theirs} >= set(deviation.only_maestro)
    kept: Rows = []
    for row in theirs:
        if row["name"] not in deviation.only_maestro:
            body = _replaced(row["body"], deviation.lines.get(row["name"], ()))
            kept.append({**row, "body": body})
    return kept, [row for row in ours if row["name"] not in deviation.only_ours]


def _replaced(body: str, lines: Sequence[tuple[Line, Line]]) -> str:
    rows = body.split("\n")
    for their, our in lines:
        assert their in rows, f"Maestro's script has no line {their!r}: correct the deviation"
        at = rows.index(their)
        rows[at : at + 1] = [] if our is None else [our]
    return "\n".join(rows)
