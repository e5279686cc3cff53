"""Slurm's words: what its programs print, as values; what to hand to them, as text. Nothing is called here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..engine.status import Status
from ..plan.instance_script import directive_lines
from .backend import Accepted, Answer, AttemptFiles, Deferred, Job, Refused, Unclear

# Every state of squeue(1) and sacct(1). The first group is alive: the job may still run.
ALIVE: dict[str, Status] = {
    "PENDING": Status.PENDING,
    "RESV_DEL_HOLD": Status.PENDING,
    "CONFIGURING": Status.CONFIGURING,
    "RUNNING": Status.RUNNING,
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
    "REVOKED": Status.CANCELLED,
    "TIMEOUT": Status.TIMED_OUT,
    "OUT_OF_MEMORY": Status.OUT_OF_MEMORY,
    "NODE_FAIL": Status.NODE_FAILED,
    "BOOT_FAIL": Status.NODE_FAILED,
    "PREEMPTED": Status.PREEMPTED,
    "DEADLINE": Status.DEADLINE,
}

SQUEUE_FORMAT = "%i|%T|%r|%N|%q|%j"  # the name comes last: it is the one field that may hold a "|"
SACCT_FORMAT = "JobID,State,ExitCode,NodeList,JobName%250"

_NO_OUTPUT_FILE = "0:53"  # sacct's exit code of a job whose output file could not be opened

# Limits on what may be queued at once. They pass by themselves as jobs end, so they are waited for.
_LIMITS = re.compile(
    r"\b((?:QOS|Assoc)\w*Submit\w*Limit|QOSMaxJobs\w*|AssocMaxJobs\w*)|job submit limit", re.IGNORECASE
)
_OTHER_LIMIT = re.compile(r"(MaxWall|MaxNode|MaxCpu|MaxTRES|MaxMem)\w*Limit", re.IGNORECASE)
_DEPENDENCY = re.compile(r"job dependency problem", re.IGNORECASE)
# The request was never sent.
_NOT_SENT = re.compile(r"unable to contact slurm controller \(connect failure\)|connection refused", re.IGNORECASE)
# No answer or no room: the request may have been taken, or can be made again later.
_TRANSIENT = re.compile(
    r"timed out|unable to contact slurm controller|temporarily unable|resource temporarily unavailable"
    r"|connection (refused|reset)|zero bytes were transmitted|communication|controller.*not responding"
    r"|database connection|slurm_receive_msg|unexpected message|too many requests|backup controller",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job as squeue or sacct shows it; `state` is Slurm's own word without additions."""

    job: str
    state: str
    reason: str = ""
    node: str = ""
    name: str = ""
    exit_code: int | None = None
    qos: str = ""


@dataclass(frozen=True, slots=True)
class SlurmView:
    """One look at Slurm: all of the user's jobs that it still lists, and accounting for those it does not.

    `accounting` is false if sacct could not be asked: so it is told of a job that is in neither and counts as lost.
    """

    jobs: Mapping[str, SlurmJob]
    accounted: Mapping[str, SlurmJob] = field(default_factory=dict[str, SlurmJob])
    accounting: bool = True


@dataclass(frozen=True, slots=True)
class Unobserved:
    """Slurm could not be asked. It changes nothing."""

    message: str


def parse_squeue(text: str) -> dict[str, SlurmJob]:
    """The lines of squeue in SQUEUE_FORMAT, by job id; tasks of an array that it shows together are apart here."""
    jobs: dict[str, SlurmJob] = {}
    for line in text.splitlines():
        parts = line.split("|", 5)
        if len(parts) == 6:
            job, state, reason, node, qos, name = (part.strip() for part in parts)
            shown = SlurmJob(job, state, "" if reason == "None" else reason, node, name, qos=qos)
            for task in array_tasks(job):
                jobs[task] = shown
    return jobs


