"""Makes a folder that can be taken back: what was made for it, and nothing else, is removed again."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, suppress
from pathlib import Path

from ..durable_files import sync_directory


def make_folder(place: Path, undo: ExitStack) -> None:
    """Make a folder and those above it. `undo` removes it with its content, and those above if they are empty.

    Raises FileExistsError if it is there: so a folder that was made is surely ours, whoever else is about to make it.
    """
    for folder in reversed([parent for parent in place.parents if not parent.exists()]):
        with suppress(FileExistsError):  # made meanwhile, by another start
            folder.mkdir()
            undo.callback(_remove_empty, folder)
            sync_directory(folder.parent)
    place.mkdir()
    undo.callback(shutil.rmtree, place, ignore_errors=True)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # somebody has put something there
        folder.rmdir()
