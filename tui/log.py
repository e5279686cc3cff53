"""`mtui log DIR INSTANCE`: an instance's output, script, or stderr; with -f until it ends."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from pathlib import Path

from ..core.errors import EXIT_FINISHED, UsageError
from ..core.plan.model import Instance
from ..core.store.follow import Follower
from ..core.store.layout import StudyDirectory
from ..core.study.state import Impossible, StudyState
from ..core.study.status import OVER
from .opening import is_maestros
from .text import SafeLog

_CHUNK = 1 << 16
_LOOK_EVERY = 0.2  # seconds between two looks at a log that grows


def show_log(directory: StudyDirectory, state: StudyState, instance: Instance, path: Path, *, follow: bool) -> int:
    """Print a file; on a terminal with control sequences made harmless. Raises UsageError if it is not there."""
    status = state.status[instance.index]
    if not path.exists() and not (follow and status not in OVER):
        raise UsageError(f"there is no {path.name} yet: {instance.name} is {status.value}", f"it will be {path}")
    out = sys.stdout.buffer
    clean = SafeLog() if sys.stdout.isatty() else None
    follow = follow and not is_maestros(directory)
    follower = Follower(directory.journal)
    follower.new_events()  # the state has these already
    offset = 0
    pause = threading.Event()
    while True:
        ended = state.status[instance.index] in OVER
        with suppress(FileNotFoundError), path.open("rb") as file:
            if path.stat().st_size < offset:
                offset = 0  # it was truncated or begun anew
            file.seek(offset)
            while data := file.read(_CHUNK):
                offset += len(data)
                out.write(clean.feed(data) if clean else data)
        out.flush()
        if ended or not follow:
            return EXIT_FINISHED
        pause.wait(_LOOK_EVERY)
        for event in follower.new_events():
            with suppress(Impossible):
                state.apply(event)