def array_tasks(job: str) -> list[str]:
    """The ids behind one as squeue shows it: `12_[0-2,5%4]` is four tasks, `12_0` and `12` are themselves."""
    array, bracket, tasks = job.partition("_[")
    if not bracket:
        return [job]
    found: list[str] = []
    for match in re.finditer(r"(\d+)(?:-(\d+)(?::(\d+))?)?(?=[,\]%])", tasks.partition("%")[0].rstrip("]") + "]"):
        first, last, by = match.groups()
        found += [f"{array}_{number}" for number in range(int(first), int(last or first) + 1, int(by or 1))]
    return found


def array_list(tasks: Sequence[int]) -> str:
    """Task numbers in ascending order as sbatch takes them: `0-2,5`."""
    runs: list[list[int]] = []
    for task in tasks:
        if runs and task == runs[-1][1] + 1:
            runs[-1][1] = task
        else:
            runs.append([task, task])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def parse_sacct(text: str) -> dict[str, SlurmJob]:
    """The lines of sacct in SACCT_FORMAT with --parsable2, by job id."""
    jobs: dict[str, SlurmJob] = {}
    for line in text.splitlines():
        parts = line.split("|", 4)
        if len(parts) == 5:
            job, state, exit_code, node, name = (part.strip() for part in parts)
            word, _, addition = state.partition(" ")  # "CANCELLED by 1000"
            node = "" if node == "None assigned" else node
            if exit_code == _NO_OUTPUT_FILE:
                addition = "JobLaunchFailure"
            jobs[job] = SlurmJob(job, word, addition, node, name, _exit_code(word, exit_code))
    return jobs


def _exit_code(state: str, text: str) -> int | None:
    """The exit code that a shell would see, from sacct's `CODE:SIGNAL`; None if the job had none."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    if not match or text == _NO_OUTPUT_FILE:
        return None
    code, number = int(match.group(1)), int(match.group(2))
    if code == 0 and number:
        return 128 + number
    return code if code or state == "COMPLETED" else None  # 0:0 is also what it shows for a job that was ended


def sbatch_answer(code: int, stdout: str, stderr: str) -> Answer:
    """What sbatch's end means for the submission."""
    message = sbatch_message(stderr) or f"sbatch ended with code {code}"
    if code == 0:
        job = stdout.strip().partition(";")[0]
        return Accepted(job) if re.fullmatch(r"[0-9]+", job) else Unclear(f"sbatch answered {stdout.strip()[:80]!r}")
    if code < 0 or not sbatch_message(stderr):
        return Unclear(message)  # it was killed, or says nothing: nobody knows how far it came
    if _NOT_SENT.search(stderr):
        return Deferred(message)
    if _TRANSIENT.search(stderr):
        return Unclear(message)
    if _LIMITS.search(stderr) and not _OTHER_LIMIT.search(stderr):
        return Deferred(message, limit=True)
    if _DEPENDENCY.search(stderr):  # a job that it is bound to has ended meanwhile: soon its instance knows it
        return Deferred(message)
    return Refused(message)


def sbatch_message(stderr: str) -> str:
    """What sbatch complains of, without its prefixes, on one line."""
    lines = [
        re.sub(r"^(sbatch: )?(error: )?(Batch job submission failed: )?", "", line) for line in stderr.splitlines()
    ]
    return "; ".join(line.strip() for line in lines if line.strip())


def directives(script: str) -> list[str]:
    """The `#SBATCH` lines that sbatch would read: those before the first command."""
    lines = script.split("\n")
    return [lines[number] for number in directive_lines(script)]


def submit_script(job: Job, script: str, home: str) -> str:
    """What sbatch is given for a job: the user's directives, and the call of the job-side runner.

    Our own come first so that the user's win. A job that Slurm starts again by itself would hide a node failure.
    Logs are appended to (those of earlier attempts were moved away): a requeued job, or the twin of one that
    runs already, would empty them.
    """
    options = directives(script)
    attempt = job.only
    words = " ".join(shlex.quote(word) for word in (attempt.name, home, attempt.workspace, attempt.script))
    return "\n".join(["#!/bin/sh", *_OWN, *options, *_call(words, home, options, script), ""])


