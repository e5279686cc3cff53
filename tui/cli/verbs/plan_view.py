"""The output of `mtui plan`: what would run, where, how often, and which resources it requests."""

from __future__ import annotations

from collections.abc import Collection

from ....core.backends.batch import within_abilities
from ....core.engine.retry_policy import RetryLimits, rules_of
from ....core.plan.cost import Cost, cost_of
from ....core.plan.job_arrays import ArraySplit, split_into_arrays
from ....core.plan.job_request import job_request
from ....core.plan.parameter_table import ParameterTable
from ....core.plan.study_plan import Plan, PlannedStep
from ....core.sites.profile import Profile
from ....core.spec.problems import Problem
from ....core.spec.study_spec import MtuiBlock
from ...views.step_words import above_words, retry_words
from ...views.text import Paint, plural, safe, safe_lines, table
from .plan_packing import Packed, packed_of, packing_lines, suggestion

_MOST_PARAMETERS = 8  # parameters that are listed with the number of their values


def plan_text(
    plan: Plan,
    file: str,
    warnings: list[Problem],
    paint: Paint,
    mtui: MtuiBlock,
    profile: Profile | None = None,
) -> str:
    """Return the output of `mtui plan`; `mtui` is the `mtui` block of the study file, `profile` that of the site."""
    lines = [f"{paint.bold(safe(plan.name))}: {safe(plan.description)}", ""]
    heads = ("STEP", "INSTANCES", "WHERE", "REQUESTS", "DEPENDS ON")
    lines += table([heads, *(_row(plan, step) for step in plan.steps)], right=frozenset({1}))
    asked, mtui = mtui, within_abilities(plan, mtui)
    packed = packed_of(plan, mtui.pack)
    lines += ["", *_sweep(plan.parameters), *_totals(plan, packed, profile), *_jobs(plan, mtui, packed)]
    if asked.pack and not mtui.pack:
        lines.append(f"'pack' has no effect: {safe(plan.batch.type)} has no allocations to share.")
    else:
        lines += packing_lines(plan, mtui.pack, packed) if mtui.pack else suggestion(plan)
    lines += _retries(plan)
    lines.append(f"Study directory: {plan.out}")
    if warnings:
        lines += ["", paint.bold(f"{plural(len(warnings), 'warning')}:")]
        lines += [safe_lines(problem.text(file)) for problem in warnings]
    return "\n".join(lines)


def _row(plan: Plan, step: PlannedStep) -> tuple[str, ...]:
    return (
        safe(step.name),
        f"{len(step.instances):,}",
        "skipped" if step.skipped else "Slurm" if step.scheduled else "here",
        safe(_resources(plan, step)),
        safe(", ".join(above_words(plan, step))) or "-",
    )


def _resources(plan: Plan, step: PlannedStep) -> str:
    if not step.scheduled or not step.instances:
        return "-"
    instances = [plan.instances[step.instances[0]], plan.instances[step.instances[-1]]]
    first, last = (job_request(plan, instance).values for instance in instances)
    words: list[str] = []
    for key, form, one in (
        ("nodes", "{} nodes", "1 node"),
        ("procs", "{} tasks", "1 task"),
        ("cores per task", "{} cores each", "1 core each"),
        ("gpus", "{} GPUs a node", "1 GPU a node"),
        ("walltime", "{}", ""),
        ("qos", "qos {}", ""),
        ("constraint", "{}", ""),
        ("mem", "{} memory", ""),
        ("mem per cpu", "{} memory a core", ""),
        ("gpus per node", "{} GPUs a node", ""),
        ("gpus per task", "{} GPUs a task", ""),
    ):
        if key in first:
            value = first[key] if first[key] == last.get(key) else f"{first[key]}..{last.get(key, '')}"
            words.append(one if one and value == "1" else form.format(value))
    return ", ".join(words)


def _jobs(plan: Plan, mtui: MtuiBlock, packed: Packed) -> list[str]:
    """Describe how instances are submitted: as arrays, or as single jobs and why; and what is submitted ahead."""
    lines: list[str] = []
    alone = [step for step in plan.steps if step.scheduled and not step.skipped and step.index not in packed.steps]
    for step in alone:
        if len(step.instances) > 1:
            lines.append(f"  {safe(step.name)}: {_shares(split_into_arrays(plan, step, mtui.array), mtui.array)}")
    if lines:
        lines.insert(0, "Submitted to Slurm as:")
    scheduled = {step.index for step in alone}
    if any(scheduled.intersection(plan.steps[index].above) for index in scheduled):
        lines.append(
            "Instances whose parents are in Slurm are submitted ahead with job dependencies; "
            "they start even without a driver."
            if mtui.submit_ahead
            else "No instance is submitted before its parents are done (submit_ahead: false)."
        )
        awaited = [safe(step.name) for step in alone if any(plan.steps[parent].is_retried for parent in step.after)]
        if awaited and mtui.submit_ahead:
            lines.append(f"Except {', '.join(awaited)}: a driver submits them after the retries of their parents.")
        uncertain = [safe(step.name) for step in alone if _has_uncertain_ends(plan, step, scheduled)]
        if uncertain and mtui.submit_ahead:
            lines.append(
                f"Except {', '.join(uncertain)}, which depends on several instances that may never begin: "
                "a driver submits it after they end."
            )
    return lines


def _has_uncertain_ends(plan: Plan, step: PlannedStep, scheduled: Collection[int]) -> bool:
    """Whether a step awaits the end of jobs that may never begin, beside other dependencies (slurm_dependencies.py)."""

    def may_never_begin(parent: PlannedStep) -> bool:
        return not set(parent.above).difference(parent.after).isdisjoint(scheduled)

    if not any(parent in scheduled and may_never_begin(plan.steps[parent]) for parent in step.after):
        return False
    funnels = sum(len(plan.steps[funnel].instances) for funnel in step.funnels)
    instances = (plan.instances[index] for index in step.instances)
    return any(
        funnels + len(instance.parents) + sum(len(plan.barriers[barrier]) for barrier in instance.barriers) > 1
        for instance in instances
    )


def _retries(plan: Plan) -> list[str]:
    """Describe automatic retries; steps with the same rules share a line."""
    by_words: dict[str, list[str]] = {}
    for step in plan.steps:
        if rules := rules_of(step, RetryLimits()):
            words = "; ".join(retry_words(rules, has_restart=bool(step.restart)))
            by_words.setdefault(words, []).append(safe(step.name))
    lines = [f"  {', '.join(names)}: {safe(words)}" for words, names in by_words.items()]
    return ["Retried automatically on failure:", *lines] if lines else []


def _shares(shares: ArraySplit, most: int) -> str:
    words: list[str] = []
    if shares.arrays:
        sizes = f"{shares.arrays[0]:,}" if len(set(shares.arrays)) == 1 else f"up to {max(shares.arrays):,}"
        words.append(f"{plural(len(shares.arrays), 'array')} of {sizes}")
    if shares.alone:
        words.append(plural(shares.alone, "separate job"))
    why = ""
    if shares.why:
        why = f" ('{safe(shares.why)}' in cmd prevents arrays)"
    elif shares.by:
        why = f" ({', '.join(shares.by)} {'differs' if len(shares.by) == 1 else 'differ'})"
    elif shares.alone > 1 and most == 1:
        why = " (array: 1)"
    return " and ".join(words) + why


def _sweep(table: ParameterTable) -> list[str]:
    """Return the number of rows, and of values per parameter."""
    if not table.keys:
        return []
    counts = [(safe(key), len(set(values))) for key, values in zip(table.keys, table.values, strict=True)]
    words = [f"{count:,} of {key}" for key, count in counts]
    words[0] = f"{plural(counts[0][1], 'value')} of {counts[0][0]}"
    more = f", and {len(words) - _MOST_PARAMETERS} more parameters" if len(words) > _MOST_PARAMETERS else ""
    return [f"{plural(len(table.values[0]), 'row')}: {', '.join(words[:_MOST_PARAMETERS])}{more}."]


def _charge(cost: Cost, profile: Profile | None) -> str:
    """Return the name of the site, and what it charges if that differs from the node-hours; empty without a profile."""
    if profile is None:
        return ""
    factors = {name: qos.factor for name, qos in profile.qos.items()}
    charged = sum(hours * factors.get(qos or profile.default_qos, 1.0) for qos, hours in cost.by_qos.items())
    return f" on {safe(profile.name)}" + (f", charged as {charged:,.1f}" if charged != cost.node_hours else "")


def _totals(plan: Plan, packed: Packed, profile: Profile | None) -> list[str]:
    skipped = sum(len(step.instances) for step in plan.steps if step.skipped)
    slurm = sum(len(step.instances) for step in plan.steps if step.scheduled and not step.skipped)
    here = len(plan.instances) - slurm - skipped
    lines = [
        f"{plural(len(plan.instances), 'instance')}: {slurm:,} on Slurm, {here:,} on this machine"
        + (f", {skipped:,} skipped." if skipped else ".")
    ]
    if slurm:
        cost = cost_of(plan)
        counted = " (packed instances counted as if they ran one after another)" if packed.steps else ""
        asked = f"At most {cost.node_hours:,.1f} node-hours{_charge(cost, profile)}{counted}."
        if cost.unknown:
            asked += f" {plural(cost.unknown, 'instance')} not counted (no fixed walltime or number of nodes)."
        if cost.spread and not packed.steps:
            counted = f"{plural(cost.spread, 'instance')} with 'procs' and no 'nodes'"
            asked += f" Slurm chooses the nodes of {counted}: counted with the fewest."
        lines.append(asked)
    return lines
