"""What wakes the driver when a record appears."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchfiles

from mtui.core.store import file_watch as module
from mtui.core.store.file_watch import LOCAL_TYPES, FileWatch, file_system_type
from tests.no_threads import NoThreads
from tests.waiting import wait_until

MOUNTS = r"""sysfs /sys sysfs rw 0 0
/dev/sda1 / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
10.0.0.1@o2ib:/lus /pscratch lustre rw,flock 0 0
auto.home /home autofs rw 0 0
nas:/home/ann /home/ann nfs4 rw 0 0
cfs /global/cfs dvs rw 0 0
disk /data\040of\040today xfs rw 0 0
disk /back\134slash btrfs rw 0 0
disk /données ext4 rw 0 0
server:/x /données/nas nfs rw 0 0
first /mnt ext4 rw 0 0
second /mnt lustre rw 0 0
odd line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/lib/x", "ext4"),
        ("/tmp", "tmpfs"),
        ("/tmp/a/b", "tmpfs"),
        ("/tmpother", "ext4"),
        ("/pscratch/sd/a/ann", "lustre"),
        ("/home/bob", "autofs"),
        ("/home/ann/study", "nfs4"),
        ("/home/anne", "autofs"),
        ("/global/cfs/cdirs/m1", "dvs"),
        ("/data of today/x", "xfs"),
        ("/back\\slash/x", "btrfs"),
        ("/données/x", "ext4"),
        ("/données/nas/x", "nfs"),
        ("/mnt/x", "lustre"),
    ],
)
def test_file_system_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert file_system_type(Path(path), MOUNTS) == kind


def test_file_system_is_unknown_without_mounts() -> None:
    assert file_system_type(Path("/tmp"), "") == ""


def test_links_are_followed_to_where_the_file_is(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/somewhere/else")
    mounts = f"a / ext4 rw 0 0\nb {tmp_path} tmpfs rw 0 0\nc /somewhere nfs rw 0 0\n"
    assert file_system_type(tmp_path / "link", mounts) == "nfs"
    assert file_system_type(tmp_path / "file", mounts) == "tmpfs"


@pytest.mark.parametrize(
    "kind", ["lustre", "nfs", "nfs4", "gpfs", "dvs", "autofs", "fuse.sshfs", "beegfs", "cifs", "9p", ""]
)
def test_file_systems_that_other_hosts_write_are_not_taken_for_local(kind: str) -> None:
    assert kind not in LOCAL_TYPES


def test_file_system_here_is_read_from_the_kernels_table(tmp_path: Path) -> None:
    mounts = Path("/proc/self/mounts").read_text()
    assert file_system_type(tmp_path, mounts)
    assert module.is_local(tmp_path) is (file_system_type(tmp_path, mounts) in LOCAL_TYPES)


def test_no_file_system_counts_as_local_where_the_kernel_has_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)

    assert module.is_local(tmp_path) is False


class Woken:
    """Counts the wake-ups of a watch over two folders."""

    def __init__(self, root: Path) -> None:
        self.folders = (root / "new", root / "inbox")
        self.elsewhere = root / "tmp"
        for folder in (*self.folders, self.elsewhere):
            folder.mkdir()
        self.count = 0
        self.watch = FileWatch(self.folders, self.wake)

    def wake(self) -> None:
        self.count += 1

    def drop(self, folder: Path, name: str) -> None:
        (self.elsewhere / name).write_text("{}")
        (self.elsewhere / name).rename(folder / name)

    def drop_until_woken(self, folder: Path, name: str) -> None:
        """Drop files until there was a wake-up: a watch needs a moment before it sees anything."""
        before = self.count
        numbers = iter(range(1000))

        def woken() -> bool:
            self.drop(folder, f"{name}{next(numbers)}")
            return self.count > before

        wait_until(woken, 10, "a wake-up")


@pytest.fixture(params=["kernel", "looking"])
def woken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Woken]:
    monkeypatch.setattr(module, "is_local", lambda _: request.param == "kernel")
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.02)
    woken = Woken(tmp_path)
    woken.watch.start()
    yield woken
    woken.watch.stop()


def test_file_that_is_renamed_into_a_folder_wakes(woken: Woken) -> None:
    woken.drop_until_woken(woken.folders[0], "begin")
    for folder in woken.folders:  # by now it watches, so a single file is enough
        before = woken.count
        woken.drop(folder, "record")
        wait_until(lambda before=before: woken.count > before, 10, f"a wake-up for {folder.name}")


def test_watch_ends_when_it_is_stopped(woken: Woken) -> None:
    woken.drop_until_woken(woken.folders[0], "begin")
    woken.watch.stop()
    assert not any(thread.name == "mtui-spool" for thread in threading.enumerate())


def test_watch_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    Woken(tmp_path).watch.stop()


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EMFILE, "Too many open files"), watchfiles._rust_notify.WatchfilesRustInternalError("watch limit")],  # pyright: ignore
    ids=["no inotify", "limit of watches"],
)
def test_without_the_kernels_help_it_looks_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(watchfiles, "watch", refuse)
    monkeypatch.setattr(module, "is_local", lambda _: True)
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.02)
    woken = Woken(tmp_path)
    woken.watch.start()
    try:
        woken.drop_until_woken(woken.folders[1], "record")
    finally:
        woken.watch.stop()


def test_watching_continues_after_the_folder_was_away_for_a_moment(woken: Woken, tmp_path: Path) -> None:
    woken.drop_until_woken(woken.folders[0], "begin")
    woken.folders[0].rename(tmp_path / "away")
    (tmp_path / "away").rename(woken.folders[0])
    woken.drop_until_woken(woken.folders[0], "again")


def test_watch_for_which_no_thread_can_be_started_can_be_started_later(tmp_path: Path, no_threads: NoThreads) -> None:
    woken = Woken(tmp_path)
    with pytest.raises(BlockingIOError, match="can't start new thread"):
        woken.watch.start()
    assert not woken.watch.is_started

    no_threads.allow()
    woken.watch.start()
    try:
        woken.drop_until_woken(woken.folders[0], "record")
    finally:
        woken.watch.stop()


def test_kernels_watcher_is_not_called_without_room_for_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_threads: NoThreads
) -> None:
    """It would abort the process."""

    def watch(*_: object, **__: object) -> None:
        pytest.fail("it was called")

    monkeypatch.setattr(watchfiles, "watch", watch)
    monkeypatch.setattr(module, "is_local", lambda _: True)
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.02)
    woken = Woken(tmp_path)
    no_threads.allow_only(1)
    woken.watch.start()
    try:
        woken.drop_until_woken(woken.folders[1], "record")
    finally:
        woken.watch.stop()
