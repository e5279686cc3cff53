"""Why nothing was submitted, as text for the debug log."""

from __future__ import annotations

from ..engine.state import StudyState
from ..engine.submission_policy import Capacity, Limits
from ..plan.shared_allocations import PackingPlan


def why_no_local_step(state: StudyState, limits: Limits, is_open: bool) -> str:
    """Return why local steps do not start; empty if none is ready or held. `is_open`: this machine has room."""
    if not any(state.ready[step.index] for step in state.plan.steps if not step.scheduled):
        return _held(state, scheduled=False)
    if not is_open:
        return "this machine could not start another process"
    if len(state.live_local) >= limits.local_jobs:
        return "all local slots are in use"
    return "none was selected"


def why_no_job(state: StudyState, packing: PackingPlan, limits: Limits, capacity: Capacity, paused: str) -> str:
    """Return why nothing is submitted to Slurm; empty if none is ready or held. `paused`: why Slurm takes no jobs."""
    scheduled = [step for step in state.plan.steps if step.scheduled and not packing.takes_all(step.index)]
    ready = [step for step in scheduled if state.ready[step.index]]
    ahead = [step for step in scheduled if state.ahead[step.index]]
    if not ready and not ahead:
        return _held(state, scheduled=True)
    if not capacity.slurm_open:
        return "Slurm does not answer" if state.slurm_silent_since else paused or "paused"
    if capacity.calls <= 0:
        return "all sbatch calls are in use"
    if limits.throttle and len(state.live_slurm) + len(state.live_packed) >= limits.throttle:
        return "the throttle is reached"
    reasons: list[str] = []
    for step in ready or ahead:
        limit = capacity.limit_of[step.index] if capacity.limit_of else ""
        if capacity.room.get(limit, 1) <= 0:
            reasons.append(f"{step.name}: the submit limit is reached for {limit.strip('|') or 'the user'}")
        if step.index in capacity.resting:
            reasons.append(f"{step.name}: collects instances for an array, or the cluster's limits are not known yet")
    if not ready and not capacity.ahead:
        reasons.append("no submission with dependencies now: disabled, or the last poll of Slurm is too old")
    return "; ".join(dict.fromkeys(reasons)) or "none was selected"


def _held(state: StudyState, *, scheduled: bool) -> str:
    """How many instances a user holds, if nothing else is ready."""
    held = sum(state.plan.step_of(state.plan.instances[index]).scheduled is scheduled for index in state.held)
    return f"nothing is ready, {held} held" if held else ""
