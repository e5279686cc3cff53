"""Slurm's programs on this machine: whether they are here and configured, and what they print without a study."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from ..errors import BackendMissing
from .cluster_limits import parse_config
from .program_run import run_program
from .slurm_environment import query_environment
from .slurm_text import ENDED

PROGRAMS = ("sbatch", "squeue", "scancel")  # required to run a study on Slurm
OLDEST = (20, 11)  # older ones do not read times such as now-30days (sacct)
OLDEST_NAME = "20.11"
_VERSION = re.compile(r"\b(\d\d)\.(\d\d)\b")


def require_slurm() -> None:
    """Raise BackendMissing if Slurm's programs are missing on this machine, or not configured."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise BackendMissing(
            f"this study runs on Slurm, but {', '.join(missing)} cannot be found on this machine",
            "start it on a login node of the cluster, or run it here with --local",
        )
    if conf := missing_configuration():
        raise BackendMissing(
            f"this study runs on Slurm, but SLURM_CONF names a file that cannot be read: {conf}",
            "unset SLURM_CONF or correct it, or try it here with --local",
        )
    if knows_no_cluster():
        raise BackendMissing(
            "this study runs on Slurm, but Slurm's programs on this machine are not configured for a cluster",
            "set SLURM_CONF, start it on a login node, or run it here with --local",
        )
    version = _version(os.environ.get("PATH", ""))
    if is_too_old(version):
        raise BackendMissing(
            f"this study runs on Slurm, but the version on this machine is too old: {version}",
            f"mtui needs {OLDEST_NAME} or newer: load a newer Slurm module, or run it here with --local",
        )


def is_too_old(version: str) -> bool:
    """Return whether a version as Slurm prints it, `slurm 23.02.7`, is not supported; False if it cannot be read."""
    found = _VERSION.search(version)
    return bool(found) and tuple(map(int, found.groups())) < OLDEST


def missing_configuration() -> str:
    """Return the file that SLURM_CONF names if it cannot be read; else an empty text.

    Slurm's programs look for it for a minute before they fail, and sbatch prints an error that may be temporary.
    """
    conf = os.environ.get("SLURM_CONF", "")
    return conf if conf and not os.access(conf, os.R_OK) else ""


def knows_no_cluster() -> bool:
    """Return whether Slurm's programs have no configuration here; False if only the controller is unreachable."""
    return _is_bare(os.environ.get("PATH", ""), os.environ.get("SLURM_CONF", ""))


def user_name() -> str:
    """Return the user's name; the user id if the system has no name for it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def job_has_ended(job: str, name: str = "", cluster: str = "") -> bool:
    """Return whether squeue shows a job of the user as ended; False if the query fails or the job is unknown.

    An unknown job may be active on another cluster that shares the file system. Of an empty `name` or `cluster` it is
    not known which it is: then the job is the one that has the id.
    """
    command = ["squeue", f"--user={user_name()}", "--noheader", "--states=all", f"--jobs={job}", "--format=%T|%j"]
    environment = query_environment(os.environ)
    if cluster and cluster_name(environment) != cluster:
        return False
    components = [line.strip().partition("|") for line in _output(command, environment).splitlines() if line.strip()]
    return bool(components) and all(state in ENDED and (not name or shown == name) for state, _, shown in components)


def cluster_name(environment: Mapping[str, str]) -> str:
    """Return the name of the cluster of this machine; empty if Slurm does not answer or has no name for it."""
    return parse_config(_output(["scontrol", "show", "config"], environment)).get("ClusterName", "")


@cache
def _is_bare(path: str, conf: str) -> bool:
    """Run `scontrol ping` once per process and arguments: only these two change the answer."""
    del path, conf
    with suppress(subprocess.TimeoutExpired, OSError):
        return "configuration source" in run_program(["scontrol", "ping"], query_environment(os.environ), 15).stderr
    return False


@cache
def _version(path: str) -> str:
    """Return the version of Slurm's programs; empty if it cannot be queried."""
    del path
    return _output(["scontrol", "--version"], query_environment(os.environ)).strip()


def _output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the output of a program; empty if it fails."""
    try:
        done = run_program(command, environment, 15)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout
