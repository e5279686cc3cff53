"""Warns of jobs in a plan that the site would reject or treat differently than meant, before anything is submitted.

All of these are warnings: only Slurm decides whether a job is accepted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..plan.job_arrays import job_shape_of, varies
from ..plan.study_plan import Plan, PlannedStep
from ..spec.problems import NOWHERE, Place, Problem
from ..spec.sbatch_options import PREFIX, parse_options
from ..spec.walltime import walltime_seconds, walltime_text
from .profile import NodeType, Profile, Qos

_SIZE = re.compile(r"(\d+)([KMGT]?)B?", re.IGNORECASE)
_MEGABYTES = {"K": 1 / 1024, "": 1.0, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024.0}


@dataclass(frozen=True, slots=True)
class _Job:
    """What a job requests, by the long names of sbatch's options; the last of repeated options counts."""

    options: Mapping[str, str] = field(default_factory=dict[str, str])

    def text(self, key: str) -> str:
        return self.options.get(key, "")

    def number(self, key: str, default: int = 0) -> int:
        match = re.match(r"\d+", self.text(key))
        return int(match.group()) if match else default

    @property
    def nodes(self) -> int:
        return self.number("nodes", 1)

    @property
    def seconds(self) -> int:
        return walltime_seconds(self.text("time")) or 0

    @property
    def gpus(self) -> int:
        """The GPUs per node, estimated from several options."""
        numbers = [_last_number(self.text(key)) for key in ("gpus-per-node", "gres")]
        tasks = -(-self.number("ntasks", 1) // self.nodes)
        numbers += [_last_number(self.text("gpus-per-task")) * tasks, -(-_last_number(self.text("gpus")) // self.nodes)]
        return max(numbers)

    @property
    def threads(self) -> int:
        """The logical cores that a node needs at least; without a number of nodes Slurm spreads the tasks."""
        tasks = -(-self.number("ntasks", 1) // self.nodes) if self.text("nodes") else 1
        return tasks * self.number("cpus-per-task", 1)

    @property
    def memory(self) -> float:
        """The memory per node, in MB."""
        if match := _SIZE.fullmatch(self.text("mem-per-cpu")):
            return float(match.group(1)) * _MEGABYTES[match.group(2).upper()] * self.threads
        match = _SIZE.fullmatch(self.text("mem"))
        return float(match.group(1)) * _MEGABYTES[match.group(2).upper()] if match else 0.0


def _last_number(text: str) -> int:
    """Return the number in `4`, `gpu:4`, `gpu:a100:4`; 0 for any other text."""
    match = re.fullmatch(r"(?:[a-z][\w.-]*:)*(\d+)", text)
    return int(match.group(1)) if match else 0


def advice(plan: Plan, profile: Profile, places: Mapping[str, Place]) -> list[Problem]:
    """Return all warnings, each kind once per step; `places` are those of the steps in the file."""
    found: list[Problem] = []
    jobs: Counter[str] = Counter()
    for step in plan.steps:
        if not step.scheduled or step.skipped or not step.instances:
            continue
        reported: dict[str, Problem] = {}
        for number, job in _jobs(plan, step):
            qos = job.text("qos") or profile.default_qos
            jobs[qos] += number
            for doubt in _doubts(job, profile, qos):
                kind = re.sub(r"[\d,.:-]+", "", doubt.message)
                reported.setdefault(kind, replace(doubt, place=places.get(step.name, NOWHERE)))
        found += (replace(problem, message=f"step '{step.name}': {problem.message}") for problem in reported.values())
    for qos, number in jobs.items():
        limit = profile.qos.get(qos, Qos()).submit
        if limit and number > limit:
            message = f"{profile.name} allows {limit:,} jobs per user at a time in qos {qos}; the study has {number:,}"
            hint = "mtui keeps to this limit and submits more as jobs end; 'mtui: {pack: true}' would need fewer jobs"
            found.append(_doubt(message, hint))
    return found


def _jobs(plan: Plan, step: PlannedStep) -> Iterable[tuple[int, _Job]]:
    """Yield the distinct jobs of a step, each with its number of instances."""
    if not varies(step):
        yield len(step.instances), _read(job_shape_of(plan, plan.instances[step.instances[0]]).options)
        return
    kinds = Counter(job_shape_of(plan, plan.instances[index]).options for index in step.instances)
    for options, number in kinds.items():
        yield number, _read(options)


def _read(lines: Iterable[str]) -> _Job:
    """Read the `#SBATCH` lines of a job."""
    return _Job({option.name: option.value for option in parse_options(line.removeprefix(PREFIX) for line in lines)})


def _doubt(message: str, hint: str = "") -> Problem:
    return Problem(NOWHERE, message, hint, warning=True)


def _doubts(job: _Job, profile: Profile, name: str) -> Iterable[Problem]:
    yield from _missing(job, profile)
    if profile.no_partition and job.text("partition"):
        yield _doubt(f"{profile.name} refuses a partition beside a qos ('{job.text('partition')}')", "queue: ''")
    if not job.text("qos") and profile.default_qos:
        yield _doubt(f"it has no qos, and gets '{profile.default_qos}' on {profile.name}", "qos: regular, in batch")
    yield from _of_qos(job, profile, name)
    types = [kind for kind in re.split(r"[&|,*\[\]()]", job.text("constraint")) if kind in profile.nodes]
    if job.text("constraint") and profile.nodes and not types:
        kinds = ", ".join(profile.nodes)
        yield _doubt(f"constraint '{job.text('constraint')}' names none of {profile.name}'s nodes ({kinds})")
    for kind in types[:1]:
        yield from _of_nodes(job, profile, kind, profile.nodes[kind])


def _missing(job: _Job, profile: Profile) -> Iterable[Problem]:
    named = {"constraint": "constraint", "account": "account", "walltime": "time", "qos": "qos"}
    hints = {
        "constraint": f"constraint: {' or '.join(profile.nodes) or 'NAME'}, in batch or under mtui: steps:",
        "account": "bank: NAME, in batch",
        "walltime": "walltime: 01:00:00, in the step",
        "qos": "qos: NAME, in batch",
    }
    for what in profile.required:
        if not job.text(named[what]):
            yield _doubt(f"it has no {what}, and {profile.name} refuses jobs without one", hints[what])
    if "walltime" not in profile.required and not job.text("time"):
        yield _doubt("it has no walltime", hints["walltime"])


def _of_qos(job: _Job, profile: Profile, name: str) -> Iterable[Problem]:
    qos = profile.qos.get(name, Qos())
    if qos.walltime and job.seconds > qos.walltime:
        longest = walltime_text(qos.walltime)
        roomy = [other for other, limits in profile.qos.items() if limits.walltime >= job.seconds]
        hint = f"longer ones: {', '.join(roomy)}" if roomy else ""
        yield _doubt(f"its walltime of {job.text('time')} exceeds the {longest} of qos {name}", hint)
    if qos.least_walltime and job.seconds and job.seconds < qos.least_walltime:
        yield _doubt(
            f"qos {name} requires a walltime of at least {walltime_text(qos.least_walltime)}, not {job.text('time')}"
        )
    if qos.nodes and job.nodes > qos.nodes:
        yield _doubt(f"it requests {job.nodes:,} nodes, but qos {name} allows at most {qos.nodes:,}")


def _of_nodes(job: _Job, profile: Profile, kind: str, node: NodeType) -> Iterable[Problem]:
    if node.threads and job.threads > node.threads:
        hint = "more nodes, or fewer procs or cores per task"
        yield _doubt(f"it requests {job.threads:,} cores on a node; a {kind} node has {node.threads:,}", hint)
    if node.memory and job.memory > node.memory:
        asked, has = f"{job.memory / 1024:,.0f}", f"{node.memory / 1024:,.0f}"
        yield _doubt(f"it requests {asked} GB on a node; a {kind} node has {has} GB")
    if job.gpus > node.gpus:
        has = f"{node.gpus:,}" if node.gpus else "none"
        yield _doubt(f"it requests {job.gpus:,} GPUs on a node; a {kind} node has {has}")
    account = job.text("account")
    if account and node.account_ends and not account.endswith(node.account_ends):
        message = f"{kind} nodes need an account that ends in {node.account_ends}, not '{account}'"
        yield _doubt(message, f"bank: {account}{node.account_ends}")
    others = {other.account_ends for other in profile.nodes.values()} - {"", node.account_ends}
    if account and not node.account_ends and account.endswith(tuple(others)):
        ends = next(end for end in others if account.endswith(end))
        yield _doubt(f"account '{account}' cannot be used for {kind} nodes", f"bank: {account.removesuffix(ends)}")
