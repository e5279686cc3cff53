"""Owners of a study, as their files show them: on this host and on another one."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from mtui.core.store.lease_owner import Owner, boot_id, process_start, this_host

HERE = Owner(1, this_host(), boot_id(), os.getpid(), process_start(os.getpid()), time.time())
ELSEWHERE = replace(HERE, host="elsewhere", boot="another boot")


def put(folder: Path, owner: Owner, beat: str = "1\n") -> Owner:
    """An owner as it left its file and its last heartbeat."""
    (folder / f"{owner.epoch:06d}").write_text(json.dumps(asdict(owner)))
    (folder / f"{owner.epoch:06d}.beat").write_text(beat)
    return owner


def ended_process() -> tuple[int, str]:
    """The process id and the start time of a process that was here."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    start = process_start(process.pid)
    process.communicate()
    return process.pid, start


@contextmanager
def beating(folder: Path, owner: Owner) -> Iterator[None]:
    """The owner's heartbeat moves, as if it lived on its other host."""
    end = threading.Event()

    def beat() -> None:
        count = 0
        while not end.wait(0.02):
            count += 1
            temporary = folder / "beat.tmp"
            temporary.write_text(str(count))
            temporary.replace(folder / f"{owner.epoch:06d}.beat")

    thread = threading.Thread(target=beat)
    thread.start()
    yield
    end.set()
    thread.join()
