"""Parses the output of Slurm's programs, and creates the text passed to sbatch. Runs no programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..engine.attempt import Attempt
from ..engine.status import Status
from ..spec.sbatch_options import PREFIX, SbatchOption, burst_buffer_lines, parse_options, passed_lines
from .backend import AttemptFiles, Job, JobIdentity
from .slurm_ids import our_ids, rest_of

# Every state of squeue(1) and sacct(1). In the first group the job is active: it may still run.
ALIVE: dict[str, Status] = {
    "PENDING": Status.PENDING,
    "RESV_DEL_HOLD": Status.PENDING,
    "CONFIGURING": Status.CONFIGURING,
    "RUNNING": Status.RUNNING,
    "REVOKED": Status.RUNNING,  # on another cluster of the federation: the job's own reports show the rest
    "EXPEDITING": Status.REQUEUED,  # since 25.11
    "RESIZING": Status.RUNNING,
    "SIGNALING": Status.RUNNING,
    "SUSPENDED": Status.SUSPENDED,
    "STOPPED": Status.SUSPENDED,
    "COMPLETING": Status.COMPLETING,
    "STAGE_OUT": Status.COMPLETING,
    "REQUEUED": Status.REQUEUED,
    "REQUEUE_FED": Status.REQUEUED,
    "REQUEUE_HOLD": Status.REQUEUED,
    "SPECIAL_EXIT": Status.REQUEUED,
}
ENDED: dict[str, Status] = {
    "COMPLETED": Status.FINISHED,
    "FAILED": Status.FAILED,
    "CANCELLED": Status.CANCELLED,
    "TIMEOUT": Status.TIMED_OUT,
    "OUT_OF_MEMORY": Status.OUT_OF_MEMORY,
    "NODE_FAIL": Status.NODE_FAILED,
    "BOOT_FAIL": Status.NODE_FAILED,
    "PREEMPTED": Status.PREEMPTED,
    "DEADLINE": Status.DEADLINE,
}

NO_ACCOUNTING = "accounting storage is disabled"  # in sacct's error message
SQUEUE_FORMAT = "%i|%T|%r|%N|%q,%a|%j"  # the name is last, since only it may contain a "|"
SACCT_FORMAT = "JobID,State,ExitCode,NodeList,Submit,JobName%250"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT[\d:]+)\|")  # with SLURM_TIME_FORMAT=standard

_NO_OUTPUT_FILE = "0:53"  # sacct's exit code of a job whose output file could not be opened


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job as shown by squeue or sacct, `job` its id there; `state` is without additions such as "by 1000"."""

    job: str
    state: str
    reason: str = ""
    node: str = ""
    name: str = ""
    exit_code: int | None = None
    qos: str = ""
    account: str = ""
    submitted: str = ""  # by Slurm's clock; a requeue gives the job a new time


@dataclass(frozen=True, slots=True)
class SlurmView:
    """The result of one poll: all jobs of the user in squeue, and the accounting of those no longer there.

    `accounting` is False if sacct failed, `has_accounting` if it reported that the cluster keeps no accounting: then
    nothing more will be known of a job that is in neither.
    """

    jobs: Mapping[str, SlurmJob]
    accounted: Mapping[str, SlurmJob] = field(default_factory=dict[str, SlurmJob])
    accounting: bool = True
    has_accounting: bool = True

    def find(self, wanted: JobIdentity) -> SlurmJob | None:
        """Return the record of a job; None if it is not shown, even if another job with its id is."""
        return self.listed(wanted) or _record(self.accounted, wanted)

    def listed(self, wanted: JobIdentity) -> SlurmJob | None:
        """Return the record of a job in squeue."""
        return _record(self.jobs, wanted)

    def accounted_end(self, wanted: JobIdentity) -> SlurmJob | None:
        """Return the record of a job's end in accounting, which may have it while squeue shows the job."""
        record = _record(self.accounted, wanted)
        return record if record and record.state in ENDED else None


def _record(records: Mapping[str, SlurmJob], wanted: JobIdentity) -> SlurmJob | None:
    record = records.get(wanted.job) or records.get(rest_of(wanted.job))
    return record if record and record.name.startswith(wanted.name) else None


@dataclass(frozen=True, slots=True)
class Unobserved:
    """The query of Slurm failed. It changes nothing."""

    message: str


