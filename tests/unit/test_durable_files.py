"""Files that a power cut does not lose: what is synced, in which order, and that no reader sees half of one."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core import durable_files
from mtui.core.durable_files import create_durably, replace_file, sync_directory, sync_tree, write_durably


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """What reaches the disk, in order: names of files and folders that were synced, and names that were given."""
    found: list[tuple[str, str]] = []
    fsync, replace, link = os.fsync, Path.replace, os.link

    def note_sync(number: int) -> None:
        found.append(("sync", Path(f"/proc/self/fd/{number}").readlink().name))
        fsync(number)

    def note_replace(path: Path, target: Path) -> Path:
        found.append(("name", target.name))
        return replace(path, target)

    def note_link(source: Path, target: Path) -> None:
        found.append(("name", target.name))
        link(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    monkeypatch.setattr(os, "link", note_link)
    yield found


def test_content_is_on_the_disk_before_the_name_and_the_name_before_it_returns(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    write_durably(tmp_path / "f", b"new")
    assert calls == [("sync", ".f.tmp"), ("name", "f"), ("sync", tmp_path.name)]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"new"}


def test_new_file_is_on_the_disk_when_it_is_created(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    assert create_durably(tmp_path / "f", b"mine")
    assert [what for what, _ in calls] == ["sync", "name", "sync"]
    assert calls[1:] == [("name", "f"), ("sync", tmp_path.name)]
    assert not create_durably(tmp_path / "f", b"yours")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"mine"}


def test_recreatable_file_is_replaced_without_a_sync(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    replace_file(tmp_path / "f", b"new")
    assert calls == [("name", "f")]


def test_of_several_who_create_a_file_one_succeeds(tmp_path: Path) -> None:
    barrier, won = threading.Barrier(8), list[bytes]()

    def create(name: bytes) -> None:
        barrier.wait()
        if create_durably(tmp_path / "f", name):
            won.append(name)

    threads = [threading.Thread(target=create, args=(b"%d" % number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == won


@pytest.mark.parametrize("write", [write_durably, create_durably])
def test_content_that_does_not_reach_the_disk_gets_no_name(
    tmp_path: Path, write: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_number: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write(tmp_path / "f", b"new")  # type: ignore[operator]
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_file_system_that_cannot_sync_a_folder_is_accepted(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(durable_files, "sync_file", fail)
    sync_directory(tmp_path)


def test_folder_that_fails_to_sync_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(durable_files, "sync_file", fail)
    with pytest.raises(OSError, match="Input/output"):
        sync_directory(tmp_path)


def test_tree_is_synced_with_all_that_is_in_it(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_text("x")
    sync_tree(tmp_path)
    assert sorted(name for _, name in calls) == sorted([tmp_path.name, "a", "b", "f"])
