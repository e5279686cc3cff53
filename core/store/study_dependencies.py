"""Brings in what a study depends on before it starts: checks paths, clones git repositories."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ..errors import DependencyError
from ..spec.problems import Problem
from ..spec.study_spec import Dependency, DependencyKind
from .folder_creation import make_folder


def check_paths(dependencies: Iterable[Dependency]) -> None:
    """Raise DependencyError for a path dependency that does not exist, or a clone whose target does."""
    for _, error in _unavailable(dependencies):
        raise error


def path_warnings(dependencies: Iterable[Dependency]) -> list[Problem]:
    """Return a warning for each dependency because of which a start would be refused."""
    return [Problem(item.place, error.message, error.hint, warning=True) for item, error in _unavailable(dependencies)]


def _unavailable(dependencies: Iterable[Dependency]) -> Iterator[tuple[Dependency, DependencyError]]:
    for item in dependencies:
        exists = Path(item.path).exists()
        if item.kind is DependencyKind.PATH and not exists:
            message = f"dependency '{item.name}' does not exist: {item.path}"
            yield item, DependencyError(message, "a relative path starts from the directory in which mtui is started")
        if item.kind is DependencyKind.GIT and exists:
            yield item, _in_the_way(item)


@contextmanager
def clone_repositories(dependencies: Iterable[Dependency]) -> Generator[None, None, None]:
    """Clone each git dependency and check out the requested revision; raises DependencyError with git's words.

    If that fails, or what is done with the clones, everything that was made for them is removed again.
    """
    with ExitStack() as undo:
        for item in dependencies:
            if item.kind is DependencyKind.GIT:
                try:
                    make_folder(Path(item.path), undo)
                except FileExistsError:
                    raise _in_the_way(item) from None
                except OSError as error:
                    message = f"dependency '{item.name}': {error.filename}: {error.strerror}"
                    raise DependencyError(message, "set its 'path' to a writable location") from None
                _git(item, "clone", "--", item.url, item.path)
                if item.checkout:
                    _git(item, "-C", item.path, "checkout", item.checkout)
        yield
        undo.pop_all()


def _in_the_way(item: Dependency) -> DependencyError:
    return DependencyError(
        f"dependency '{item.name}' cannot be cloned: {item.path} exists",
        "every start clones: move it away, change its path, or use it as a dependency in 'paths'",
    )


def _git(item: Dependency, *arguments: str) -> None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},  # nobody may be there to answer
        )
    except OSError as error:
        raise DependencyError(
            f"dependency '{item.name}': git cannot be started: {error.strerror}", "install git"
        ) from None
    if done.returncode:
        errors = done.stderr.strip().splitlines()
        raise DependencyError(f"dependency '{item.name}': {errors[-1] if errors else 'git failed'}", f"url: {item.url}")
