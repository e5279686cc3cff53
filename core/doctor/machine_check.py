"""Checks this machine: the limits of a driver, and whether it can keep running after logout."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..backends.slurm_programs import user_name
from ..study_creation import default_local_jobs
from .finding import Finding, FindingGroup, note, problem

_LEAST_FILES = 256  # open at once; a driver with the app needs less than half of it
_LEAST_PROCESSES = 100
_LOGIND = ("/usr/lib/systemd", "/etc/systemd")  # settings of the later one override
_KILLS = re.compile(r"^\s*KillUserProcesses\s*=\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The limits and settings of this machine."""

    files: int  # open files per process; -1: no limit
    processes: int  # processes of the user; -1: no limit
    local_jobs: int
    ends_at_logout: bool  # the system kills the user's processes at logout
    unwritable: tuple[str, ...] = ()  # the user's config and state folders that cannot be written


def check_machine(environment: Mapping[str, str]) -> FindingGroup:
    """Check this machine, and return the findings."""
    return FindingGroup("This machine", machine_findings(look_at_machine(environment)))


def look_at_machine(environment: Mapping[str, str]) -> MachineFacts:
    """Read the limits and settings of this machine."""
    config = environment.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    state = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return MachineFacts(
        files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        processes=resource.getrlimit(resource.RLIMIT_NPROC)[0],
        local_jobs=default_local_jobs(),
        ends_at_logout=kills_at_logout(_logind_texts()) and not _lingers(),
        unwritable=tuple(str(folder) for folder in (config, state) if not _writable(Path(folder))),
    )


def _logind_texts() -> list[str]:
    files = [file for top in _LOGIND for file in (Path(top) / "logind.conf", *_parts(Path(top) / "logind.conf.d"))]
    return [file.read_text(encoding="utf-8", errors="replace") for file in files if os.access(file, os.R_OK)]


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.conf"))


def kills_at_logout(texts: list[str]) -> bool:
    """Return whether the last KillUserProcesses setting of logind is on; False if unset, as on most systems."""
    answers = [answer for text in texts for answer in _KILLS.findall(text)]
    return bool(answers) and answers[-1].lower() in ("yes", "true", "on", "1")


def _lingers() -> bool:
    """Return whether the user's processes are exempt (loginctl enable-linger)."""
    return (Path("/var/lib/systemd/linger") / user_name()).exists()


def _writable(folder: Path) -> bool:
    """Return whether a folder can be written, or created."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def machine_findings(facts: MachineFacts) -> list[Finding]:
    """Convert the facts to findings about a driver on this machine."""
    found = [
        Finding("local steps", f"{facts.local_jobs} at once (change with --local-jobs)"),
        _limit("open files", facts.files, _LEAST_FILES, "ulimit -n 1024"),
        _limit("processes", facts.processes, _LEAST_PROCESSES, "ulimit -u"),
    ]
    if facts.ends_at_logout:
        then = "a background driver ends with your session, and 'mtui DIR' resumes later; 'mtui submit' is not affected"
        found.append(note("logging out", "this system kills your processes at logout (KillUserProcesses)", then))
    else:
        found.append(Finding("logging out", "a background driver can keep running"))
    for folder in facts.unwritable:
        then = "the list of your studies and the settings of the app are not stored; studies run anyway"
        found.append(note("your settings", f"{folder} is not writable", then))
    return found


def _limit(subject: str, limit: int, least: int, how: str) -> Finding:
    found = "no limit" if limit < 0 else f"{limit:,}"
    if 0 <= limit < least:
        return problem(subject, f"at most {found}", f"mtui needs about {least:,}: {how}")
    return Finding(subject, found)