def parse_squeue(text: str) -> dict[str, SlurmJob]:
    """Parse squeue output in SQUEUE_FORMAT, by our job ids: array tasks that squeue shows on one line are separate."""
    jobs: dict[str, SlurmJob] = {}
    for line in text.splitlines():
        parts = line.split("|", 5)
        if len(parts) == 6:
            job, state, reason, node, limits, name = (part.strip() for part in parts)
            qos, _, account = limits.partition(",")
            shown = SlurmJob(job, state, "" if reason == "None" else reason, node, name, qos=qos, account=account)
            for own in our_ids(job):
                _keep(jobs, own, shown)
    return jobs


def parse_sacct(text: str, is_ours: Callable[[SlurmJob], bool] = lambda _: True) -> dict[str, SlurmJob]:
    """Parse sacct --parsable2 --duplicates output in SACCT_FORMAT, by our job ids; other jobs are left out.

    A requeued job has several records with one id: the last submitted one counts.
    """
    jobs: dict[str, SlurmJob] = {}
    for line in text.splitlines():
        parts = line.split("|", 4)
        if len(parts) == 5:
            time = _TIME.match(parts[4])
            submitted = time.group(1) if time else ""
            job, state, exit_code, node, name = (
                part.strip() for part in (*parts[:4], parts[4][time.end() if time else 0 :])
            )
            word, _, addition = state.partition(" ")  # "CANCELLED by 1000"
            node = "" if node == "None assigned" else node
            if exit_code == _NO_OUTPUT_FILE:
                addition = "JobLaunchFailure"
            record = SlurmJob(job, word, addition, node, name, _exit_code(word, exit_code), submitted=submitted)
            if is_ours(record):
                for own in our_ids(job):
                    _keep(jobs, own, record)
    return jobs


def _keep(jobs: dict[str, SlurmJob], job: str, record: SlurmJob) -> None:
    """Keep the record of a job unless there is a better one: submitted later, or of the cluster where it runs."""
    known = jobs.get(job)
    if known and (record.submitted < known.submitted or (record.state == "REVOKED" and known.state != "REVOKED")):
        return
    jobs[job] = record


