"""`mtui status`: the status of a study, as text and as JSON."""

from __future__ import annotations

import shlex
import textwrap
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from ...core.backends.pending_reasons import next_step, reason_text
from ...core.backends.slurm_ids import whole_job
from ...core.engine.allocation import Allocation
from ...core.engine.cause_text import cause_text
from ...core.engine.own_allocation import too_long
from ...core.engine.state import StudyState
from ...core.engine.status import BAD, IN_SLURM, UNSUCCESSFUL, Status
from ...core.plan.cost import nodes_asked
from ...core.plan.shared_allocations import ANY, PackingPlan
from ...core.spec.study_spec import PackingOptions
from ...core.store import inbox
from ...core.store.lease import LeaseState, Liveness
from ...core.store.lease_owner import Owner, read_current_owner
from ...core.store.study_directory import StudyDirectory
from ...core.store.study_reader import read_last_output
from .allocation_text import Occupancy, Use, allocation_status_text, left, open_ones, time_left
from .estimate import rough_words
from .io_error_text import file_system_lines, io_error_lines
from .study_opening import READ_ONLY, is_maestros
from .text import Paint, log_line, plural, safe, table

_MOST_NAMES = 3
_QUEUED = (Status.PENDING, Status.BOUND, Status.REQUEUED)
_MOST_FAILURES = 10  # shown in full; a sweep may have thousands


def drives(directory: StudyDirectory) -> str:
    """Return the current driver as text; empty if there is none."""
    _, liveness = _last_driver(directory)
    return liveness.words if liveness and liveness.judge().drives else ""


def silent_driver(directory: StudyDirectory) -> str:
    """Return the driver on another host that most likely died without releasing the lease, as text; else empty."""
    owner, liveness = _last_driver(directory)
    if not owner or not liveness or liveness.judge() is not LeaseState.SILENT:
        return ""
    return f"{owner.words}, no heartbeat for {rough_words(liveness.last_sign_ago)}"


def _last_driver(directory: StudyDirectory) -> tuple[Owner | None, Liveness | None]:
    owner = read_current_owner(directory.owner) if directory.owner.exists() else None
    return owner, Liveness(directory.owner, owner) if owner else None


def summary(counts: Counter[Status]) -> str:
    """Return the counts in a line: `3/10 done, 2 running, 1 failed`; empty groups are left out."""
    skipped = counts[Status.SKIPPED]
    total = sum(counts.values()) - skipped
    pending = counts[Status.PENDING] + counts[Status.CONFIGURING] + counts[Status.REQUEUED]
    bound = counts[Status.BOUND]
    cancelled, blocked = counts[Status.CANCELLED], counts[Status.BLOCKED]
    groups = {
        "running": sum(counts[status] for status in IN_SLURM) - pending - bound,
        "pending": pending,
        "bound": bound,
        "failed": sum(counts[status] for status in UNSUCCESSFUL) - cancelled,
        "cancelled": cancelled,
        "blocked": blocked,
        "skipped": skipped,
    }
    parts = [f"{counts[Status.FINISHED]:,}/{total:,} done"]
    return ", ".join(parts + [f"{count:,} {word}" for word, count in groups.items() if count])


def failures(state: StudyState) -> list[int]:
    """Return the instances that failed themselves, in plan order; not those cancelled by a command."""
    return [
        index
        for index, status in enumerate(state.status)
        if status in UNSUCCESSFUL and not _by_command(state, index, status)
    ]


def _by_command(state: StudyState, index: int, status: Status) -> bool:
    last = state.last_attempt(index)
    return status is Status.CANCELLED and (last is None or last.cancelled or index in state.cancelled_before_submit)


def failure_lines(directory: StudyDirectory, state: StudyState, paint: Paint) -> list[str]:
    """Return the failures, each with its cause, the last lines of its output, and the path of the log."""
    lines: list[str] = []
    failed = failures(state)
    for index in failed[:_MOST_FAILURES]:
        instance = state.plan.instances[index]
        status = state.status[index]
        cause = cause_text(state.cause(index))
        lines.append(f"  {paint.status(status, safe(instance.name))}  {status.value}: {safe(cause)}")
        log, said = read_last_output(directory, instance, 3)
        lines += [f"      {log_line(line)}" for line in said]
        if log.exists():
            lines.append(paint.dim(f"      {log}"))
    if len(failed) > _MOST_FAILURES:
        lines.append(f"  and {len(failed) - _MOST_FAILURES:,} more")
    return lines


