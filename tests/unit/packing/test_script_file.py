"""A worker refuses the scripts that job.sh refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtui.core.packing.script_file import ScriptRefused, open_script


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a.sh").write_text("true\n")
    (tmp_path / "a.sh").chmod(0o744)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def why(workspace: Path) -> str:
    with pytest.raises(ScriptRefused) as caught:
        open_script(str(workspace), "a.sh")
    path, _, reason = str(caught.value).partition(" is not run: ")
    assert path == f"{workspace}/a.sh"
    return reason


def opened(workspace: Path) -> tuple[bytes, bool]:
    descriptor, by_name = open_script(str(workspace), "a.sh")
    try:
        return os.read(descriptor, 100), by_name
    finally:
        os.close(descriptor)


def test_script_of_the_user_is_run_by_its_name(workspace: Path) -> None:
    assert opened(workspace) == (b"true\n", True)


@pytest.mark.parametrize("mode", [0o764, 0o746])
def test_script_that_others_may_write_is_refused(workspace: Path, mode: int) -> None:
    (workspace / "a.sh").chmod(mode)
    assert why(workspace) == "others may write to it (chmod go-w)"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_script_of_another_user_is_refused(workspace: Path) -> None:
    os.chown(workspace / "a.sh", 65534, 65534)
    assert why(workspace) == "it belongs to another user"


def test_script_that_a_power_cut_emptied_is_refused(workspace: Path) -> None:
    (workspace / "a.sh").write_bytes(b"")
    assert why(workspace) == "it is empty, as after a power cut"


def test_other_than_a_regular_file_is_refused(workspace: Path) -> None:
    (workspace / "a.sh").unlink()
    with pytest.raises(FileNotFoundError):
        open_script(str(workspace), "a.sh")
    os.mkfifo(workspace / "a.sh")
    assert why(workspace) == "it is not a regular file"


@pytest.mark.parametrize(("mode", "by_name"), [(0o775, False), (0o777, False), (0o1777, True), (0o755, True)])
def test_what_was_opened_runs_where_others_could_replace_it(workspace: Path, mode: int, by_name: bool) -> None:
    workspace.chmod(mode)
    assert opened(workspace) == (b"true\n", by_name)


def test_link_is_not_followed_twice(workspace: Path) -> None:
    (workspace / "a.sh").rename(workspace / "b.sh")
    (workspace / "a.sh").symlink_to("b.sh")
    assert opened(workspace) == (b"true\n", False)