def _exit_code(state: str, text: str) -> int | None:
    """Convert sacct's `CODE:SIGNAL` to the exit code that a shell would report; None if the job has none."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match or text == _NO_OUTPUT_FILE:
        return None
    code, number = int(match.group(1)), int(match.group(2))
    if code == 0 and number:
        return 128 + number
    return code if code or state == "COMPLETED" else None  # sacct shows 0:0 for a cancelled job as well


def directives(script: str) -> list[str]:
    """Return the lines for Slurm in a script, as they are passed to sbatch."""
    return [*passed_lines(script), *burst_buffer_lines(script)]


def submit_script(job: Job, script: str, home: str, signal: str = "") -> str:
    """Create the script passed to sbatch for a job: the user's directives, and the call of job.sh.

    mtui's directives come first, so that the user's override them. --no-requeue: a job that Slurm requeues would hide a
    node failure. --open-mode=append: a requeued job, or a duplicate of a running one, would truncate the logs (those of
    earlier attempts have been moved away). `signal` is that of jobs whose directives set none.
    """
    options = directives(script)
    attempt = job.only
    words = " ".join(shlex.quote(word) for word in (attempt.name, home, attempt.workspace, attempt.script))
    given = _given(options)
    stem = attempt.stdout.rpartition("/")[2].removesuffix(".out")
    lines = [*_name_lines(given, stem), *_log_lines(given, attempt, home)]
    return "\n".join(["#!/bin/sh", *_OWN, *options, *lines, *_call(words, home, options, script, signal), ""])


def array_script(job: Job, script: str, home: str, root: str, signal: str = "") -> str:
    """Create the script passed to sbatch for an array: each task reads its attempt, workspace and script from a file.

    `script` is that of any of its attempts, `root` the study directory. Relative to it are the tasks' log files: links
    to those in the workspaces, so that messages of Slurm about a task are in the task's own log.
    """
    folder = f".mtui/submit/{job.submission}"
    task = f"{shlex.quote(f'{home}/submit/{job.submission}')}/$SLURM_ARRAY_TASK_ID"
    lines = [
        "#!/bin/sh",
        *_OWN,
        f"#SBATCH --output={folder}/%a.out",
        f"#SBATCH --error={folder}/%a.err",
        *job.options,
        "unset -f read echo",  # bash as sh would call functions that the user exports
        f"read -r mtui_attempt mtui_workspace mtui_script <{task} || "
        '{ echo "mtui: cannot read the command of this task" >&2; exit 72; }',
    ]
    place = f'{shlex.quote(root)}/"$mtui_workspace"'
    words = f'"$mtui_attempt" {shlex.quote(home)} {place} {place}/"$mtui_script"'
    lines += _name_lines(_given(job.options))
    return "\n".join([*lines, *_call(words, home, job.options, script, signal), ""])


def array_task(attempt: AttemptFiles, root: str) -> str:
    """Create the file of an array task: attempt, workspace relative to `root`, name of the script."""
    return f"{attempt.name} {attempt.workspace.removeprefix(root + '/')} {attempt.script.rpartition('/')[2]}\n"


_OWN = ("#SBATCH --no-requeue", "#SBATCH --open-mode=append")


def _call(attempt: str, home: str, options: Sequence[str], script: str, signal: str) -> list[str]:
    """Return the call of job.sh in the same shell; `attempt` are its first four arguments, quoted."""
    signal = _last(_given(options), "signal") or signal
    pass_term = re.match(r"R*B[RB]*:(SIG)?(TERM|15)\b", signal, re.IGNORECASE) is not None
    shell = script.partition("\n")[0].removeprefix("#!").strip() or "/bin/sh"
    rest = " ".join(shlex.quote(word) for word in ["", "1" if pass_term else "", *shell.split()])
    # sbatch exports --open-mode, which srun would read as its own option.
    own_mode = [] if _last(_given(options), "open-mode") else ["unset SLURM_OPEN_MODE"]
    return [*own_mode, f"set -- {attempt} {rest}", f". {shlex.quote(home)}/job.sh"]


def _given(lines: Sequence[str]) -> list[SbatchOption]:
    return parse_options(line.removeprefix(PREFIX) for line in lines)


def _last(options: Sequence[SbatchOption], name: str) -> str:
    """Return the value of the last option of a name, which is the one that counts; empty without one."""
    return next((option.value for option in reversed(options) if option.name == name), "")


def _name_lines(options: Sequence[SbatchOption], stem: str = "") -> list[str]:
    """Return the line that gives the script the job name of its author; in Slurm the name begins with mtui's tag.

    `stem` is the name in the header of the script.
    """
    names = [option.value for option in options if option.name == "job-name"]
    return [f"SLURM_JOB_NAME={shlex.quote(names[-1])}"] if names and names != [stem] else []


def _log_lines(options: Sequence[SbatchOption], attempt: AttemptFiles, home: str) -> list[str]:
    """Return lines that link the attempt's logs to the files that its author named, in which Slurm replaces patterns.

    A duplicate of a job, whose attempt is claimed, leaves the links as they are.
    """
    lines: list[str] = []
    for name, descriptor, log in (("output", 1, attempt.stdout), ("error", 2, attempt.stderr)):
        given = _last(options, name)
        if given and given != log.rpartition("/")[2]:
            link = shlex.quote(log)
            claim = shlex.quote(f"{home}/claims/{attempt.name}")
            lines += [
                f'mtui_log=$(command readlink "/proc/$$/fd/{descriptor}") && [ -f "$mtui_log" ] && [ ! -e {claim} ] && '
                f'[ ! "$mtui_log" -ef {link} ] && command ln -sfn "${{mtui_log#"$(pwd -P)"/}}" {link} || :'
            ]
    return [*lines, "unset mtui_log"] if lines else []


def job_tag(study_id: str, submission: str) -> str:
    """Return the start of a job's name, which identifies the submission."""
    return f"{study_tag(study_id)}{submission}:"


def identity_of(study_id: str, attempt: Attempt) -> JobIdentity:
    """Return the job of an attempt, by its id and by what its name begins with."""
    tag = study_tag(study_id) if attempt.reported else job_tag(study_id, attempt.submission)
    return JobIdentity(attempt.job, tag)


def study_tag(study_id: str) -> str:
    """Return the start of the names of all jobs of a study."""
    return f"mt.{study_id}."
