"""Plans of the same spec by Maestro and by mtui, and how they differ."""

from __future__ import annotations

import importlib.util
import logging
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtui.core.plan.expand import make_plan
from mtui.core.plan.pgen import run_pgen
from mtui.core.plan.plan_json import plan_as_json
from mtui.core.spec import Problem
from mtui.core.spec.study_parser import load_study

Row = Mapping[str, Any]  # an instance, as `mtui plan --json` prints it

# What mtui adds to a header; every line of Maestro's must be there, in its order.
ADDED = ("#SBATCH --ntasks=", "#SBATCH --cpus-per-task=")
FIELDS = ("step", "workspace", "parents", "params", "scheduled", "script", "body", "restart")


class MaestroRefusal(Exception):
    """Maestro does not accept the spec."""


def maestro_rows(
    shared: Path, spec: Path, *, hashws: bool = False, pgen: Path | None = None, pargs: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Maestro's own instances of a spec, by its Python API; raises MaestroRefusal."""
    path = shared / "conformance" / "maestro_plan.py"
    module_spec = importlib.util.spec_from_file_location("maestro_plan", path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory(prefix="maestro-out-") as out:
        try:
            generator = str(pgen) if pgen else None
            return module.dump(str(spec), generator, pargs, hashws=hashws, out=out, scripts=True)
        except Exception as error:  # Maestro raises whatever comes along
            raise MaestroRefusal(f"{type(error).__name__}: {error}") from None
        finally:
            logging.disable(logging.NOTSET)


def our_rows(
    spec: Path, *, hashws: bool = False, pgen: Path | None = None, pargs: Mapping[str, str] | None = None
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """mtui's instances of a spec, and its warnings; raises SpecError."""
    study, problems = load_study(spec)
    table = None
    if pgen is not None:
        table = run_pgen(
            pgen,
            pargs or {},
            env=study.environment,
            output_path="@OUT@",
            spec_root="@SPECROOT@",
            python=sys.executable,
        )
    plan = make_plan(
        study, out="@OUT@", spec_root="@SPECROOT@", cwd="/", problems=problems, hashws=hashws, parameters=table
    )
    rows: Any = plan_as_json(plan)["instances"]
    return rows, problems.warnings


def differences(theirs: Sequence[Row], ours: Sequence[Row]) -> list[str]:
    """What of Maestro's plan is not in ours, one line each."""
    maestro, mtui = ({row["name"]: row for row in rows} for rows in (theirs, ours))
    found = [f"{name}: only Maestro has it" for name in maestro if name not in mtui]
    found += [f"{name}: only mtui has it" for name in mtui if name not in maestro]
    for name in maestro.keys() & mtui.keys():
        for field in FIELDS:
            their, our = maestro[name][field], mtui[name][field]
            same = same_script(their, our) if field in ("body", "restart") else their == our
            if not same:
                found.append(f"{name}: {field}: Maestro {their!r}, mtui {our!r}")
    return found


def same_script(their: str | None, our: str | None) -> bool:
    if their is None or our is None:
        return their is our
    their_header, _, their_command = their.partition("\n\n")
    our_header, _, our_command = our.partition("\n\n")
    lines = their_header.split("\n")
    kept = [line for line in our_header.split("\n") if line in lines or not line.startswith(ADDED)]
    return kept == lines and our_command == their_command
