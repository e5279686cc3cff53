"""`mtui doctor` names what is damaged in a study's directory, and repairs what follows from the rest."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mtui.core.doctor.finding import Finding, Level
from mtui.core.doctor.study_check import StudyCheck, check_study, is_study
from mtui.core.driver.file_recovery import restore_files
from mtui.core.store import study_file
from mtui.core.store.checkpoint import write_checkpoint
from mtui.core.store.inbox import send_command
from mtui.core.store.status_csv import write_status
from mtui.core.store.study_directory import StudyDirectory, prepare_attempt
from mtui.core.store.study_file import write_study_file
from tests.plans import step
from tests.unit.driver.fake_context import FakeContext


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    """A study whose only job waits in Slurm; all of its files are complete."""
    context = FakeContext(tmp_path, step("a"))
    directory = context.directory
    write_study_file(directory.study_file, context.study)
    prepare_attempt(directory, context.plan, context.plan.instances[0], 1)
    context.submit(0)
    context.log.sync()
    write_checkpoint(directory, context.study, context.state, {})
    write_status(directory.status_csv, context.state, 1.0)
    return context


def levels(check: StudyCheck) -> dict[str, Level]:
    return {finding.subject: finding.level for finding in check.group.findings if finding.level is not Level.GOOD}


def contents(directory: StudyDirectory) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory.root)): path.read_bytes() if path.is_file() else b""
        for path in sorted(directory.root.rglob("*"))
    }


def age(path: Path) -> None:
    os.utime(path, (1.0, 1.0))


def test_complete_study_has_no_findings(context: FakeContext) -> None:
    check = check_study(context.directory)
    assert (levels(check), check.repairs) == ({}, [])
    assert is_study(context.directory.root)
    assert not is_study(context.directory.home)


SCRIPT = "a/a.slurm.sh"
Damage = Callable[[StudyDirectory], object]
DAMAGES: dict[str, tuple[Damage, str, Level, str]] = {
    "job.sh": (lambda d: (d.home / "job.sh").write_bytes(b""), "layout", Level.PROBLEM, "create .mtui/job.sh"),
    "fallback.sh": (lambda d: (d.home / "fallback.sh").unlink(), "layout", Level.PROBLEM, "create .mtui/fallback.sh"),
    "folder": (lambda d: (d.inbox / "new").rmdir(), "layout", Level.PROBLEM, "create .mtui/inbox/new"),
    "script": (lambda d: (d.root / SCRIPT).write_bytes(b""), "scripts", Level.PROBLEM, "rewrite the scripts of a"),
    "checkpoint": (lambda d: d.checkpoint.write_bytes(b"{"), "checkpoint", Level.NOTE, "remove .mtui/checkpoint.jsonl"),
    "status.csv": (lambda d: d.status_csv.write_bytes(b""), "status.csv", Level.NOTE, "rewrite status.csv"),
    "no status.csv": (lambda d: d.status_csv.unlink(), "status.csv", Level.NOTE, "rewrite status.csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_and_repaired(context: FakeContext, name: str) -> None:
    damage, subject, level, action = DAMAGES[name]
    directory = context.directory
    whole = contents(directory)
    damage(directory)
    damaged = contents(directory)

    check = check_study(directory)

    assert contents(directory) == damaged, "nothing is changed by the check"
    assert levels(check) == {subject: level}
    assert [repair.action for repair in check.repairs] == [action]
    for repair in check.repairs:
        repair.carry_out()
    assert levels(check_study(directory)) == {}
    again = contents(directory)
    for changing in (".mtui/checkpoint.jsonl", "status.csv"):
        whole.pop(changing)
        again.pop(changing, None)
    assert again == whole


def test_leftovers_of_writers_are_removed_once_they_are_old(context: FakeContext) -> None:
    directory = context.directory
    left = [
        directory.root / ".status.csv.tmp",
        directory.inbox / "tmp" / "1-host",
        directory.owner / ".000002.7.ab.tmp",
    ]
    for path in left:
        path.write_text("x")
    assert levels(check_study(directory)) == {}
    for path in left:
        age(path)

    check = check_study(directory)

    assert levels(check) == {"leftovers": Level.NOTE}
    check.repairs[0].carry_out()
    assert not any(path.exists() for path in left)


def test_finding_without_a_repair_is_a_note(context: FakeContext) -> None:
    directory = context.directory
    (directory.owner / "000002").touch()
    with (directory.journal / "000001.jsonl").open("ab") as journal:
        journal.write(b'{"v":1,"type":"ende')
    send_command(directory.inbox, "stop", (), {})

    check = check_study(directory)

    assert levels(check) == {"owners": Level.NOTE, "journal": Level.NOTE, "inbox": Level.NOTE}
    assert check.repairs == []


def test_extension_that_was_interrupted_is_a_note(context: FakeContext) -> None:
    claim = context.directory.home / "extended-2"
    claim.touch()
    check = check_study(context.directory)
    (extension,) = [finding for finding in check.group.findings if finding.subject == "extension"]
    assert str(claim) in extension.then
    assert (levels(check), check.repairs) == ({"extension": Level.NOTE}, [])


@pytest.mark.parametrize("name", [".study.json.tmp", "study.tmp"])
def test_plan_is_taken_from_its_complete_copy(context: FakeContext, name: str) -> None:
    directory = context.directory
    whole = directory.study_file.read_bytes()
    (directory.home / name).write_bytes(whole)
    directory.study_file.write_bytes(b"")

    check = check_study(directory)

    assert levels(check) == {"plan": Level.PROBLEM}
    check.repairs[0].carry_out()
    assert directory.study_file.read_bytes() == whole


def test_missing_plan_is_not_repaired(context: FakeContext) -> None:
    context.directory.study_file.write_bytes(b"")
    check = check_study(context.directory)
    (plan,) = [finding for finding in check.group.findings if finding.subject == "plan"]
    assert (plan.level, check.repairs) == (Level.PROBLEM, [])
    assert "is empty" in plan.found
    assert "from a backup" in plan.then
    for segment in context.directory.journal.iterdir():
        segment.write_bytes(b"")
    (plan,) = [finding for finding in check_study(context.directory).group.findings if finding.subject == "plan"]
    assert plan.then == "no instance has run: remove the directory, and start the study again"


def test_damaged_journal_is_a_problem_without_a_repair(context: FakeContext) -> None:
    context.directory.checkpoint.unlink()
    segment = context.directory.journal / "000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b"submit_intended", b"submit\0intended", 1))
    check = check_study(context.directory)
    assert (levels(check), check.repairs) == ({"journal": Level.PROBLEM}, [])


def plan_finding(check: StudyCheck) -> Finding:
    (plan,) = [finding for finding in check.group.findings if finding.subject == "plan"]
    return plan


def of_newer_version(file: Path) -> bytes:
    return json.dumps({**json.loads(file.read_bytes()), "v": 99}).encode()


def test_plan_of_a_newer_version_is_left_alone(context: FakeContext) -> None:
    file = context.directory.study_file
    file.write_bytes(of_newer_version(file))
    check = check_study(context.directory)
    assert (levels(check), check.repairs) == ({"plan": Level.PROBLEM}, [])


def test_plan_of_a_newer_version_points_to_that_version_and_not_to_a_copy(context: FakeContext) -> None:
    file = context.directory.study_file
    (context.directory.home / ".study.json.tmp").write_bytes(file.read_bytes())
    file.write_bytes(of_newer_version(file))

    check = check_study(context.directory)

    assert plan_finding(check).then == "a newer mtui wrote it; use that version"
    assert check.repairs == []


def test_copy_of_a_newer_version_points_to_that_version(context: FakeContext) -> None:
    file = context.directory.study_file
    (context.directory.home / ".study.json.tmp").write_bytes(of_newer_version(file))
    file.write_bytes(b"")

    check = check_study(context.directory)

    assert plan_finding(check).then.endswith("a newer mtui wrote it; use that version")
    assert check.repairs == []


def damage_everything(directory: StudyDirectory) -> None:
    """Do what is repaired with a plan."""
    (directory.inbox / "new").rmdir()
    (directory.home / "job.sh").write_bytes(b"")
    left = directory.root / ".status.csv.tmp"
    left.write_text("x")
    age(left)


@pytest.mark.parametrize("plan", ["missing", "empty", "newer"])
def test_without_a_plan_nothing_else_is_repaired(context: FakeContext, plan: str) -> None:
    directory = context.directory
    file = directory.study_file
    damage_everything(directory)
    file.write_bytes(of_newer_version(file) if plan == "newer" else b"")
    if plan == "missing":
        file.unlink()

    check = check_study(directory)

    assert check.repairs == []
    found = levels(check)
    assert (found["plan"], found["layout"], found["leftovers"]) == (Level.PROBLEM, Level.PROBLEM, Level.NOTE)
    assert not any("repair:" in finding.then for finding in check.group.findings)


def test_plan_from_its_copy_is_repaired_before_everything_else(context: FakeContext) -> None:
    directory = context.directory
    (directory.home / ".study.json.tmp").write_bytes(directory.study_file.read_bytes())
    directory.study_file.unlink()
    damage_everything(directory)

    check = check_study(directory)

    assert check.repairs[0].action == "move .mtui/.study.json.tmp to .mtui/study.json"
    assert len(check.repairs) == 3
    for repair in check.repairs:
        repair.carry_out()
    assert levels(check_study(directory)) == {}


def test_plan_that_cannot_be_read_now_is_not_replaced_by_a_copy(
    context: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = context.directory
    (directory.home / ".study.json.tmp").write_bytes(directory.study_file.read_bytes())

    def broken(path: Path, most: int, real: Callable[[Path, int], bytes] = study_file.read_bytes) -> bytes:
        if path == directory.study_file:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path, most)

    monkeypatch.setattr(study_file, "read_bytes", broken)

    check = check_study(directory)

    assert plan_finding(check).then == "check it again when it is readable"
    assert check.repairs == []


def test_driver_restores_what_doctor_would(context: FakeContext) -> None:
    script = context.directory.root / "a/a.slurm.sh"
    script.write_bytes(b"")
    restore_files(context)
    assert levels(check_study(context.directory)) == {}
