"""The questions before a start: of a study that asks for much, and of one that was only made to be looked at."""

from __future__ import annotations

import sys

from ....core.errors import UsageError
from ....core.plan.cost import cost_of
from ....core.start import Planned
from ....core.store.layout import StudyDirectory
from ....core.store.study_file import StudyFile
from ...views.text import safe


def confirm_cost(planned: Planned, *, yes: bool) -> bool:
    """Whether to start. Raises UsageError if somebody should be asked and nobody is there."""
    cost = cost_of(planned.plan)
    if yes or not planned.confirm or cost.node_hours <= planned.confirm:
        return True
    words = f"{safe(planned.study.name)} may use up to {cost.node_hours:,.1f} node-hours"
    hint = "-y starts it all the same; mtui plan shows what it asks for"
    return _start_it(words, f", more than {planned.confirm:,g} ('confirm')", hint)


def confirm_dry_run(directory: StudyDirectory, study: StudyFile, *, yes: bool) -> bool:
    """Whether to start what `--dry` has made, if nothing of it has run. Raises UsageError as above."""
    if yes or not study.settings.dry or any(directory.journal.glob("*.jsonl")):
        return True
    words = f"{safe(study.plan.name)} was made by --dry, and nothing of it has run"
    return _start_it(words, "", "-y starts it; its scripts can be looked at where they are")


def _start_it(words: str, more: str, hint: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"{words}{more}", hint)
    print(f"{words}. Start it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
