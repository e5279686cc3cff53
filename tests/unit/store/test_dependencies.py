"""What a study depends on is there before it starts, or it does not start."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mtui.core.errors import DependencyError
from mtui.core.spec.model import Dependency, DependencyKind
from mtui.core.store.dependencies import check_paths, clone_all


def path(target: Path) -> Dependency:
    return Dependency(DependencyKind.PATH, "DATA", str(target))


def git(source: Path, target: Path, checkout: str = "") -> Dependency:
    return Dependency(DependencyKind.GIT, "CODE", str(target), str(source), checkout)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a tag, and one commit after it."""
    folder = tmp_path / "source"
    for command in (
        ["init", "-q", str(folder)],
        ["-C", str(folder), "commit", "-q", "--allow-empty", "-m", "one"],
        ["-C", str(folder), "tag", "first"],
        ["-C", str(folder), "commit", "-q", "--allow-empty", "-m", "two"],
    ):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *command], check=True, capture_output=True)
    return folder


def subject(folder: Path) -> str:
    command = ["git", "-C", str(folder), "log", "-1", "--format=%s"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_path_has_to_be_there(tmp_path: Path) -> None:
    check_paths([path(tmp_path)])
    with pytest.raises(DependencyError, match=r"'DATA' is not there: .*gone"):
        check_paths([path(tmp_path), path(tmp_path / "gone")])


def test_place_of_a_clone_has_to_be_free(tmp_path: Path) -> None:
    check_paths([git(tmp_path, tmp_path / "new")])
    with pytest.raises(DependencyError, match=r"'CODE' cannot be cloned: .* exists"):
        check_paths([git(tmp_path, tmp_path)])


@pytest.mark.parametrize(("checkout", "message"), [("", "two"), ("first", "one")], ids=["newest", "tag"])
def test_repository_is_cloned_at_what_was_asked_for(tmp_path: Path, source: Path, checkout: str, message: str) -> None:
    target = tmp_path / "clone of it"
    clone_all([path(tmp_path), git(source, target, checkout)])
    assert subject(target) == message


@pytest.mark.parametrize("what", ["source", "checkout"])
def test_failure_of_git_is_told_in_its_own_words(tmp_path: Path, source: Path, what: str) -> None:
    wrong = git(tmp_path / "gone", tmp_path / "c") if what == "source" else git(source, tmp_path / "c", "nosuch")
    with pytest.raises(DependencyError, match=r"'CODE': .*(gone|nosuch)"):
        clone_all([wrong])


def test_git_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="git cannot be started"):
        clone_all([git(tmp_path, tmp_path / "c")])
