"""What a study depends on is there before it starts, or it does not start."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mtui.core.errors import DependencyError
from mtui.core.spec.study_spec import Dependency, DependencyKind
from mtui.core.store.study_dependencies import check_paths, clone_repositories
from tests import mtui


def path(target: Path) -> Dependency:
    return Dependency(DependencyKind.PATH, "DATA", str(target))


def git(source: Path, target: Path, checkout: str = "") -> Dependency:
    return Dependency(DependencyKind.GIT, "CODE", str(target), str(source), checkout)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a tag and one commit after it, and a branch."""
    folder = tmp_path / "source"
    for command in (
        ["init", "-q", str(folder)],
        ["-C", str(folder), "commit", "-q", "--allow-empty", "-m", "one"],
        ["-C", str(folder), "tag", "first"],
        ["-C", str(folder), "branch", "side"],
        ["-C", str(folder), "commit", "-q", "--allow-empty", "-m", "two"],
        ["-C", str(folder), "checkout", "-q", "side"],
        ["-C", str(folder), "commit", "-q", "--allow-empty", "-m", "aside"],
        ["-C", str(folder), "checkout", "-q", "-"],
    ):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *command], check=True, capture_output=True)
    return folder


def reported(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True).stdout.strip()


def subject(folder: Path) -> str:
    return reported(folder, "log", "-1", "--format=%s")


def test_path_has_to_be_there(tmp_path: Path) -> None:
    check_paths([path(tmp_path)])
    with pytest.raises(DependencyError, match=r"'DATA' does not exist: .*gone"):
        check_paths([path(tmp_path), path(tmp_path / "gone")])


def test_plan_warns_at_its_place_of_what_a_start_refuses(tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    paths = "[{name: D, path: /no/such}]"
    step = "study: [{name: a, description: d, run: {cmd: x}}]"
    spec.write_text(f"description: {{name: s, description: d}}\nenv: {{dependencies: {{paths: {paths}}}}}\n{step}\n")
    reported = mtui.run("plan", spec)
    assert reported.returncode == 0
    assert f"{spec}:2:30: warning: dependency 'D' does not exist: /no/such" in reported.stdout


def test_place_of_a_clone_has_to_be_free(tmp_path: Path) -> None:
    check_paths([git(tmp_path, tmp_path / "new")])
    with pytest.raises(DependencyError, match=r"'CODE' cannot be cloned: .* exists"):
        check_paths([git(tmp_path, tmp_path)])


@pytest.mark.parametrize(
    ("checkout", "message"),
    [("", "two"), ("tags/first", "one"), ("side", "aside"), ("HASH", "one")],
    ids=["newest", "tag", "branch", "hash"],
)
def test_repository_is_cloned_at_the_requested_commit(
    tmp_path: Path, source: Path, checkout: str, message: str
) -> None:
    target = tmp_path / "clone of it"
    commit = reported(source, "rev-parse", "first") if checkout == "HASH" else checkout
    with clone_repositories([path(tmp_path), git(source, target, commit)]):
        assert subject(target) == message
    assert subject(target) == message


def contents(folder: Path) -> list[str]:
    return sorted(str(item.relative_to(folder)) for item in folder.rglob("*") if ".git" not in item.parts)


@pytest.mark.parametrize("what", ["source", "checkout"])
def test_failure_of_git_is_reported_in_its_own_words_and_leaves_nothing(
    tmp_path: Path, source: Path, what: str
) -> None:
    wrong = git(tmp_path / "gone", tmp_path / "c") if what == "source" else git(source, tmp_path / "c", "nosuch")
    before = contents(tmp_path)
    with pytest.raises(DependencyError, match=r"'CODE': .*(gone|nosuch)"), clone_repositories([wrong]):
        pass
    assert contents(tmp_path) == before


def test_second_clone_that_fails_takes_the_first_with_it(tmp_path: Path, source: Path) -> None:
    (tmp_path / "deps").mkdir()
    before = contents(tmp_path)
    both = [git(source, tmp_path / "deps" / "new" / "c"), git(source, tmp_path / "deps" / "new" / "d", "nosuch")]
    with pytest.raises(DependencyError, match="nosuch"), clone_repositories(both):
        pass
    assert contents(tmp_path) == before


def test_clone_is_removed_if_the_study_cannot_start_after_all(tmp_path: Path, source: Path) -> None:
    before = contents(tmp_path)
    with pytest.raises(KeyboardInterrupt), clone_repositories([git(source, tmp_path / "a" / "c")]):
        assert subject(tmp_path / "a" / "c") == "two"
        raise KeyboardInterrupt
    assert contents(tmp_path) == before


@pytest.mark.parametrize("there", ["empty", "full", "dangling link"])
def test_what_appears_in_the_way_of_a_clone_is_left_alone(tmp_path: Path, source: Path, there: str) -> None:
    """Another start of the same study may have been quicker."""
    place = tmp_path / "c"
    if there == "dangling link":
        place.symlink_to("nowhere")
    else:
        place.mkdir()
    if there == "full":
        (place / "precious").touch()
    before = contents(tmp_path)
    with (
        pytest.raises(DependencyError, match=r"'CODE' cannot be cloned: .*c exists"),
        clone_repositories([git(source, place)]),
    ):
        pass
    assert contents(tmp_path) == before


def test_place_under_a_file_is_reported(tmp_path: Path, source: Path) -> None:
    (tmp_path / "file").touch()
    wrong = git(source, tmp_path / "file" / "c")
    with pytest.raises(DependencyError, match=r"'CODE': .*file.*: Not a directory"), clone_repositories([wrong]):
        pass


def test_git_that_is_not_there_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(DependencyError, match="git cannot be started"),
        clone_repositories([git(tmp_path, tmp_path / "c")]),
    ):
        pass
    assert contents(tmp_path) == []