def _held_lines(state: StudyState) -> list[str]:
    """Return the jobs that Slurm does not start without anybody: a line for each reason, with what to do."""
    held: dict[str, list[int]] = {}
    for index in sorted(state.live_slurm):
        last = state.attempts[index][-1]
        if state.status[index] in _QUEUED and next_step(last.reason, last.job, bound=bool(last.after)):
            held.setdefault(last.reason, []).append(index)
    lines: list[str] = []
    for reason, members in held.items():
        names = ", ".join(safe(state.plan.instances[index].name) for index in members[:_MOST_NAMES])
        more = f" and {len(members) - _MOST_NAMES:,} more" if len(members) > _MOST_NAMES else ""
        jobs = list(dict.fromkeys(whole_job(state.attempts[index][-1].job) for index in members))
        step = next_step(reason, ",".join(jobs[:_MOST_NAMES]) + (",..." if len(jobs) > _MOST_NAMES else ""))
        lines.append(f"{names}{more}: {safe(reason_text(reason))}; {safe(step)}")
    return lines


def warning_lines(state: StudyState, paint: Paint) -> list[str]:
    """Return the instances that finished, and of which Slurm reports that something was wrong."""
    warned = state.warned()
    lines = [
        f"  {paint.status(Status.FINISHED, safe(state.plan.instances[index].name))}  "
        f"finished, but Slurm reports: {safe(cause_text(state.cause(index)))}"
        for index in warned[:_MOST_FAILURES]
    ]
    return [*lines, f"  and {len(warned) - _MOST_FAILURES:,} more"] if len(warned) > _MOST_FAILURES else lines


def status_text(directory: StudyDirectory, state: StudyState, paint: Paint, given: Sequence[str] = ()) -> str:
    """Return the output of `mtui status`; `given` are the options that replaced values of the study file."""
    driver = drives(directory)
    commands = len(inbox.pending_commands(directory.inbox))
    lines = [f"{paint.bold(safe(state.plan.name))}  {summary(state.counts)}"]
    if is_maestros(directory):
        written = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(directory.status_csv.stat().st_mtime))
        lines.append(f"{READ_ONLY}. It last wrote at {written}.")
    elif state.result:
        lines.append(f"Study {state.result}.")
        if commands:
            lines.append(f"Commands waiting for a driver: {commands:,}. Resume with: mtui {directory.root}")
    elif driver:
        lines.append(f"Driver: {driver}.")
    else:
        silent = silent_driver(directory)
        last = f" The last driver seems to have ended ({silent})." if silent else ""
        wait = f" Commands waiting for a driver: {commands:,}." if commands else ""
        lines.append(f"No driver is running.{last}{wait} Resume with: mtui {directory.root}")
    if not state.result and (clusters := sorted(state.clusters)):
        lines.append(f"Its jobs are on cluster {safe(', '.join(clusters))}: only a driver there can resume it.")
    if added := len(state.plan.instances) - state.size:
        lines.append(
            f"{plural(added, 'instance')} added by mtui extend: the next driver adds them (skipped until then)."
        )
    if missing := sorted(state.without_rows()):
        names = ", ".join(safe(state.plan.instances[index].name) for index in missing[:_MOST_NAMES])
        more = f" and {len(missing) - _MOST_NAMES:,} more" if len(missing) > _MOST_NAMES else ""
        lines.append(f"To run again, with the rows that were added: {names}{more}.")
    if given:
        lines.append(f"Started with {safe(shlex.join(given))}")
    lines += io_error_lines(state)
    if not state.result:
        lines += file_system_lines(directory.root)
    if state.slurm_silent_since and not state.result:
        since = time.strftime("%H:%M:%S", time.localtime(state.slurm_silent_since))
        lines.append(f"Slurm does not answer since {since}: {safe(state.slurm_message)}")
    if state.deferred:
        lines.append(f"Slurm accepts no more jobs for now: {safe(state.deferred)}")
    lines += _held_lines(state)
    if open_ones(state):
        lines += ["", *_allocation_lines(state), *_too_long_lines(state)]
    shown = [status for status in Status if state.counts[status]]
    rows = [("STEP", *(status.value.upper() for status in shown))]
    for step in state.plan.steps:
        counts = state.step_counts[step.index]
        rows.append((safe(step.name), *(f"{counts[status]:,}" if counts[status] else "." for status in shown)))
    lines += ["", *table(rows, right=frozenset(range(1, len(shown) + 1)))]
    failed = failures(state)
    if failed:
        lines += ["", paint.bold(f"{plural(len(failed), 'failure')}:"), *failure_lines(directory, state, paint)]
    if warnings := warning_lines(state, paint):
        lines += ["", paint.bold(f"{plural(len(state.warned()), 'warning')}:"), *warnings]
    return "\n".join(lines)


