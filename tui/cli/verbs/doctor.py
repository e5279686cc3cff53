"""`mtui doctor`: checks the environment and shows what mtui does about each finding."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from mtui import __version__

from ....core.doctor.directory_check import check_directory
from ....core.doctor.finding import Finding, FindingGroup, Level
from ....core.doctor.machine_check import check_machine
from ....core.doctor.slurm_check import check_slurm
from ....core.doctor.study_check import StudyCheck, check_study, is_study
from ....core.errors import EXIT_ERROR, EXIT_FINISHED, UsageError
from ....core.store.study_directory import StudyDirectory
from ...views.json_output import print_json
from ...views.text import Paint, cell_width, pad, plural, safe
from .study_repair import carry_out, propose_repairs
from .terminal_check import check_terminal

_WIDTH = 110
_COLOURS = {Level.GOOD: "32", Level.NOTE: "33", Level.PROBLEM: "31"}


def doctor(arguments: argparse.Namespace) -> int:
    """Run all checks, repair a study's directory if the user agrees, and return the exit code: 1 if a problem is left.

    Raises UsageError if the target is not a directory, StudyBusyError if a driver holds the study to be repaired.
    """
    directory = Path(arguments.target).absolute()
    if not directory.is_dir():
        raise UsageError(
            f"no such directory: {arguments.target}", "give the directory in which studies will be created"
        )
    study = StudyDirectory(directory)
    check = check_study(study) if is_study(directory) else None
    parts = _checks(directory, check)
    if arguments.json:
        if check and check.repairs and arguments.yes:
            carry_out(check.repairs, study)
            check = check_study(study)
            parts = _checks(directory, check)
        found = list(parts)
        print_json({**record_of(found), "repairs": [repair.action for repair in check.repairs] if check else []})
    else:
        paint = Paint(sys.stdout)
        found = _print_findings(parts, paint)
        if check and (now := propose_repairs(check, study, yes=arguments.yes, paint=paint)) is not check:
            found = [now.group if part is check.group else part for part in found]
            print("\n".join(["", *part_lines(now.group, paint)]))
    bad = sum(finding.level is Level.PROBLEM for part in found for finding in part.findings)
    return EXIT_ERROR if bad else EXIT_FINISHED


def _checks(directory: Path, study: StudyCheck | None) -> Iterator[FindingGroup]:
    if study:
        yield study.group
    yield check_terminal(os.environ)
    yield check_slurm(os.environ)
    yield check_directory(directory)
    yield check_machine(os.environ)


def _print_findings(parts: Iterator[FindingGroup], paint: Paint) -> list[FindingGroup]:
    """Print each group of findings as soon as it is known, because Slurm may be slow."""
    print(
        f"mtui {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}", flush=True
    )
    found: list[FindingGroup] = []
    for part in parts:
        print("\n".join(["", *part_lines(part, paint)]), flush=True)
        found.append(part)
    notes, problems = (
        sum(finding.level is level for part in found for finding in part.findings)
        for level in (Level.NOTE, Level.PROBLEM)
    )
    print(f"\n{_summary(notes, problems)}")
    return found


def _summary(notes: int, problems: int) -> str:
    if problems:
        return f"{plural(problems, 'problem')}, {plural(notes, 'note')}"
    return "mtui can work here" + (f"; {plural(notes, 'note')}" if notes else "")


def part_lines(part: FindingGroup, paint: Paint) -> list[str]:
    """Return a heading, and for each finding a line with its level, followed by what mtui does about it."""
    lines = [paint.bold(safe(part.title))]
    width = max((cell_width(finding.subject) for finding in part.findings), default=0)
    for finding in part.findings:
        lines += _finding_lines(finding, width, paint)
    return lines


def _finding_lines(finding: Finding, width: int, paint: Paint) -> list[str]:
    level = paint(_COLOURS[finding.level], f"{finding.level.value:<8}")
    margin = " " * (12 + width)
    first, *more = textwrap.wrap(safe(finding.found), _WIDTH - len(margin)) or [""]
    then = textwrap.wrap(safe(finding.then), _WIDTH - len(margin) - 2)
    return [
        f"  {level}{pad(finding.subject, width)}  {first}",
        *(f"{margin}{line}" for line in more),
        *(paint.dim(f"{margin}{'> ' if number == 0 else '  '}{line}") for number, line in enumerate(then)),
    ]


def record_of(parts: Sequence[FindingGroup]) -> dict[str, object]:
    """Return the findings as a JSON record."""
    return {
        "findings": [
            {
                "part": part.title,
                "subject": finding.subject,
                "level": finding.level.value,
                "found": finding.found,
                "then": finding.then,
            }
            for part in parts
            for finding in part.findings
        ]
    }
