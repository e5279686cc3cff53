"""Which directories are studies, and what is called what in them: known at a press of TAB, so no plan is read."""

from __future__ import annotations

import re
from pathlib import Path

from ..file_reading import WHOLE, read_bytes

STUDY_FILE = Path(".mtui", "study.json")  # in a study's directory

# As study_file.py writes them. Names that JSON writes with an escape are passed over.
_STEP = re.compile(rb'\{"index":\d+,"name":"([^"\\]+)"')
_INSTANCE = re.compile(rb'\["([^"\\]+)",\d')


def is_study(directory: Path) -> bool:
    try:
        return (directory / STUDY_FILE).is_file()
    except OSError:  # it may not be looked into
        return False


def names_in(directory: Path) -> tuple[list[str], list[str]]:
    """The names of a study's steps and of its instances, in their order; raises OSError if there is none."""
    data = read_bytes(directory / STUDY_FILE, WHOLE)
    steps, instances = data.rfind(b'"steps":[{'), data.rfind(b'"instances":[[')
    if min(steps, instances) < 0:
        return [], []
    return _text(_STEP.findall(data, steps, instances)), _text(_INSTANCE.findall(data, instances))


def _text(names: list[bytes]) -> list[str]:
    return b"\n".join(names).decode("utf-8", "replace").split("\n") if names else []
