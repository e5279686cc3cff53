"""The part of `mtui doctor DIR` for the directory of a study: shows what can be repaired, asks, and repairs it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from ....core.doctor.study_check import Repair, StudyCheck, check_study
from ....core.errors import StudyDirectoryError
from ....core.store.lease import Lease
from ....core.store.study_directory import StudyDirectory, require_own
from ...views.text import Paint, plural, print_text, safe
from ..question import agrees


def propose_repairs(check: StudyCheck, directory: StudyDirectory, *, yes: bool, paint: Paint) -> StudyCheck:
    """Print the repairs, carry them out if the user agrees, and return how the study is then.

    Raises StudyBusyError if a driver holds the study, StudyDirectoryError if a repair fails.
    """
    if not check.repairs:
        return check
    print(f"\n{paint.bold('Repairs')}")
    for number, repair in enumerate(check.repairs, 1):
        print_text(f"  {number}. {safe(repair.action)}")
    if not yes and not _agreed(directory):
        return check
    carry_out(check.repairs, directory)
    print(f"{plural(len(check.repairs), 'repair')} applied")
    return check_study(directory)


def carry_out(repairs: Sequence[Repair], directory: StudyDirectory) -> None:
    """Carry repairs out while no driver can hold the study. Raises StudyBusyError, StudyDirectoryError."""
    require_own(directory)
    try:
        directory.owner.mkdir(exist_ok=True)
        lease = Lease.acquire(directory.owner)
        try:
            for repair in repairs:
                repair.carry_out()
        finally:
            lease.release()
    except OSError as error:
        raise StudyDirectoryError(f"cannot repair {error.filename or directory.root}: {error.strerror}") from None


def _agreed(directory: StudyDirectory) -> bool:
    if not sys.stdin.isatty():
        print_text(f"Nothing was changed. To apply the repairs: mtui doctor -y {shlex.quote(str(directory.root))}")
        return False
    return agrees("Apply the repairs?")
