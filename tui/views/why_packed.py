"""The part of `mtui why` about an instance that is packed into an allocation, or could be."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.engine.allocation import Allocation
from ...core.engine.allocation_policy import AllocationPolicy, needed_seconds
from ...core.engine.attempt import Attempt
from ...core.engine.cause_text import cause_text
from ...core.engine.state import StudyState
from ...core.engine.status import OVER, Status
from ...core.engine.vain_text import vain_text
from ...core.errors import Refusal
from ...core.plan.shared_allocations import ANY, PackingPlan, Pool, PoolShare
from ...core.spec.study_spec import PackingOptions
from ...core.store.study_file import StudyFile
from .allocation_text import clock, not_begun, open_ones, time_left, title
from .reason import Reason, ReasonKind
from .text import safe

_ELSEWHERE = (
    "The driver requests no other allocation: resume in a longer one, or on a login node without --in-allocation."
)


def where_packed(
    status: Status, last: Attempt, allocation: Allocation, ran: str, open_parents: Sequence[int]
) -> list[Reason]:
    """Describe an instance in its allocation; `ran` is how long it has run, if it runs."""
    name = title(allocation)
    waits = not_begun(allocation)
    on = f" on {safe(last.node)}" if last.node else ""
    match status:
        case Status.SUBMITTING | Status.UNCLEAR:
            return [Reason(ReasonKind.SUBMITTING, f"It is being assigned to {name}.")]
        case Status.BOUND:
            parents = Reason(ReasonKind.PARENTS, f"It waits in {name} for its parents there:", tuple(open_parents))
            return [parents, Reason(ReasonKind.ALLOCATION, f"The allocation itself {waits}.")] if waits else [parents]
        case Status.PENDING:
            words = f"It waits in {name}, which {waits}." if waits else f"It waits in {name} for a free slot."
            reasons = [Reason(ReasonKind.ALLOCATION, words)]
            if allocation.ending:
                reasons.append(
                    Reason(
                        ReasonKind.ALLOCATION, "Instances that do not start in that allocation are assigned to another."
                    )
                )
            return reasons
        case Status.RUNNING:
            return [Reason(ReasonKind.RUNNING, f"It runs in {name}{on}, {ran}.")]
        case _:
            return [Reason(ReasonKind.ALLOCATION, f"It is in {name}{on}.")]


def not_packed(study: StudyFile, state: StudyState, index: int) -> str:
    """Return why an instance of a packed step is not packed; empty if it is, or if its step is not packed."""
    pack = study.settings.pack
    last = state.last_attempt(index)
    if pack is None or state.status[index] in OVER or (last and last.allocation and not last.ended_at):
        return ""
    packing = PackingPlan(state.plan, pack)
    share = packing.of(index, state.changes.get(index, {}))
    return share.message if isinstance(share, Refusal) and state.plan.instances[index].step in packing.steps else ""


def no_allocation(study: StudyFile, state: StudyState, index: int, now: float) -> str:
    """Return why a ready instance that is to be packed has no allocation yet; empty if it is an individual job."""
    own = own_allocation(study, state)
    used = [own] if own else open_ones(state)
    pack = study.settings.pack or (PackingOptions(nodes=used[0].nodes) if used else None)
    if pack is None:
        return ""
    packing = PackingPlan(state.plan, pack)
    share = packing.of(index, state.changes.get(index, {}))
    if not isinstance(share, PoolShare):
        return ""
    if own:
        return _no_own(own, share, now)
    return _no_allocation_of_pool(state, AllocationPolicy(state, packing, now), share, now)


def own_allocation(study: StudyFile, state: StudyState) -> Allocation | None:
    """Return the allocation that the last driver ran in and used, if it did."""
    last = next(reversed(state.allocations.by_name.values()), None)
    return last if last and last.pool == ANY and (study.settings.pack is None or not last.is_over) else None


def _no_own(own: Allocation, share: PoolShare, now: float) -> str:
    left = time_left(own, now)
    if own.is_over or left <= 0:
        return f"{title(own).capitalize()}, in which the driver ran, has ended. {_ELSEWHERE}"
    if needed_seconds(share) > left:
        needs = clock(share.ask.seconds)
        return f"Its walltime ({needs}) does not fit into what is left of {title(own)} ({clock(left)}). {_ELSEWHERE}"
    if own.ending:
        return f"{title(own).capitalize()} accepts no more instances. {_ELSEWHERE}"
    return f"It is about to be assigned to {title(own)}."


def _no_allocation_of_pool(state: StudyState, policy: AllocationPolicy, share: PoolShare, now: float) -> str:
    own = [allocation for allocation in open_ones(state) if allocation.pool == share.pool]
    for allocation in own:
        if not allocation.job and not allocation.ending:
            return f"The allocation for it {not_begun(allocation)}."
        if allocation.takes and share.ask.seconds <= time_left(allocation, now):
            return f"It is about to be assigned to {title(allocation)}."
    vain = policy.in_vain(share.pool)
    if len(vain) > 1 or (vain and not own):
        words = vain_text(vain, policy.needed(share.pool))
        return f"{words[0].upper()}{safe(words[1:])}. Another request follows later."
    if not own:
        return f"No allocation accepts it yet; one is about to be requested.{_last_end(state, share.pool)}"
    if any(allocation.takes for allocation in own):
        return f"Its walltime does not fit into what is left of {title(own[-1])}; another is about to be requested."
    return f"{title(own[-1]).capitalize()} accepts no more instances; another is about to be requested."


def _last_end(state: StudyState, pool: Pool) -> str:
    """Return why the last allocation of a pool ended, as a sentence; empty if there was none, or it ended well."""
    last = [own for own in state.allocations.by_name.values() if own.pool in (pool, ANY)][-1:]
    return f" The last one ended: {safe(cause_text(last[0].cause))}." if last and last[0].cause else ""


def returned_words(attempt: Attempt) -> str:
    """Return a prefix to the cause of an attempt that did not end in its allocation."""
    if attempt.returned:
        return "returned: "
    return "not started: " if attempt.allocation and not attempt.started_at and not attempt.cancelled else ""
