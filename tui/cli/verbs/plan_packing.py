"""The part of `mtui plan` about packing: which instances share allocations, of which size, and which do not and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ....core.plan.shared_allocations import PackingPlan, Pool, PoolShare
from ....core.plan.study_plan import Plan
from ....core.spec.study_spec import PackingOptions
from ...views.allocation_text import clock
from ...views.text import plural, safe

_MOST_REASONS = 8
# Packing is suggested for at least _MANY instances that each request at most _SHORT seconds and _FEW_CORES cores.
_MANY, _SHORT, _FEW_CORES = 50, 30 * 60, 32


@dataclass
class Packed:
    """The instances of the packed steps: packed by pool, others by reason. Steps are indices, in plan order."""

    seconds: int  # the walltime of an allocation
    pools: dict[Pool, Counter[int]] = field(default_factory=dict[Pool, "Counter[int]"])
    others: dict[tuple[int, str], int] = field(default_factory=dict["tuple[int, str]", int])  # not packed, and why
    steps: set[int] = field(default_factory=set[int])  # steps with at least one packed instance


def packed_of(plan: Plan, pack: PackingOptions | None) -> Packed:
    """Sort the instances of the packed steps of a plan by pool and by reason."""
    packing = PackingPlan(plan, pack)
    found = Packed(packing.seconds)
    for step in sorted(packing.steps):
        for index in plan.steps[step].instances:
            share = packing.of(index)
            if isinstance(share, PoolShare):
                found.pools.setdefault(share.pool, Counter())[step] += 1
                found.steps.add(step)
            else:
                found.others[step, share.message] = found.others.get((step, share.message), 0) + 1
    return found


def packing_lines(plan: Plan, pack: PackingOptions, packed: Packed) -> list[str]:
    """Describe the packing: a line for each pool, then the rules, then the instances that are not packed."""
    lines: list[str] = []
    common = set.intersection(*(set(pool.options) for pool in packed.pools)) if packed.pools else set[str]()
    for pool, counts in packed.pools.items():
        own = safe(" ".join(option for option in pool.options if option not in common))
        jobs = sum(counts.values())
        lines.append(
            f"{_who(plan, counts)} share allocations{f' ({own})' if own else ''}: "
            f"at most {pack.allocations:,} at a time, {_size(pack, pool)}, up to {clock(packed.seconds)}, "
            f"instead of {plural(jobs, 'job')}."
        )
    if packed.pools:
        asked = f"Another one is requested if instances would wait longer than {_span(pack.more_after)}. An allocation"
        begin = asked if pack.allocations > 1 else "It"
        lines.append(f"  {begin} is released when all instances are done, or after {_span(pack.idle)} idle.")
    if any(packed.steps & {*plan.steps[step].parents, *plan.steps[step].funnels} for step in packed.steps):
        lines.append("  Dependents in the same allocation start there automatically, even without a driver.")
    for (step, why), count in list(packed.others.items())[:_MOST_REASONS]:
        lines.append(f"  {plural(count, 'instance')} of {safe(plan.steps[step].name)} {_goes(count)}: {safe(why)}.")
    if len(packed.others) > _MOST_REASONS:
        more = sum(list(packed.others.values())[_MOST_REASONS:])
        lines.append(f"  {plural(more, 'instance')} more {_goes(more)}.")
    return lines


def suggestion(plan: Plan) -> list[str]:
    """Suggest packing for a study without a `pack` block; empty unless it has many small instances."""
    packing = PackingPlan(plan, PackingOptions(walltime=clock(_SHORT + 3600)))
    small: Counter[Pool] = Counter()
    for step in packing.steps:
        for index in plan.steps[step].instances:
            share = packing.of(index)
            if isinstance(share, PoolShare) and _is_small(share):
                small[share.pool] += 1
    worth = [count for count in small.values() if count >= _MANY]
    if not worth:
        return []
    jobs, where = sum(worth), "one allocation" if len(worth) == 1 else f"{len(worth)} allocations"
    words = f"'mtui: {{pack: true}}' in the study would run them in {where} instead of {jobs:,} jobs."
    return [f"{jobs:,} of these are small: {words}"]


def _is_small(share: PoolShare) -> bool:
    ask = share.ask
    return ask.seconds <= _SHORT and ask.tasks * ask.cpus <= _FEW_CORES and not ask.exclusive


def _size(pack: PackingOptions, pool: Pool) -> str:
    """Return the size of an allocation: `2 whole nodes with 4 GPUs each`, `16 cores on 1 node`."""
    nodes = plural(pack.nodes, "node")
    if pack.cores:
        size = f"{plural(pack.cores, 'core')} on {'each of ' if pack.nodes > 1 else ''}{nodes}"
    else:
        size = nodes.replace("node", "whole node")
    return f"{size} with {plural(pool.gpus, 'GPU')}{' each' if pack.nodes > 1 else ''}" if pool.gpus else size


def _who(plan: Plan, counts: Counter[int]) -> str:
    """Return the instances of a pool: `1,000 instances of run, 10 of sum and 1 of all`."""
    (first, count), *rest = counts.items()
    words = [f"{plural(count, 'instance')} of {safe(plan.steps[first].name)}"]
    words += [f"{count:,} of {safe(plan.steps[step].name)}" for step, count in rest]
    return f"{', '.join(words[:-1])} and {words[-1]}" if rest else words[0]


def _span(seconds: int) -> str:
    return plural(seconds, "second") if seconds % 60 or seconds < 120 else plural(seconds // 60, "minute")


def _goes(count: int) -> str:
    return "is submitted as a separate job" if count == 1 else "are submitted as separate jobs"
