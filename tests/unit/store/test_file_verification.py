"""What a power cut leaves of files that were not synced is recognized, and written again; nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtui.core.plan.instance_script import render
from mtui.core.store.file_verification import (
    is_torn,
    missing_folders,
    restore_layout,
    restore_scripts,
    torn_runners,
    torn_scripts,
)
from mtui.core.store.study_directory import StudyDirectory, create_directory, prepare_attempt, runner_sources
from tests.plans import plan, step

WHOLE = b"".join(b"line %d\n" % number for number in range(1000))


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    return create_directory(tmp_path / "out", "", [])


@pytest.mark.parametrize("data", [b"", WHOLE[:512], WHOLE[:4096], b"\0" * len(WHOLE), WHOLE[:4096] + b"\0" * 100])
def test_what_a_power_cut_leaves_is_torn(data: bytes) -> None:
    assert is_torn(data, WHOLE)


@pytest.mark.parametrize("data", [WHOLE, WHOLE[:500], b"#!/bin/sh\necho edited\n", WHOLE.replace(b"5", b"x"), b"\n"])
def test_what_a_user_has_edited_is_not_torn(data: bytes) -> None:
    assert not is_torn(data, WHOLE)


@pytest.mark.parametrize("name", ["job.sh", "fallback.sh"])
@pytest.mark.parametrize("length", [None, 0, 512, 4096])
def test_incomplete_runner_is_written_again(directory: StudyDirectory, name: str, length: int | None) -> None:
    path = directory.home / name
    whole = path.read_bytes()
    if length is None:
        path.unlink()
    else:
        path.write_bytes(whole[: min(length, len(whole) - 1)])
    assert torn_runners(directory) == [path]

    assert restore_layout(directory) == [f".mtui/{name}"]

    assert path.read_bytes() == whole
    assert restore_layout(directory) == []


def test_runner_of_another_version_is_kept(directory: StudyDirectory) -> None:
    for source in runner_sources():
        whole = source.read_bytes()
        (directory.home / source.name).write_bytes(whole.replace(b"#", b"# older", 3))
    assert torn_runners(directory) == []
    assert restore_layout(directory) == []


def test_missing_folders_are_created(directory: StudyDirectory) -> None:
    (directory.inbox / "new").rmdir()
    directory.spool.rmdir()
    assert missing_folders(directory) == [directory.spool, directory.inbox / "new"]
    assert restore_layout(directory) == [".mtui/spool/new", ".mtui/inbox/new"]
    assert missing_folders(directory) == []


@pytest.mark.parametrize("data", [None, b"", b"\0\0\0"])
def test_torn_script_is_written_again(directory: StudyDirectory, data: bytes | None) -> None:
    study = plan(step("a"), out=str(directory.root))
    instance = study.instances[0]
    prepare_attempt(directory, study, instance, 1)
    script = directory.workspace(instance) / study.script_name(instance)
    whole = script.read_bytes()
    assert torn_scripts(directory, study, instance) == {}
    if data is None:
        script.unlink()
    else:
        script.write_bytes(data)

    assert restore_scripts(directory, study, instance) == [f"a/{script.name}"]

    assert script.read_bytes() == whole == render(study, instance).body.encode()
    assert os.access(script, os.X_OK)
    assert [path.name for path in script.parent.iterdir()] == [script.name]


def test_edited_script_is_left_alone(directory: StudyDirectory) -> None:
    study = plan(step("a"), out=str(directory.root))
    instance = study.instances[0]
    prepare_attempt(directory, study, instance, 1)
    script = directory.workspace(instance) / study.script_name(instance)
    script.write_text("#!/bin/sh\necho edited\n")
    assert restore_scripts(directory, study, instance) == []
    assert script.read_text() == "#!/bin/sh\necho edited\n"


def test_script_whose_workspace_is_gone_is_written_again(directory: StudyDirectory) -> None:
    study = plan(step("a"), out=str(directory.root))
    assert restore_scripts(directory, study, study.instances[0]) == ["a/a.slurm.sh"]
