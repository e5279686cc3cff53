"""What runs belongs to the user: job.sh checks the script that it opened, and refuses what others may have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.backends.job_study import Study

NAME = "a 'b' c.slurm.sh"


def script(study: Study, text: str = "touch ran", mode: int = 0o744) -> Path:
    path = study.workspace / NAME
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def refused(study: Study, why: str) -> bool:
    """Whether nothing ran, and the reason is printed with the path."""
    record = next(record for record in study.records() if record["kind"] == "exit")
    assert (record["code"], record["error"]) == (77, f"{study.workspace / NAME} is not run: {why}")
    assert f"{study.workspace / NAME} is not run: {why}" in study.err.read_text()
    return not (study.workspace / "ran").exists()


@pytest.mark.parametrize("mode", [0o764, 0o746, 0o666, 0o020, 0o2664], ids=oct)
@pytest.mark.parametrize("local", [False, True], ids=["slurm", "local"])
def test_script_that_others_may_write_is_refused(study: Study, mode: int, local: bool) -> None:
    script(study, mode=mode)
    assert study.run("", local=local) == 77
    assert refused(study, "others may write to it (chmod go-w)")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("by_link", [False, True], ids=["itself", "through a link"])
def test_script_of_another_user_is_refused(study: Study, by_link: bool) -> None:
    path = script(study)
    if by_link:
        path = path.rename(study.workspace / "elsewhere")
        (study.workspace / NAME).symlink_to(path)
    os.chown(path, 65534, 65534)
    assert study.run("") == 77
    assert refused(study, "it belongs to another user")


@pytest.mark.parametrize("local", [False, True], ids=["slurm", "local"])
def test_script_that_a_power_cut_emptied_is_refused(study: Study, local: bool) -> None:
    """A shell would run it, with success."""
    script(study).write_bytes(b"")
    assert study.run("", local=local) == 77
    assert refused(study, "it is empty, as after a power cut")


@pytest.mark.parametrize("what", ["fifo", "directory", "device"])
def test_other_than_a_regular_file_is_refused(study: Study, what: str) -> None:
    path = study.workspace / NAME
    match what:
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to("/dev/zero")
    assert study.run("") == 77
    assert refused(study, "it is not a regular file")


@pytest.mark.parametrize("mode", [0o744, 0o700, 0o600, 0o444])
def test_script_that_only_its_owner_may_write_runs_under_its_name(study: Study, mode: int) -> None:
    path = script(study, 'echo "$0"', mode)
    assert study.run("") == 0
    assert study.out.read_text() == f"{path}\n"


@pytest.mark.parametrize("which", ["workspace", "above", "link"])
def test_what_was_checked_runs_where_others_could_replace_it(study: Study, which: str, tmp_path: Path) -> None:
    path = script(study, 'echo "$0"; readlink "$0"')
    match which:
        case "workspace":
            study.workspace.chmod(0o775)
        case "above":
            study.workspace.parent.chmod(0o777)
        case _:
            path = path.rename(tmp_path / "elsewhere")
            (study.workspace / NAME).symlink_to(path)
    assert study.run("") == 0
    assert study.out.read_text() == f"/proc/self/fd/8\n{path}\n"


def test_sticky_folder_of_another_user_is_accepted(study: Study) -> None:
    path = script(study, 'echo "$0"')
    study.workspace.chmod(0o1777)
    assert study.run("") == 0
    assert study.out.read_text() == f"{path}\n"