def _allocation_lines(state: StudyState) -> list[str]:
    """Return the open allocations with their resources and use."""
    uses, now = Occupancy(state.plan).look(state), time.time()
    rows = [("ALLOCATION", "STATE", "NODES", "TIME LEFT", "CORES BUSY", "RUNNING", "WAITING", "DONE")]
    for allocation in open_ones(state):
        use = uses[allocation.name]
        rows.append(
            (
                allocation.job or "-",
                allocation_status_text(allocation)
                + (f" ({safe(textwrap.shorten(allocation.reason, 40))})" if allocation.reason else ""),
                f"{allocation.nodes:,}",
                left(allocation, now),
                f"{use.busy:,}/{allocation.cores:,}" if allocation.began_at else "-",
                f"{use.running:,}",
                f"{use.waiting:,}",
                f"{allocation.done:,}",
            )
        )
    return table(rows, right=frozenset(range(2, len(rows[0]))))


def _too_long_lines(state: StudyState) -> list[str]:
    """Return how many instances can never run in the allocation that the driver uses instead of requesting any."""
    own = open_ones(state)[-1]
    if own.pool != ANY or not own.began_at:
        return []
    packing = PackingPlan(state.plan, PackingOptions(nodes=own.nodes))
    count = len(too_long(state, packing, time_left(own, time.time())))
    words = f"{plural(count, 'instance')} cannot run: allocation {own.job} has less time left than their walltime."
    return [words] if count else []


def _allocation_record(allocation: Allocation, use: Use | None) -> dict[str, object]:
    return {
        "name": allocation.name,
        "job": allocation.job,
        "status": allocation.status.value,
        "open": use is not None,
        "ending": allocation.ending,
        "reason": allocation.reason,
        "cause": cause_text(allocation.cause),
        "cause_code": allocation.cause.code.value if allocation.cause else "",
        "nodes": allocation.nodes,
        "hosts": list(allocation.hosts),
        "cores": allocation.cores,
        "busy_cores": use.busy if use else 0,
        "running": use.running if use else 0,
        "waiting": use.waiting if use else 0,
        "done": allocation.done,
        "walltime": allocation.seconds,
        "asked_at": allocation.asked_at,
        "queued_at": allocation.queued_at,
        "began_at": allocation.began_at,
        "ends_at": allocation.ends_at,
        "ended_at": allocation.ended_at,
    }


def status_json(directory: StudyDirectory, state: StudyState, given: Sequence[str] = ()) -> dict[str, object]:
    """Return the status as a JSON record; `version` is increased when a field changes its meaning."""
    instances: list[dict[str, object]] = []
    without_rows = state.without_rows()
    for instance in state.plan.instances:
        attempts = state.attempts.get(instance.index, [])
        last = attempts[-1] if attempts else None
        changes = state.changes.get(instance.index, {})
        cause = state.cause(instance.index)
        instances.append(
            {
                "name": instance.name,
                "step": state.plan.steps[instance.step].name,
                "status": state.status[instance.index].value,
                "workspace": instance.workspace,
                "params": state.plan.params(instance),
                "changes": changes,
                "nodes": nodes_asked(state.plan, instance, changes),
                "attempt": last.number if last else 0,
                "job": last.job if last else "",
                "node": last.node if last else "",
                "allocation": last.allocation if last else "",
                "exit_code": last.exit_code if last else None,
                "cause": cause_text(cause),
                "cause_code": cause.code.value if cause else "",
                "reason": last.reason if last else "",
                "misses_rows": instance.index in without_rows,
                "submitted_at": last.submitted_at if last else 0,
                "started_at": last.started_at if last else 0,
                "ended_at": last.ended_at if last else 0,
            }
        )
    uses = Occupancy(state.plan).look(state)
    return {
        "version": 1,
        "study": state.plan.name,
        "directory": str(directory.root),
        "given": list(given),
        "result": state.result,
        "driver": drives(directory),
        "slurm_silent_since": state.slurm_silent_since,
        "io_errors": [{"what": what, **asdict(error)} for what, error in state.io_errors.items()],
        "counts": {status.value: count for status, count in state.counts.items() if count},
        "failed": any(state.counts[status] for status in BAD),
        "allocations": [_allocation_record(one, uses.get(one.name)) for one in state.allocations.by_name.values()],
        "instances": instances,
    }
