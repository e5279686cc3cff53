"""Verifies files of a study that a power cut may have damaged, and writes them again from plan and product.

Scripts are not synced one by one: a sweep writes many thousands. Verification only finds what a power cut leaves of a
file, since a user may have edited it, and a study keeps the job.sh of the version that created it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..durable_files import write_durably
from ..file_reading import WHOLE, read_bytes
from ..plan.instance_script import render
from ..plan.resource_changes import UNCHANGED
from ..plan.study_plan import Instance, Plan
from .study_directory import FOLDERS, StudyDirectory, replace_script, runner_sources

_BLOCK = 512  # bytes: a file that was not written to its end ends with a block of the file system, a multiple of this


def is_torn(data: bytes, whole: bytes) -> bool:
    """Whether data is what a power cut leaves of a file: nothing, unwritten blocks, or its first blocks."""
    if data == whole:
        return False
    return not data or b"\0" in data or (len(data) % _BLOCK == 0 and whole.startswith(data))


def missing_folders(directory: StudyDirectory) -> list[Path]:
    """The folders in `.mtui` that are not there."""
    return [folder for name in FOLDERS if not (folder := directory.home / name).is_dir()]


def torn_runners(directory: StudyDirectory) -> list[Path]:
    """The runner files (job.sh, fallback.sh) that are missing or incomplete. One of another version is complete.

    Raises OSError.
    """
    return [
        path
        for source in runner_sources()
        if _is_torn_runner(_read(path := directory.home / source.name), source.read_bytes())
    ]


def _is_torn_runner(data: bytes, ours: bytes) -> bool:
    lines = data.splitlines()
    return data != ours and (
        not lines or b"\0" in data or not data.endswith(b"\n") or lines[-1].split() != ours.splitlines()[-1].split()
    )


def restore_layout(directory: StudyDirectory) -> list[str]:
    """Create missing folders, and write torn runner files again; the names of what was restored. Raises OSError."""
    folders = missing_folders(directory)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    runners = torn_runners(directory)
    for source in runner_sources():
        if directory.home / source.name in runners:
            write_durably(directory.home / source.name, source.read_bytes())
    return [str(path.relative_to(directory.root)) for path in (*folders, *runners)]


def torn_scripts(
    directory: StudyDirectory, plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED
) -> dict[str, bytes]:
    """The scripts of an instance that are missing or torn, by name, as they should be. Raises OSError."""
    script = render(plan, instance, changes)
    texts = {plan.script_name(instance): script.body}
    if script.restart is not None:
        texts[plan.script_name(instance, restart=True)] = script.restart
    wanted = {name: text.encode("utf-8", "surrogateescape") for name, text in texts.items()}
    workspace = directory.workspace(instance)
    return {name: whole for name, whole in wanted.items() if is_torn(_read(workspace / name), whole)}


def restore_scripts(
    directory: StudyDirectory, plan: Plan, instance: Instance, changes: Mapping[str, str] = UNCHANGED
) -> list[str]:
    """Write the torn scripts of an instance again; their paths in the study. Raises OSError."""
    torn = torn_scripts(directory, plan, instance, changes)
    for name, whole in torn.items():
        directory.workspace(instance).mkdir(parents=True, exist_ok=True)
        replace_script(str(directory.workspace(instance)), name, whole)
    return [f"{instance.workspace}/{name}" for name in torn]


def _read(path: Path) -> bytes:
    """The content of a file; empty if it is not there."""
    try:
        return read_bytes(path, WHOLE)
    except (FileNotFoundError, NotADirectoryError):
        return b""
