"""Short ways to write what happens to allocations, at times that are given."""

from __future__ import annotations

from mtui.core.engine import events as ev
from mtui.core.engine.causes import text_cause
from mtui.core.engine.status import Status


def asked(name: str = "1-1", at: float = 1.0, nodes: int = 1, seconds: int = 3600) -> ev.AllocationIntended:
    return ev.AllocationIntended(at=at, allocation=name, pool=("--partition=q",), gpus=0, nodes=nodes, seconds=seconds)


def queued(name: str = "1-1", job: str = "401", at: float = 2.0) -> ev.AllocationQueued:
    return ev.AllocationQueued(at=at, allocation=name, job=job)


def shown(name: str = "1-1", status: Status = Status.PENDING, reason: str = "Priority") -> ev.AllocationObserved:
    return ev.AllocationObserved(at=3.0, allocation=name, status=status, reason=reason)


def began(
    name: str = "1-1", job: str = "401", at: float = 4.0, hosts: tuple[str, ...] = ("n1",), cores: int = 8
) -> ev.AllocationBegan:
    return ev.AllocationBegan(at=at, allocation=name, job=job, hosts=hosts, cores=cores, seconds=3500.0)


def given(submission: str, *members: tuple[int, int], name: str = "1-1", at: float = 5.0) -> ev.SubmitIntended:
    return ev.SubmitIntended(at=at, submission=submission, backend="pack", members=members, allocation=name)


def taken(submission: str, job: str = "401", at: float = 6.0) -> ev.Submitted:
    return ev.Submitted(at=at, submission=submission, job=job)


def runs(index: int, attempt: int = 1, job: str = "401", node: str = "n1", at: float = 7.0) -> ev.Started:
    return ev.Started(at=at, instance=index, attempt=attempt, job=job, node=node)


def ends(index: int, attempt: int = 1, at: float = 8.0) -> ev.Ended:
    return ev.Ended(at=at, instance=index, attempt=attempt, status=Status.FINISHED, exit_code=0, node="n1")


CAUSE = "allocation 401 was cancelled outside of mtui"


def returned(*members: tuple[int, int], cause: str = CAUSE, at: float = 20.0) -> ev.Returned:
    return ev.Returned(at=at, members=members, cause=text_cause(cause))


def ending(name: str = "1-1", cause: str = "") -> ev.AllocationEnding:
    return ev.AllocationEnding(at=19.0, allocation=name, cause=text_cause(cause))


def over(
    name: str = "1-1", status: Status = Status.CANCELLED, cause: str = CAUSE, at: float = 21.0
) -> ev.AllocationOver:
    return ev.AllocationOver(at=at, allocation=name, status=status, cause=text_cause(cause))
