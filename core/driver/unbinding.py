"""Takes bound jobs out of Slurm: those whose parents will not finish, and those that somebody holds.

The driver takes the attempt's claim itself. From then on its job can never begin, whatever Slurm does with it, and
the instance is free for another attempt.
"""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from ..study import events as ev
from ..study.causes import Cause, CauseCode
from ..study.observer import VOID
from ..study.state import StudyState
from .drive import Drive
from .ending import Ending
from .faults import point

_AT_ONCE = 1000  # instances: the driver looks up in between
_PAUSE = 0.2  # seconds between two turns with work
_TRY_AGAIN = 5.0  # seconds after a claim that could not be written


class Unbinding:
    """The part of a driver that unbinds."""

    def __init__(self, drive: Drive, ending: Ending) -> None:
        self._drive = drive
        self._ending = ending
        self._closed_until = 0.0

    def due(self) -> float | None:
        if not (self._drive.state.to_unbind or self._drive.observer.never()):
            return None
        return max(self._closed_until, time.monotonic() + _PAUSE)  # what could be done now was done

    def turn(self) -> None:
        """Take out what has to be taken out."""
        drive, now = self._drive, time.monotonic()
        state = drive.state
        if now < self._closed_until:
            return
        # Parents first: what hangs on them then hangs on something that failed.
        wanted = sorted(islice(chain(state.to_unbind, drive.observer.never() - state.to_unbind.keys()), _AT_ONCE))
        taken: list[int] = []
        began: list[int] = []
        try:
            for index in wanted:
                if take_claim(drive.directory.claims / f"{index}.{state.attempts[index][-1].number}"):
                    taken.append(index)
                else:
                    began.append(index)
        except OSError:  # no room: what was taken is seen as taken with the next try
            self._closed_until = now + _TRY_AGAIN
        if taken:
            point("unbind.claimed")
            self._ending.end_strays([state.attempts[index][-1].job for index in taken if index in state.live_slurm])
            for index in taken:
                members = ((index, state.attempts[index][-1].number),)
                drive.emit(ev.Unbound(at=time.time(), members=members, cause=_cause(state, index)))
            point("unbind.journalled")
        for index in began:
            self._too_late(index)

    def _too_late(self, index: int) -> None:
        """Its job has begun. One that somebody wants to hold goes on; one whose parents failed must not."""
        state = self._drive.state
        self._drive.observer.began(index)
        if index in state.held:
            self._drive.emit(ev.Released(at=time.time(), instance=index))
        if index in state.to_unbind:
            self._drive.emit(ev.CancelRequested(at=time.time(), instance=index))


def _cause(state: StudyState, index: int) -> Cause:
    if state.failed_above(index):
        code = CauseCode.PARENT_FAILED
    else:
        code = CauseCode.HELD if index in state.held else CauseCode.PARENT_JOB_GONE
    return Cause(code, allocation=state.attempts[index][-1].allocation)


def is_void(path: Path) -> bool:
    """Whether a claim is a driver's, so that its attempt can never begin."""
    with suppress(OSError):
        return path.read_text(encoding="utf-8").strip() == VOID
    return False


def take_claim(path: Path) -> bool:
    """Take a claim for the driver; whether it is the driver's. Raises OSError if it cannot be written.

    It appears with its owner in it: a driver that dies meanwhile leaves no claim of which nobody knows whose it is.
    """
    written = path.with_name(f".{path.name}")
    try:
        written.write_text(f"{VOID}\n", encoding="utf-8")
        path.hardlink_to(written)
    except FileExistsError:
        return is_void(path)
    finally:
        with suppress(OSError):
            written.unlink()
    return True
