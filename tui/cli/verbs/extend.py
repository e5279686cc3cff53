"""`mtui extend DIR`: adds parameter rows to a study that was started."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ....core.durable_files import write_durably
from ....core.engine.status import LIVE
from ....core.errors import EXIT_FINISHED, StudyDirectoryError, UsageError
from ....core.plan.extend import extend_plan, widened_funnels
from ....core.store.study_directory import StudyDirectory, require_place
from ....core.store.study_file import write_study_file
from ....core.store.study_reader import read_study
from ....core.study_creation import PlanOptions, plan_study
from ...views.text import plural, print_text, safe
from .send_command import send_and_print


def extend(directory: StudyDirectory, spec: Path | None, options: PlanOptions) -> int:
    """Add the rows that the study does not have yet; return the exit code.

    `spec` is a study file with more rows; None means the study's own file, with `--params` of the options applied.
    Raises UsageError if the parameters differ from those of the study, or if there is no new row.
    """
    study, state = read_study(directory)
    require_place(directory, study.plan)
    file = spec or directory.root / "study.yaml"
    if spec is None:
        options = replace(options, **_as_begun(study.given, options))
    planned = plan_study(file, replace(options, out=str(directory.root)))
    plan = extend_plan(study.plan, planned.plan.parameters)
    added = len(plan.instances) - len(study.plan.instances)
    if not added:
        raise UsageError("the study already has all these rows", "add values, for example --params SIZE=40,50")
    claim = _claim(directory, len(plan.sizes))
    try:
        if spec:
            _keep(spec, directory.root / f"study-{len(plan.sizes)}.yaml")
        write_study_file(directory.study_file, replace(study, plan=plan))
    except StudyDirectoryError:
        claim.unlink(missing_ok=True)
        raise
    rows = len(plan.parameters.labels[0]) - len(study.plan.parameters.labels[0])
    print_text(f"{plural(rows, 'row')} with {plural(added, 'instance')} added to {safe(plan.name)}.")
    wider = set(widened_funnels(plan, len(study.plan.instances)))
    late = [index for index in sorted(wider | state.below(wider)) if state.status[index] in LIVE]
    if late:
        names = ", ".join(safe(plan.instances[index].name) for index in late[:3])
        more = f" and {len(late) - 3:,} more" if len(late) > 3 else ""
        print_text(
            f"Submitted or running without the new rows: {names}{more}. They are withdrawn, or run again afterwards."
        )
    send_and_print(directory, "extend", (), {})
    return EXIT_FINISHED


def _as_begun(given: Sequence[str], options: PlanOptions) -> dict[str, list[str]]:
    """Return the options with the values that the study was started with, except for names that are given again."""
    words = list(zip(given[::2], given[1::2], strict=True))

    def joined(option: str, now: Sequence[str]) -> list[str]:
        named = {word.partition("=")[0] for word in now}
        return [*(word for name, word in words if name == option and word.partition("=")[0] not in named), *now]

    return {"params": joined("--params", options.params), "entries": joined("--set", options.entries)}


def _claim(directory: StudyDirectory, number: int) -> Path:
    """Create the file that keeps other processes from extending the study; raise UsageError if it exists."""
    claim = directory.home / f"extended-{number}"
    try:
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        hint = f"if that process was killed, remove {claim}"
        raise UsageError("another 'mtui extend' is changing this study", hint) from None
    except OSError as error:
        raise StudyDirectoryError(f"cannot write {claim}: {error.strerror}") from None
    return claim


def _keep(spec: Path, copy: Path) -> None:
    try:
        write_durably(copy, spec.read_bytes())
    except OSError as error:
        raise StudyDirectoryError(f"cannot write {copy}: {error.strerror}") from None
