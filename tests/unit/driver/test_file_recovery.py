"""After a power cut the files of attempts that have not begun are written again. Other files are not read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from mtui.core.backends.slurm import write_array_task
from mtui.core.driver.file_recovery import restore_files
from mtui.core.engine import events as ev
from mtui.core.store.lease_owner import Owner, boot_id
from mtui.core.store.study_directory import prepare_attempt
from tests.plans import step
from tests.unit.driver.fake_context import FakeContext
from tests.unit.engine.script import intend, started, submitted


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    """A study whose two instances wait in Slurm as tasks of an array, submitted by the driver of epoch 1."""
    context = FakeContext(tmp_path, step("a", uses="X"), rows={"X": [1, 2]})
    plan = context.plan
    for instance in plan.instances:
        prepare_attempt(context.directory, plan, instance, 1)
    context.emit(intend("1-1", (0, 1), (1, 1), tasks=(0, 1)))
    context.emit(submitted("1-1", "7"))
    folder = context.directory.home / "submit" / "1-1"
    folder.mkdir(parents=True)
    for task in (0, 1):
        write_array_task(folder, task, context.attempt_files(task, 1, {}), str(context.directory.root))
    context.fake_log.events.clear()
    return context


def owned(context: FakeContext, boot: str) -> None:
    """The driver that submitted them ran on this host, in that boot."""
    owner = Owner(1, context.host, boot, 1, "", 1.0)
    (context.directory.owner / "000001").write_text(json.dumps(asdict(owner)))


def files(context: FakeContext) -> dict[str, bytes]:
    return {
        str(path.relative_to(context.directory.root)): path.read_bytes()
        for path in sorted(context.directory.root.rglob("*"))
        if path.is_file() and ("submit/" in str(path) or path.suffix == ".sh")
    }


def test_damaged_scripts_tasks_and_runners_are_written_again(context: FakeContext) -> None:
    owned(context, "the boot before")
    whole = files(context)
    for name in whole:
        (context.directory.root / name).write_bytes(b"")

    restore_files(context)

    assert files(context) == whole
    (event,) = context.fake_log.events
    assert isinstance(event, ev.Anomaly)
    assert event.message.startswith("files that a power cut had damaged were written again: .mtui/job.sh, ")
    assert event.message.endswith(" and 3 more")


def test_folder_of_an_array_that_is_gone_is_written_again(context: FakeContext) -> None:
    owned(context, "the boot before")
    whole = files(context)
    folder = context.directory.home / "submit" / "1-1"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

    restore_files(context)

    assert files(context) == whole
    assert (folder / "1.out").is_symlink()


def test_script_of_an_instance_that_runs_is_left_alone(context: FakeContext) -> None:
    owned(context, "the boot before")
    context.emit(started(0, job="7_0"))
    script = Path(context.attempt_files(0, 1, {}).script)
    script.write_bytes(b"")

    restore_files(context)

    assert script.read_bytes() == b""


def test_without_a_reboot_no_script_is_read(context: FakeContext) -> None:
    owned(context, boot_id())
    script = Path(context.attempt_files(0, 1, {}).script)
    script.write_bytes(b"")

    restore_files(context)

    assert script.read_bytes() == b""
    assert context.fake_log.events == []


def test_directory_that_cannot_be_written_delays_the_recovery_and_nothing_else(
    context: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> list[str]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mtui.core.driver.file_recovery.restore_layout", full)
    restore_files(context)
    assert context.fake_log.events == []
