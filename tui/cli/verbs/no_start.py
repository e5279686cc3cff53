"""What `-n` and `--dry --usetmp` do: everything up to the start of a study, without a study directory."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ....core.backends.batch import require_batch_system
from ....core.errors import EXIT_FINISHED, UsageError
from ....core.start import Planned, PlanOptions, plan_study, write_all
from ....core.store.dependencies import check_paths
from ....core.store.layout import StudyDirectory
from ...views.text import plural, safe, safe_lines


def only_check(spec: Path, options: PlanOptions) -> int:
    """Check what a start checks, make nothing; the exit code."""
    planned = _planned(spec, options)
    check_paths(planned.plan.dependencies)
    require_batch_system(planned.plan)
    print(f"{safe(planned.plan.name)}: {plural(len(planned.plan.instances), 'instance')}. Not started; nothing made.")
    if Path(planned.plan.out).exists():
        print(f"{safe(planned.plan.out)} exists already: a start would need another directory.")
    return EXIT_FINISHED


def scripts_elsewhere(spec: Path, options: PlanOptions) -> int:
    """Write all scripts as they would be, but into a temporary directory; the exit code."""
    plan = _planned(spec, options).plan
    try:
        folder = Path(tempfile.mkdtemp(prefix="mtui-"))
    except OSError as error:
        raise UsageError(
            f"cannot make a temporary directory: {error.strerror}", "set TMPDIR to one with room"
        ) from None
    write_all(StudyDirectory(folder), plan)
    print(f"{plural(len(plan.instances), 'script')} written in {folder}; nothing was run")
    return EXIT_FINISHED


def _planned(spec: Path, options: PlanOptions) -> Planned:
    planned = plan_study(spec, options)
    for problem in planned.warnings:
        print(safe_lines(problem.text(planned.study.file)), file=sys.stderr)
    return planned
