"""The study directory: how it is made, and what `prepare` does to it and leaves alone."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.errors import StudyDirectoryError
from mtui.core.plan.study_plan import Instance, Plan
from mtui.core.store.study_directory import (
    StudyDirectory,
    create_directory,
    new_directory_name,
    open_study,
    prepare_attempt,
)
from tests.plans import plan, step

NOW = time.struct_time((2031, 2, 3, 14, 5, 6, 0, 0, 0))


@pytest.fixture
def made(tmp_path: Path) -> StudyDirectory:
    return create_directory(tmp_path / "out", "text: ä\n", [])


def study(directory: StudyDirectory) -> tuple[Plan, Instance]:
    """A plan for the directory, and an instance of it with parameters."""
    made = plan(step("a", uses="X"), step("b", "a_*"), rows={"X": [1, 2]}, out=str(directory.root))
    return made, made.instances[1]


def contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".mtui" not in path.parts
    }


# --- names


@pytest.mark.parametrize(
    ("name", "output_path", "expected"),
    [
        ("study", "", "/home/here/study_20310203-140506"),
        ("a study: 1/2", "", "/home/here/a_study_12_20310203-140506"),
        ("s", "runs", "/home/here/runs/s_20310203-140506"),
        ("s", "./runs/../other/", "/home/here/other/s_20310203-140506"),
        ("s", "..", "/home/s_20310203-140506"),
        ("s", "/data/x", "/data/x/s_20310203-140506"),
        ("s", "~", "/users/ann/s_20310203-140506"),
        ("s", "~/runs", "/users/ann/runs/s_20310203-140506"),
    ],
)
def test_new_directory_is_named_as_maestro_does(
    monkeypatch: pytest.MonkeyPatch, name: str, output_path: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/users/ann")
    assert new_directory_name(name, output_path, "/home/here", NOW) == expected


# --- making one


def test_new_study_directory_has_its_folders_and_a_copy_of_its_spec(tmp_path: Path) -> None:
    extra = tmp_path / "pgen.py"
    extra.write_text("# generator\n")
    directory = create_directory(tmp_path / "deep" / "er" / "out", "text: ä\n", [extra])
    assert (directory.root / "study.yaml").read_text(encoding="utf-8") == "text: ä\n"
    assert (directory.root / "pgen.py").read_text() == "# generator\n"
    assert directory.spool == directory.home / "spool" / "new"
    for folder in (directory.journal, directory.owner, directory.spool, directory.claims.folder):
        assert folder.is_dir()
        assert list(folder.iterdir()) == []
    subprocess.run(["sh", "-n", directory.home / "job.sh"], check=True)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_home_of_a_study_is_private(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        directory = create_directory(tmp_path / "out", "", [])
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.home.stat().st_mode) == 0o700


@pytest.mark.parametrize(("umask", "workspace"), [(0o000, 0o777), (0o002, 0o775), (0o022, 0o755), (0o077, 0o700)])
def test_only_workspaces_follow_the_umask(tmp_path: Path, umask: int, workspace: int) -> None:
    """Who can write to a script runs code as the user; who can write to the study's directory replaces any of them."""
    before = os.umask(umask)
    try:
        directory = create_directory(tmp_path / "out", "", [])
        plan, instance = study(directory)
        prepare_attempt(directory, plan, instance, 1)
    finally:
        os.umask(before)
    folder = directory.workspace(instance)
    assert stat.S_IMODE(folder.stat().st_mode) == workspace
    script = folder / plan.script_name(instance)
    assert stat.S_IMODE(script.stat().st_mode) == 0o744 & ~umask
    assert stat.S_IMODE(directory.root.stat().st_mode) == 0o755 & ~umask


def test_script_that_others_could_write_is_written_again(made: StudyDirectory) -> None:
    """As an earlier version left it under another umask: the text may be the same, its writer may not be done."""
    plan, instance = study(made)
    prepare_attempt(made, plan, instance, 1)
    script = made.workspace(instance) / plan.script_name(instance)
    text = script.read_text()
    script.chmod(0o764)
    with script.open("r+") as held:
        prepare_attempt(made, plan, instance, 1)
        held.write("rm -rf x")
    assert script.read_text() == text
    assert not script.stat().st_mode & 0o022


