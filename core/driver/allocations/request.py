"""Requests shared allocations from Slurm."""

from __future__ import annotations

import sys
import time
from functools import partial

from ...backends.backend import Accepted, Answer, Deferred, Refused, Unclear
from ...debug_log import ChangeLogger, get_logger
from ...engine import events as ev
from ...engine.allocation_observer import AllocationObserver
from ...engine.allocation_policy import AllocationPolicy
from ...engine.causes import text_cause
from ...engine.status import Status
from ...engine.vain_text import vain_text
from ...packing.batch_script import allocation_script
from ...plan.shared_allocations import Pool
from ..context import DriverContext
from ..effects import Effect
from .members import refuse_instances

_log = get_logger(__name__)

_GUESS_CORES = 64  # cores of a node, before any node is known
_VAIN_WAIT = 15.0  # seconds until another is requested after one that ran nothing; then a minute
_DEFER_WAIT = 30.0  # seconds until a deferred allocation is requested again


class AllocationRequester:
    """Requests the allocations of one study, on a separate thread."""

    def __init__(self, context: DriverContext, watch: AllocationObserver) -> None:
        self._context = context
        self._watch = watch
        self._thread = context.threads(1, "mtui-allocation")
        self._closed_until = 0.0
        self._vain: dict[Pool, tuple[int, float]] = {}  # allocations in a row that ran nothing, and when another is due
        self._reasons = ChangeLogger(_log)

    def request(self, packer: AllocationPolicy) -> None:
        """Request the allocations that are wanted now."""
        context = self._context
        if context.study.settings.inside or context.slurm is None:
            return
        if context.state.slurm_silent_since:
            self._reasons.report("no allocation requested", "Slurm does not answer")
            return
        if time.monotonic() < self._closed_until:
            self._reasons.report("no allocation requested", "Slurm deferred the last request")
            return
        self._reasons.report("no allocation requested", "")
        cores = context.packing.pack.cores or _GUESS_CORES
        wanted = packer.wanted(cores)
        context.effects.perform([self._request(pool) for pool in wanted if self._is_due(pool, packer)])
        for pool in {share.pool for _, share in packer.ready()}:
            if name := packer.never_began(pool):
                where = context.directory.allocation_file(name, "out").relative_to(context.directory.root)
                self._refuse(packer, pool, f"{self._why_in_vain(pool, packer)}; see {where}")

    def _is_due(self, pool: Pool, packer: AllocationPolicy) -> bool:
        """Whether to request another allocation now; after some that ran nothing, only with increasing delays."""
        count, now = len(packer.in_vain(pool)), time.monotonic()
        known, due = self._vain.get(pool, (0, 0.0))
        if count != known:
            due = now + _VAIN_WAIT * 4 ** (count - 1) if count > known else now
            self._vain[pool] = (count, due)
            if count:
                words = f"{self._why_in_vain(pool, packer)}; the next request is due in {due - now:.0f} s"
                self._context.emit(ev.Anomaly(at=time.time(), message=words))
        return now >= due

    def _why_in_vain(self, pool: Pool, packer: AllocationPolicy) -> str:
        return vain_text(packer.in_vain(pool), packer.needed(pool))

    def _request(self, pool: Pool) -> Effect[Answer]:
        context, packing = self._context, self._context.packing
        name = context.new_submission()
        home = context.directory.home
        out = str(context.directory.allocation_file(name, "out").relative_to(context.directory.root))
        options = [*packing.request(pool), f"--output={out}"]
        text = allocation_script(
            name,
            str(home),
            sys.executable,
            packing.pack.idle,
            packing.cores(pool),
            context.plan.batch.shell.split(),
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
            assert context.slurm is not None
            script = context.directory.allocation_file(name, "sh")
            try:
                script.write_text(text, encoding="utf-8", errors="surrogateescape")
                return context.slurm.ask(context.allocation_name(name), script)
            except OSError as error:
                return Deferred(f"{error.filename or script}: {error.strerror}")
            except Exception as error:  # a bug in mtui must not leave the request without an answer
                _log.warning("the request of an allocation failed", exc_info=True)
                return Unclear(f"{type(error).__name__}: {error}")

        return Effect("allocate", [intent], act, partial(self._asked, name, pool), self._thread)

    def _asked(self, name: str, pool: Pool, answer: Answer) -> None:
        context, at, now = self._context, time.time(), time.monotonic()
        if context.state.allocations.by_name[name].is_over:
            return  # its leader started and ended before sbatch answered
        match answer:
            case Accepted():
                cluster = answer.cluster or context.cluster
                context.emit(ev.AllocationQueued(at=at, allocation=name, job=answer.job, cluster=cluster))
                self._watch.note_heard(name, now)
            case Deferred():
                self._closed_until = now + _DEFER_WAIT
                self._no_allocation(name, Status.CANCELLED, answer.message)
            case Unclear():
                observed = ev.AllocationObserved(at=at, allocation=name, status=Status.UNCLEAR, reason=answer.message)
                context.emit(observed)
                self._watch.note_unclear(name, now)
            case Refused():
                self._no_allocation(name, Status.FAILED, answer.message)
                self._refuse(AllocationPolicy(context.state, context.packing, at), pool, answer.message)

    def _no_allocation(self, name: str, status: Status, message: str) -> None:
        self._context.emit(ev.AllocationOver(at=time.time(), allocation=name, status=status, cause=text_cause(message)))

    def _refuse(self, packer: AllocationPolicy, pool: Pool, message: str) -> None:
        """Fail the instances that wait for allocations of a pool that will not exist."""
        refuse_instances(self._context, packer.stuck(pool), message)

    def close(self) -> None:
        self._thread.shutdown()
