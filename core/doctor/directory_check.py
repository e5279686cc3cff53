"""Checks a directory for studies, by trying every file system operation that mtui needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..store.file_watch import LOCAL_TYPES, file_system_type, require_threads
from .finding import Finding, FindingGroup, note, problem

_NEWS_WITHIN = 2000  # milliseconds for the kernel to report a new file
_LEAST_ROOM = 100 << 20  # bytes; a study of thousands of instances writes some tens of MB in addition to its output
_LEAST_FILES = 10_000
_SLOW_SYNC = 0.05  # seconds; each submission waits for two syncs


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """The results of the tests. A text is the error of a test, empty if it succeeded."""

    path: str
    kind: str  # of the file system; empty if unknown
    write: str = ""
    hard_link: str = ""  # also an error if a second link of the same name succeeds
    symbolic_link: str = ""
    run: str = ""
    news: str = ""  # the kernel reports new files (inotify); tested on local file systems only
    is_mine: bool = True  # a new file belongs to this user
    sync: float = 0.0  # seconds to write and sync one line
    room: int = 1 << 40  # free bytes
    files: int = 1 << 40  # free inodes; -1: no such limit


def check_directory(path: Path) -> FindingGroup:
    """Run all tests in a temporary folder, and return the findings."""
    return FindingGroup(f"Directory {path}", directory_findings(try_directory(path)))


def try_directory(path: Path) -> DirectoryFacts:
    """Run all tests in a temporary folder of a directory."""
    mounts = ""
    with suppress(OSError):
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    kind = file_system_type(path, mounts)
    try:
        folder = Path(tempfile.mkdtemp(prefix=".mtui-doctor-", dir=path))
    except OSError as error:
        return DirectoryFacts(str(path), kind, write=_words(error))
    try:
        begun = time.monotonic()
        with (folder / "synced").open("wb") as file:
            file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync = time.monotonic() - begun
        space = os.statvfs(folder)
        return DirectoryFacts(
            str(path),
            kind,
            hard_link=_tried(_link_once, folder),
            symbolic_link=_tried(lambda folder: (folder / "symbolic").symlink_to("synced"), folder),
            run=_tried(_run, folder),
            news=_tried(_news, folder) if kind in LOCAL_TYPES else "",
            is_mine=(folder / "synced").stat().st_uid == os.getuid(),
            sync=sync,
            room=space.f_bavail * space.f_frsize,
            files=space.f_favail if space.f_files else -1,
        )
    except OSError as error:
        return DirectoryFacts(str(path), kind, write=_words(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tried(what: Callable[[Path], object], folder: Path) -> str:
    try:
        what(folder)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return _words(error)
    return ""


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__


def _link_once(folder: Path) -> None:
    os.link(folder / "synced", folder / "hard")
    with suppress(FileExistsError):
        os.link(folder / "synced", folder / "hard")
        raise RuntimeError("two links to one name succeeded")


def _run(folder: Path) -> None:
    script = folder / "script.sh"
    script.write_text("#!/bin/sh\nexit 0\n", encoding="ascii")
    script.chmod(0o700)
    subprocess.run([script], check=True, capture_output=True, timeout=20)


def _news(folder: Path) -> None:
    from watchfiles import watch

    require_threads()
    changes = watch(folder, watch_filter=None, recursive=False, step=10, debounce=10, rust_timeout=1,
                    yield_on_timeout=True, raise_interrupt=False)  # fmt: skip
    next(changes)  # the watch begins here
    (folder / "new").touch()
    deadline = time.monotonic() + _NEWS_WITHIN / 1000
    while not next(changes):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the kernel did not report a new file within {_NEWS_WITHIN / 1000:.0f} s")


def directory_findings(facts: DirectoryFacts) -> list[Finding]:
    """Convert the test results to findings about a study in that directory."""
    if facts.write:
        return [problem("writing", facts.write, "no study can be started here; use -o to choose another directory")]
    return [
        _kind(facts),
        _who_drives(facts),
        _commands(facts),
        _links(facts),
        _scripts(facts),
        _sync(facts),
        _room(facts),
    ]


def _kind(facts: DirectoryFacts) -> Finding:
    kind = facts.kind or "of unknown kind"
    if facts.kind not in LOCAL_TYPES:
        then = "records of jobs and your commands are read within a second, by listing two small directories"
        return note("file system", f"{kind}: may be shared, so changes are not reported", then)
    if facts.news:
        then = "mtui lists directories once a second instead; often fs.inotify.max_user_instances is exhausted"
        return note("file system", f"{kind}, but {facts.news}", then)
    return Finding("file system", f"{kind}: the kernel reports changes (inotify) immediately")


def _who_drives(facts: DirectoryFacts) -> Finding:
    subject = "one driver at a time"
    if facts.hard_link:
        return problem(subject, f"hard links: {facts.hard_link}", "no driver can run here; use another directory")
    return Finding(subject, "hard links work (they ensure one driver at a time)")


def _commands(facts: DirectoryFacts) -> Finding:
    if not facts.is_mine:
        then = "commands (cancel, retry, ...) would seem to come from another user; use another directory"
        return problem("commands", "a file created here does not belong to you", then)
    return Finding("commands", "files created here belong to you")


def _links(facts: DirectoryFacts) -> Finding:
    if facts.symbolic_link:
        then = "job arrays need them for their logs: run with --array 1; links to workspaces are omitted"
        return problem("symbolic links", facts.symbolic_link, then)
    return Finding("symbolic links", "work")


def _scripts(facts: DirectoryFacts) -> Finding:
    if facts.run:
        then = "local steps cannot run here: is it mounted noexec? Use another directory"
        return problem("scripts", f"cannot be executed: {facts.run}", then)
    return Finding("scripts", "can be executed")


def _sync(facts: DirectoryFacts) -> Finding:
    found = f"a line is safe on disk after {facts.sync * 1000:.1f} ms"
    if facts.sync > _SLOW_SYNC:
        return note("journal", found, "each submission waits for it twice; arrays and packing need fewer submissions")
    return Finding("journal", found)


def _room(facts: DirectoryFacts) -> Finding:
    files = "" if facts.files < 0 else f", {facts.files:,} files"
    found = f"{facts.room / (1 << 30):,.1f} GiB{files} free"
    if facts.room < _LEAST_ROOM or 0 <= facts.files < _LEAST_FILES:
        then = "a driver that cannot write waits for free space; check quotas too"
        return note("room", found, then)
    return Finding("room", found)