@pytest.mark.parametrize("kind", ["folder", "full folder", "file", "dangling link"])
def test_what_exists_is_never_reused(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    match kind:
        case "folder":
            out.mkdir()
        case "full folder":
            out.mkdir()
            (out / "results").write_text("precious")
        case "file":
            out.write_text("precious")
        case _:
            out.symlink_to("nowhere")
    before = {str(path): path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(StudyDirectoryError, match=r"out already exists"):
        create_directory(out, "", [])
    assert {str(path): path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "out", tmp_path / "file" / "deeper" / "out"):
        with pytest.raises(StudyDirectoryError, match=r"cannot create .*file.*: Not a directory"):
            create_directory(out, "", [])


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(StudyDirectoryError, match=r"gone\.py"):
        create_directory(tmp_path / "out", "", [tmp_path / "gone.py"])
    assert list(tmp_path.iterdir()) == []


def test_study_is_opened_from_any_path_to_it(made: StudyDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    made.study_file.write_text("{}")
    monkeypatch.chdir(made.root)
    assert open_study(Path()).root == made.root
    monkeypatch.chdir(made.root.parent)
    assert open_study(Path("out")).root == made.root


@pytest.mark.parametrize("name", ["gone", "", "out/study.yaml"])
def test_what_is_no_study_is_not_opened(made: StudyDirectory, name: str) -> None:
    with pytest.raises(StudyDirectoryError, match="is not a study directory"):
        open_study(made.root.parent / name)


def test_study_whose_creation_was_interrupted_is_reported_as_such(made: StudyDirectory) -> None:
    with pytest.raises(StudyDirectoryError, match="not created completely, and no instance has run"):
        open_study(made.root)
    (made.journal / "000001.jsonl").touch()
    with pytest.raises(StudyDirectoryError, match=r"the plan .* is missing: .*study\.json"):
        open_study(made.root)


# --- preparing an instance


def test_prepared_instance_has_its_script_and_its_link(made: StudyDirectory) -> None:
    plan, instance = study(made)
    prepare_attempt(made, plan, instance, 1)
    assert set(contents(made.root)) == {"study.yaml", "a/X.2/a_X.2.slurm.sh"}
    script = made.root / "a/X.2/a_X.2.slurm.sh"
    assert script.read_text().startswith("#!/bin/bash\n#SBATCH ")
    assert os.access(script, os.X_OK)
    assert (made.root / "a_X.2").readlink() == Path("a/X.2")
    assert (made.root / "a_X.2" / "a_X.2.slurm.sh").samefile(script)


def test_instance_without_parameters_needs_no_link(made: StudyDirectory) -> None:
    plan, _ = study(made)
    prepare_attempt(made, plan, plan.instances[2], 1)
    assert sorted(path.name for path in made.root.iterdir()) == [".mtui", "b", "study.yaml"]


def test_preparing_again_changes_nothing(made: StudyDirectory) -> None:
    plan, instance = study(made)
    prepare_attempt(made, plan, instance, 1)
    made.stdout(instance).write_text("words")
    before = contents(made.root)
    prepare_attempt(made, plan, instance, 1)
    assert contents(made.root) == before


def test_script_is_replaced_under_a_shell_that_reads_it(made: StudyDirectory) -> None:
    plan, instance = study(made)
    prepare_attempt(made, plan, instance, 1)
    with (made.root / "a/X.2/a_X.2.slurm.sh").open() as read_by_a_shell:
        first = read_by_a_shell.readline()
        prepare_attempt(made, plan, instance, 1, {"procs": "7"})
        script = first + read_by_a_shell.read()
        assert "--ntasks=1\n" in script
        assert script != (made.root / "a/X.2/a_X.2.slurm.sh").read_text()
        assert os.fstat(read_by_a_shell.fileno()).st_nlink == 0  # its file was left alone


def test_script_shows_what_a_retry_has_changed(made: StudyDirectory) -> None:
    plan, instance = study(made)
    script = made.root / "a/X.2/a_X.2.slurm.sh"
    prepare_attempt(made, plan, instance, 1)
    before = script.read_text()
    prepare_attempt(made, plan, instance, 2, {"procs": "7", "walltime": "0:10:00"})
    assert script.read_text() == before.replace("--ntasks=1\n", "--ntasks=7\n").replace(
        "--job-name", "--time=0:10:00\n#SBATCH --job-name"
    )


def test_script_that_a_retry_writes_otherwise_is_kept_beside_it(made: StudyDirectory) -> None:
    plan, instance = study(made)
    script = made.root / "a/X.2/a_X.2.slurm.sh"
    prepare_attempt(made, plan, instance, 1)
    as_planned = script.read_text()
    script.write_text("echo edited by hand\n")
    prepare_attempt(made, plan, instance, 2)
    prepare_attempt(made, plan, instance, 2)  # was put off by a limit
    prepare_attempt(made, plan, instance, 3)
    prepare_attempt(made, plan, instance, 4, {"procs": "7"})
    found = contents(script.parent)
    assert found["a_X.2.slurm.1.sh"] == "echo edited by hand\n"
    assert found["a_X.2.slurm.3.sh"] == as_planned
    assert found["a_X.2.slurm.sh"] == as_planned.replace("--ntasks=1\n", "--ntasks=7\n")
    assert len(found) == 3, "one that says the same is not kept twice"


def test_output_of_each_attempt_is_kept(made: StudyDirectory) -> None:
    plan, instance = study(made)
    for attempt in (1, 2, 3):
        prepare_attempt(made, plan, instance, attempt)
        made.stdout(instance).write_text(f"out of {attempt}")
        made.stderr(instance).write_text(f"err of {attempt}")
    found = contents(made.root / "a" / "X.2")
    assert {name: text for name, text in found.items() if not name.endswith(".sh")} == {
        "a_X.2.1.out": "out of 1",
        "a_X.2.1.err": "err of 1",
        "a_X.2.2.out": "out of 2",
        "a_X.2.2.err": "err of 2",
        "a_X.2.out": "out of 3",
        "a_X.2.err": "err of 3",
    }


def test_attempt_that_is_prepared_twice_keeps_what_it_has_and_what_came_before(made: StudyDirectory) -> None:
    plan, instance = study(made)
    prepare_attempt(made, plan, instance, 1)
    made.stdout(instance).write_text("out of 1")
    prepare_attempt(made, plan, instance, 2)  # was put off by a limit
    prepare_attempt(made, plan, instance, 2)  # got no clear answer, and runs after all
    made.stdout(instance).write_text("out of 2")
    prepare_attempt(made, plan, instance, 2)
    assert made.stdout(instance).read_text() == "out of 2"
    assert (made.workspace(instance) / "a_X.2.1.out").read_text() == "out of 1"


def test_second_attempt_of_one_that_never_wrote_is_no_error(made: StudyDirectory) -> None:
    plan, instance = study(made)
    prepare_attempt(made, plan, instance, 1)
    prepare_attempt(made, plan, instance, 2)
    assert set(contents(made.root / "a" / "X.2")) == {"a_X.2.slurm.sh"}


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_link_does_not_take_the_place_of_something_else(made: StudyDirectory, kind: str) -> None:
    plan, instance = study(made)
    there = made.root / "a_X.2"
    match kind:
        case "file":
            there.write_text("precious")
        case "folder":
            there.mkdir()
        case _:
            there.symlink_to("elsewhere")
    before = there.lstat().st_ino
    prepare_attempt(made, plan, instance, 1)
    assert there.lstat().st_ino == before


def test_link_does_not_take_the_place_of_another_steps_directory(made: StudyDirectory) -> None:
    both = plan(step("a", uses="X"), step("a_X.2", uses="Y"), rows={"X": [1, 2], "Y": [3, 4]}, out=str(made.root))
    for instance in both.instances:
        prepare_attempt(made, both, instance, 1)
    assert not (made.root / "a_X.2").is_symlink()
    assert sorted(path.name for path in (made.root / "a" / "X.2").iterdir()) == ["a_X.2.slurm.sh"]
    assert sorted(path.name for path in (made.root / "a_X.2").iterdir()) == ["Y.3", "Y.4"]


def test_restart_script_is_beside_the_script(made: StudyDirectory) -> None:
    restarting = plan(replace(step("a"), restart="echo again"), out=str(made.root))
    prepare_attempt(made, restarting, restarting.instances[0], 1)
    assert "echo again" in (made.root / "a" / "a.restart.slurm.sh").read_text()


def test_workspace_that_is_a_file_is_an_error(made: StudyDirectory) -> None:
    plan, instance = study(made)
    (made.root / "a").write_text("in the way")
    with pytest.raises(OSError, match="a"):
        prepare_attempt(made, plan, instance, 1)


def test_script_for_a_directory_whose_name_is_not_utf8(tmp_path: Path) -> None:
    directory = create_directory(tmp_path / "\udce9tude", "", [])
    one = plan(step("a", cmd="cd $(WORKSPACE)"), out=str(directory.root))
    prepare_attempt(directory, one, one.instances[0], 1)
    script = directory.workspace(one.instances[0]) / "a.slurm.sh"
    assert b"cd " + os.fsencode(directory.root) in script.read_bytes()


def test_longest_names_have_room_for_a_temporary_file(tmp_path: Path) -> None:
    directory = create_directory(tmp_path / "out", "", [])
    one = plan(step("n" * 230), out=str(directory.root))
    prepare_attempt(directory, one, one.instances[0], 1)
    assert (directory.workspace(one.instances[0]) / one.script_name(one.instances[0])).is_file()
