"""Asks Slurm for allocations that instances share."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ..backends.base import Accepted, Answer, Deferred, Refused, Unclear
from ..pack.script import allocation_script
from ..plan.packing import Pool
from ..study import events as ev
from ..study.allocation_watch import AllocationWatch
from ..study.causes import text_cause
from ..study.packing import Packer
from ..study.status import Status
from .drive import Drive
from .effects import Effect

_GUESS_CORES = 64  # of a node, before any has been seen
_DEFER_WAIT = 30.0  # seconds until Slurm is asked again for an allocation that it put off


class Asking:
    """The part of a driver that asks."""

    def __init__(self, drive: Drive, watch: AllocationWatch) -> None:
        self._drive = drive
        self._watch = watch
        self._thread = ThreadPoolExecutor(1, "mtui-allocation")
        self._closed_until = 0.0

    def turn(self, packer: Packer) -> None:
        """Ask for what is wanted now."""
        drive = self._drive
        if drive.study.settings.inside or drive.slurm is None or drive.state.slurm_silent_since:
            return
        if time.monotonic() < self._closed_until:
            return
        cores = drive.packing.pack.cores or _GUESS_CORES
        drive.effects.perform([self._request(pool) for pool in packer.wanted(cores)])
        for pool in {share.pool for _, share in packer.ready()}:
            if name := packer.in_vain(pool):
                where = drive.directory.allocation_file(name, "out").relative_to(drive.directory.root)
                self._refuse(packer, pool, f"several allocations ended before they could begin: see {where}")

    def _request(self, pool: Pool) -> Effect[Answer]:
        drive, packing = self._drive, self._drive.packing
        name = drive.new_submission()
        home = drive.directory.home
        out = str(drive.directory.allocation_file(name, "out").relative_to(drive.directory.root))
        options = [*packing.request(pool), f"--output={out}"]
        text = allocation_script(
            name,
            str(home),
            sys.executable,
            packing.pack.idle,
            packing.cores(pool),
            drive.plan.batch.shell.split(),
            options,
        )
        intent = ev.AllocationIntended(
            at=time.time(),
            allocation=name,
            pool=pool.options,
            gpus=pool.gpus,
            nodes=packing.pack.nodes,
            seconds=packing.seconds,
        )

        def act() -> Answer:
            assert drive.slurm is not None
            script = drive.directory.allocation_file(name, "sh")
            try:
                script.write_text(text, encoding="utf-8", errors="surrogateescape")
                return drive.slurm.ask(drive.allocation_name(name), script)
            except OSError as error:
                return Deferred(f"{error.filename or script}: {error.strerror}")
            except Exception as error:  # a bug of ours must not leave the request without an answer
                return Unclear(f"{type(error).__name__}: {error}")

        return Effect("allocate", [intent], act, partial(self._asked, name, pool), self._thread)

    def _asked(self, name: str, pool: Pool, answer: Answer) -> None:
        drive, at, now = self._drive, time.time(), time.monotonic()
        if drive.state.allocations.by_name[name].is_over:
            return  # its leader has come and gone before sbatch answered
        match answer:
            case Accepted():
                drive.emit(ev.AllocationQueued(at=at, allocation=name, job=answer.job))
                self._watch.touch(name, now)
            case Deferred():
                self._closed_until = now + _DEFER_WAIT
                self._no_allocation(name, Status.CANCELLED, answer.message)
            case Unclear():
                observed = ev.AllocationObserved(at=at, allocation=name, status=Status.UNCLEAR, reason=answer.message)
                drive.emit(observed)
                self._watch.doubt(name, now)
            case Refused():
                self._no_allocation(name, Status.FAILED, answer.message)
                self._refuse(Packer(drive.state, drive.packing, at), pool, answer.message)

    def _no_allocation(self, name: str, status: Status, message: str) -> None:
        self._drive.emit(ev.AllocationOver(at=time.time(), allocation=name, status=status, cause=text_cause(message)))

    def _refuse(self, packer: Packer, pool: Pool, message: str) -> None:
        """What waits for allocations that there will not be has failed."""
        drive = self._drive
        if stuck := packer.stuck(pool):
            submission = drive.new_submission()
            members = tuple((index, drive.state.next_attempt(index)) for index in stuck)
            at = time.time()
            drive.emit(ev.SubmitIntended(at=at, submission=submission, backend="pack", members=members))
            drive.emit(ev.SubmitRefused(at=at, submission=submission, message=message))

    def stop(self) -> None:
        self._thread.shutdown(wait=True)