def array_script(job: Job, script: str, home: str, root: str) -> str:
    """What sbatch is given for an array: each task finds its attempt, workspace and script in a file of its own.

    `script` is that of any of its attempts, `root` the study directory, from which Slurm finds the tasks' log files:
    links to those in the workspaces, so that what Slurm itself has to say of a task stands in its own log.
    """
    folder = f".mtui/submit/{job.submission}"
    task = f"{shlex.quote(f'{home}/submit/{job.submission}')}/$SLURM_ARRAY_TASK_ID"
    lines = [
        "#!/bin/sh",
        *_OWN,
        f"#SBATCH --output={folder}/%a.out",
        f"#SBATCH --error={folder}/%a.err",
        *job.options,
        f"read -r mtui_attempt mtui_workspace mtui_script <{task} || "
        '{ echo "mtui: what this task is to do cannot be read" >&2; exit 72; }',
    ]
    place = f'{shlex.quote(root)}/"$mtui_workspace"'
    words = f'"$mtui_attempt" {shlex.quote(home)} {place} {place}/"$mtui_script"'
    return "\n".join([*lines, *_call(words, home, job.options, script), ""])


def array_task(attempt: AttemptFiles, root: str) -> str:
    """What the file of an array's task says: attempt, workspace, name of the script."""
    return f"{attempt.name} {attempt.workspace.removeprefix(root + '/')} {attempt.script.rpartition('/')[2]}\n"


_OWN = ("#SBATCH --no-requeue", "#SBATCH --open-mode=append")


def _call(attempt: str, home: str, options: Sequence[str], script: str) -> list[str]:
    """The call of the runner, in the shell that is there already; `attempt` are its first four words, quoted."""
    pass_term = any(re.search(r"--signal[= ]\S*B\S*:(TERM|SIGTERM|15)\b", line) for line in options)
    shell = script.partition("\n")[0].removeprefix("#!").strip() or "/bin/sh"
    rest = " ".join(shlex.quote(word) for word in ["", "1" if pass_term else "", *shell.split()])
    return [f"set -- {attempt} {rest}", f". {shlex.quote(home)}/job.sh"]


def job_tag(study_id: str, submission: str) -> str:
    """The start of a job's name, by which the submission is found again."""
    return f"mt.{study_id}.{submission}"


def reason_words(reason: str) -> str:
    """Slurm's reason for waiting in words; Slurm's own word if there is nothing to explain."""
    return REASONS.get(reason, reason)


def reason_text(reason: str) -> str:
    """The words with Slurm's own word behind them, once if they are the same."""
    words = reason_words(reason)
    return words if words == reason else f"{words} ({reason})"


REASONS: dict[str, str] = {
    "Priority": "jobs of higher priority come first",
    "Resources": "waiting for free nodes",
    "Dependency": "waiting for another job",
    "DependencyNeverSatisfied": "the job that it depends on failed",
    "JobHeldUser": "held by the user",
    "JobHeldAdmin": "held by an administrator",
    "BeginTime": "its start time has not come",
    "ReqNodeNotAvail": "a node that it needs is down, drained or reserved",
    "PartitionTimeLimit": "its walltime is longer than the partition allows",
    "PartitionNodeLimit": "it asks for more nodes than the partition allows",
    "PartitionDown": "the partition is down",
    "PartitionConfig": "it asks for more than the partition can give",
    "QOSMaxJobsPerUserLimit": "as many of the user's jobs run as the QOS allows",
    "QOSMaxWallDurationPerJobLimit": "its walltime is longer than the QOS allows",
    "QOSMaxNodePerUserLimit": "the user has as many nodes as the QOS allows",
    "AssocGrpCPUMinutesLimit": "the account has used up its time",
    "AssocMaxJobsLimit": "as many jobs run as the account allows",
    "Licenses": "waiting for a licence",
    "Reservation": "waiting for its reservation",
}
