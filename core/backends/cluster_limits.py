"""The limits of a cluster, parsed from the output of scontrol and sacctmgr."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

QOS_LIMITS = ("MaxSubmitPU", "MaxSubmitPA", "GrpSubmit")  # on jobs per user, per account, in total
ACCOUNT_LIMITS = ("MaxSubmit", "GrpSubmit")


@dataclass(frozen=True, slots=True)
class JobLimit:
    """How many jobs a user may have in the queue under a QOS or an account; under any of them if both are empty."""

    jobs: int
    qos: str = ""
    account: str = ""

    def covers(self, qos: str, account: str) -> bool:
        """Return whether jobs of that QOS and account count."""
        return self.qos in ("", qos) and self.account in ("", account)

    @property
    def words(self) -> str:
        place = f"QOS {self.qos}" if self.qos else f"account {self.account}" if self.account else "the cluster"
        return f"{place} allows {self.jobs:,} jobs per user"


@dataclass(frozen=True, slots=True)
class ClusterLimits:
    """The limits of a cluster. Values that could not be queried have Slurm's defaults."""

    max_array: int = 1001  # MaxArraySize: task numbers are below this
    max_jobs: int = 10_000  # MaxJobCount: jobs of all users in the controller, including recently ended ones
    min_job_age: float = 300.0  # MinJobAge: seconds that the controller keeps an ended job
    submit_limits: Mapping[str, int] = field(default_factory=dict[str, int])  # by QOS
    account_limits: Mapping[str, int] = field(default_factory=dict[str, int])  # by account
    default_qos: Mapping[str, str] = field(default_factory=dict[str, str])  # by account, "" for the user's default

    def qos_of(self, qos: str, account: str) -> str:
        """Return the QOS of jobs that request `qos`; an empty one is the default."""
        return qos or self.default_qos.get(account) or self.default_qos.get("", "")

    def job_limits(self, qos: str, account: str) -> list[JobLimit]:
        """Return the limits on jobs that request `qos` (empty: the default one) and `account`."""
        name = self.qos_of(qos, account)
        limits = [JobLimit(self.max_jobs // 2)]
        if name in self.submit_limits:
            limits.append(JobLimit(self.submit_limits[name], qos=name))
        if account in self.account_limits:
            limits.append(JobLimit(self.account_limits[account], account=account))
        return limits

    def submit_limit(self, qos: str, account: str) -> int:
        """Return how many jobs a user may have in the queue; an empty `qos` is the default one."""
        return min(limit.jobs for limit in self.job_limits(qos, account))


def parse_config(text: str) -> dict[str, str]:
    """Parse the output of `scontrol show config`, by key."""
    return {match[1]: match[2].strip() for match in re.finditer(r"^(\w+)\s*= (.*)$", text, re.MULTILINE)}


def parse_limits(text: str, columns: int) -> dict[str, int]:
    """Parse `sacctmgr --parsable2` output with a name and `columns` limits: the smallest limit of each name."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, *cells = line.split("|")
        limits = [int(cell) for cell in cells[:columns] if cell.isdigit()]
        if limits:
            found[name] = min([*limits, *([found[name]] if name in found else [])])
    return found


def read_cluster_limits(config: str, qos: str, accounts: str) -> ClusterLimits:
    """Parse the limits from the output of Slurm's programs; pass empty texts for queries that failed.

    `config` is `scontrol show config`; `qos` has the columns Name and QOS_LIMITS, `accounts` Account, ACCOUNT_LIMITS
    and DefaultQOS.
    """
    values, unknown = parse_config(config), ClusterLimits()

    def number(key: str, otherwise: int) -> int:
        match = re.match(r"\d+", values.get(key, ""))
        return int(match.group()) if match else otherwise

    default_qos: dict[str, str] = {}
    for line in accounts.splitlines():
        name, *cells = line.split("|")
        if cells and cells[-1]:
            default_qos[name] = cells[-1]
            default_qos.setdefault("", cells[-1])
    return ClusterLimits(
        max_array=max(1, number("MaxArraySize", unknown.max_array)),
        max_jobs=number("MaxJobCount", unknown.max_jobs),
        min_job_age=float(number("MinJobAge", int(unknown.min_job_age))),
        submit_limits=parse_limits(qos, len(QOS_LIMITS)),
        account_limits=parse_limits(accounts, len(ACCOUNT_LIMITS)),
        default_qos=default_qos,
    )
