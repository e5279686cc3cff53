"""Checks Slurm with the same calls as a driver."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..backends.cluster_limits import ClusterLimits
from ..backends.slurm import Slurm
from ..backends.slurm_programs import OLDEST_NAME, PROGRAMS, is_too_old, knows_no_cluster, missing_configuration
from ..backends.slurm_text import ENDED, Unobserved
from ..errors import MtuiError, Refusal
from ..sites.profile_search import find_profile, own_profiles
from .finding import Finding, FindingGroup, note, problem

_OPTIONAL = ("sacct", "sacctmgr", "scontrol", "srun")


@dataclass(frozen=True, slots=True)
class SlurmFacts:
    """The results of the queries. `missing` are programs; `silent` is the error of squeue, empty if it succeeded."""

    missing: tuple[str, ...] = ()
    configured: bool = True
    version: str = ""
    conf: str = ""  # what SLURM_CONF names, if it cannot be read
    silent: str = ""
    took: float = 0.0  # seconds until the answer
    jobs: int = 0  # active jobs of the user in squeue
    accounting: bool = True
    site: ClusterLimits = field(default_factory=ClusterLimits)
    inside: str = ""  # the job that this process runs in
    profile: str = ""  # name and file of the site profile
    profiles: str = "~/.config/mtui/sites"  # the user's folder of site profiles
    unreadable: str = ""  # the error in the site profile


def check_slurm(environment: Mapping[str, str]) -> FindingGroup:
    """Query Slurm as a driver does. Takes a few seconds at most, unless the controller is slow or down."""
    return FindingGroup("Slurm", slurm_findings(ask_slurm(environment)))


def ask_slurm(environment: Mapping[str, str]) -> SlurmFacts:
    """Query Slurm; stop at the first failure that makes the other queries useless."""
    missing = tuple(name for name in (*PROGRAMS, *_OPTIONAL) if shutil.which(name) is None)
    inside = environment.get("SLURM_JOB_ID", "")
    if set(missing) & set(PROGRAMS):
        return SlurmFacts(missing, inside=inside)
    if conf := missing_configuration():
        return SlurmFacts(missing, conf=conf, inside=inside)
    if knows_no_cluster():
        return SlurmFacts(missing, configured=False, inside=inside)
    slurm = Slurm(Path(), Path(os.devnull))
    begun = time.monotonic()
    view = slurm.look(())
    took = time.monotonic() - begun
    if isinstance(view, Unobserved):
        return SlurmFacts(missing, version=slurm.version(), silent=view.message, took=took, inside=inside)
    profile = _profile(environment)
    return SlurmFacts(
        missing,
        version=slurm.version(),
        took=took,
        jobs=sum(job.state not in ENDED for job in view.jobs.values()),
        accounting=slurm.has_accounting(),
        site=slurm.site(),
        inside=inside,
        profile="" if isinstance(profile, Refusal) else profile,
        profiles=str(own_profiles(environment)),
        unreadable=profile.message if isinstance(profile, Refusal) else "",
    )


def _profile(environment: Mapping[str, str]) -> str | Refusal:
    """Return the name and file of the site profile, empty if none matches; or the error in it."""
    try:
        profile = find_profile("", Path(), environment)
    except MtuiError as error:
        return Refusal(error.message)
    return f"{profile.name} ({profile.file})" if profile else ""


def slurm_findings(facts: SlurmFacts) -> list[Finding]:
    """Convert the query results to findings about studies on Slurm."""
    needed = [name for name in facts.missing if name in PROGRAMS]
    local = "studies with only local steps run; --local runs every step on this machine"
    if len(needed) == len(PROGRAMS):
        return [note("programs", "Slurm is not installed on this machine", local)]
    if needed:
        return [problem("programs", f"{', '.join(needed)} cannot be found", f"{local}; load Slurm's module, if any")]
    if facts.conf:
        return [
            problem("programs", f"SLURM_CONF names a file that cannot be read: {facts.conf}", f"{local}; correct it")
        ]
    if not facts.configured:
        found = "Slurm's programs are installed, but not configured for a cluster"
        return [note("programs", found, f"{local}; else set SLURM_CONF, or use a login node")]
    if is_too_old(facts.version):
        return [problem("programs", f"{facts.version}; mtui needs Slurm {OLDEST_NAME} or newer", local)]
    if facts.silent:
        then = "a driver keeps trying; no data is lost, but nothing can be submitted meanwhile"
        return [Finding("programs", facts.version or "there"), problem("controller", facts.silent, then)]
    found = [
        Finding("programs", facts.version or "there"),
        Finding("controller", f"answers in {facts.took:.2f} s; {facts.jobs:,} of your jobs in the queue"),
        _accounting(facts),
        _limits(facts.site),
        _site(facts),
    ]
    if "srun" in facts.missing:
        found.append(note("srun", "cannot be found", "packed steps need it on compute nodes"))
    if facts.inside:
        then = "'mtui --in-allocation STUDY.yaml' runs a study inside it; otherwise the study submits separate jobs"
        found.append(note("allocation", f"mtui is running inside job {facts.inside}", then))
    return found


def _accounting(facts: SlurmFacts) -> Finding:
    if facts.accounting:
        return Finding("accounting", "sacct answers")
    then = (
        "jobs record their own exit codes; one that is killed and leaves the queue unobserved counts as lost, "
        "and 'mtui report' shows no resource usage"
    )
    return note("accounting", "sacct does not answer", then)


def _limits(site: ClusterLimits) -> Finding:
    arrays = f"arrays of up to {site.max_array:,} tasks" if site.max_array > 1 else "no job arrays"
    limits = {**site.submit_limits, **site.account_limits}
    shown = ", ".join(f"{name} {limit:,}" for name, limit in sorted(limits.items())[:6])
    more = ", ..." if len(limits) > 6 else ""
    jobs = f"jobs in the queue at most: {shown}{more}" if shown else "no submit limit reported"
    then = "" if shown else "if there is one, mtui learns it from sbatch rejections; no instance fails"
    return Finding("limits", f"{arrays}; {jobs}", then=then)


def _site(facts: SlurmFacts) -> Finding:
    if facts.unreadable:
        return problem("site", facts.unreadable, "no study can be planned until the profile is fixed or removed")
    if facts.profile:
        return Finding("site", facts.profile, then="plans are checked against it before submission")
    then = f"site rules beyond Slurm's limits are unknown; describe them in {facts.profiles}/NAME.yaml"
    return Finding("site", "no matching profile", then=then)
