"""Calls Slurm's programs for a study. Their output is interpreted in slurm_text.py."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import ClassVar

from ..file_reading import WHOLE, read_bytes
from ..spec.sbatch_objections import refused
from ..spec.sbatch_options import directive_texts, named_cluster, parse_options
from .backend import Answer, AttemptFiles, Deferred, Job, JobIdentity, Refused, Unclear, put_off_or_refuse
from .cluster_limits import ACCOUNT_LIMITS, QOS_LIMITS, ClusterLimits, parse_config, read_cluster_limits
from .command_log import CommandLog, answer_of
from .program_run import run_program
from .slurm_environment import header_options, options_in_effect, query_environment, submission_environment
from .slurm_ids import array_list, whole_job
from .slurm_programs import require_slurm, user_name
from .slurm_text import (
    ENDED,
    NO_ACCOUNTING,
    SACCT_FORMAT,
    SQUEUE_FORMAT,
    SlurmJob,
    SlurmView,
    Unobserved,
    array_script,
    array_task,
    parse_sacct,
    parse_squeue,
    submit_script,
)
from .submit_answer import sbatch_answer

# Seconds. sbatch blocks for 120 s if the controller's job table is full; a longer wait is of no use.
_SUBMIT_DEADLINE = 180.0
_QUERY_DEADLINE = 60.0
_LIMITS_DEADLINE = 5.0  # short, since limits that cannot be queried are learned from rejections by sbatch
_IDS_PER_CALL = 500  # keeps command lines short
_OPTION_REFUSED = re.compile(r"--all\b|\busage\b|\boptions?\b|\barguments?\b", re.IGNORECASE)
_UNKNOWN_TRIES = 4  # how often a job is submitted if each answer is the same unknown error


class _NoAnswer(Enum):
    """Why sacct gave no answer."""

    NOW = "it failed"
    NEVER = "the cluster keeps no accounting"


class Slurm:
    """The Slurm cluster of this machine. `home` is the study's `.mtui` directory, `log` the log of calls."""

    arrays: ClassVar[bool] = True
    binds: ClassVar[bool] = True
    allocates: ClassVar[bool] = True

    def __init__(self, home: Path, log: Path) -> None:
        require_slurm()
        self._home = home
        self._log = CommandLog(log)
        self._cluster = ""
        self._all: tuple[str, ...] = ("--all",)  # options of squeue that may be refused
        self._unknown: dict[str, int] = {}  # unknown errors in a row, by what was submitted
        self._environment = query_environment(os.environ)
        self._submission_environment = submission_environment(os.environ)

    @property
    def _signal(self) -> str:
        """The signal before a job's time limit that the user's environment sets."""
        return self._submission_environment.get("SBATCH_SIGNAL", "")

    def cluster(self) -> str:
        """Return the name of the cluster; empty if Slurm does not answer or has no name for it."""
        if not self._cluster:
            self._cluster = parse_config(self._ask(["scontrol", "show", "config"], _LIMITS_DEADLINE)).get(
                "ClusterName", ""
            )
        return self._cluster

    def site(self) -> ClusterLimits:
        """Query the limits of the cluster; defaults for those that cannot be queried within the deadlines."""
        sacctmgr = ["sacctmgr", "--noheader", "--parsable2", "show"]
        columns = f"format=Account,{','.join(ACCOUNT_LIMITS)},DefaultQOS"
        here = [f"cluster={cluster}"] if (cluster := self._cluster) else []  # accounting may cover several
        questions: list[tuple[list[str], float]] = [
            (["scontrol", "show", "config"], _QUERY_DEADLINE),
            ([*sacctmgr, "qos", f"format=Name,{','.join(QOS_LIMITS)}"], _LIMITS_DEADLINE),
            ([*sacctmgr, "assoc", "where", f"user={user_name()}", *here, columns], _LIMITS_DEADLINE),
        ]
        with ThreadPoolExecutor(len(questions), "mtui-site") as threads:
            asked = [self._begin_to_ask(threads, *question) for question in questions]
            config, qos, accounts = (answer() for answer in asked)
        return read_cluster_limits(config, qos, accounts)

    def _begin_to_ask(self, threads: ThreadPoolExecutor, command: Sequence[str], deadline: float) -> Callable[[], str]:
        """Return a call that waits for the output of a program; without a thread it runs the program itself."""
        try:
            return threads.submit(self._ask, command, deadline).result
        except RuntimeError:
            return partial(self._ask, command, deadline)

    def version(self) -> str:
        """Return the version as sbatch prints it, `slurm 23.02.7`; empty if sbatch fails."""
        return self._ask(["sbatch", "--version"], _LIMITS_DEADLINE).strip()

    def default_account(self) -> str:
        """Return the user's default account; empty if accounting does not have it or cannot be queried."""
        columns = ["where", f"name={user_name()}", "format=DefaultAccount"]
        answer = self._ask(["sacctmgr", "--noheader", "--parsable2", "show", "user", *columns], _LIMITS_DEADLINE)
        return answer.partition("\n")[0].strip()

    def has_accounting(self) -> bool:
        """Return whether sacct succeeds."""
        return not isinstance(self._sacct(["--starttime=now-1minutes"]), _NoAnswer)

    def _ask(self, command: Sequence[str], deadline: float) -> str:
        """Return the output of a program; empty if it fails."""
        try:
            done = self._run(command, deadline)
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return "" if done.returncode else done.stdout

    def submit(self, job: Job) -> Answer:
        path = job.attempts[0].script
        command = ["sbatch", "--parsable", f"--job-name={job.name}"]
        if job.after:
            command.append(f"--dependency={job.after}")
        try:
            script = os.fsdecode(read_bytes(path, WHOLE))
            if problem := self._unfit(script):
                return problem
            if job.tasks:
                root = self._home.parent
                self._lay_out(job, root)
                command += [f"--chdir={root}", f"--array={array_list(job.tasks)}"]
                text = array_script(job, script, str(self._home), str(root), self._signal)
            else:
                command.append(f"--chdir={job.only.workspace}")
                text = submit_script(job, script, str(self._home), self._signal)
        except OSError as error:
            return put_off_or_refuse(error, f"{error.filename or path}: {error.strerror}")
        return self._bounded(path, self._sbatch(command, path, text, bound=bool(job.after)))

    def _unfit(self, script: str) -> Answer | None:
        """Return why a script cannot be submitted here: an option added since it was planned, or another cluster."""
        options = parse_options(directive_texts(script))
        if objection := refused(options):
            return Refused(f"{objection.message} ({objection.hint})")
        named = named_cluster(options)
        if not named or named == (here := self.cluster()):
            return None
        if not here:
            return Deferred(
                f"scontrol does not show whether this machine belongs to cluster {named}, as --clusters demands"
            )
        return Refused(f"its --clusters names {named}, but sbatch submits to {here} here (hint: run mtui on {named})")

    def _bounded(self, name: str, answer: Answer) -> Answer:
        """Return the answer; a refusal if the submission of `name` has met too many unknown errors in a row."""
        if not (isinstance(answer, Deferred) and answer.unknown):
            self._unknown.pop(name, None)
            return answer
        tries = self._unknown[name] = self._unknown.get(name, 0) + 1
        if tries < _UNKNOWN_TRIES:
            return answer
        del self._unknown[name]
        return Refused(f"{answer.message} ({tries} tries)")

    def _sbatch(self, command: Sequence[str], path: str, text: str, *, bound: bool) -> Answer:
        command = [*command[:2], *header_options(text, self._submission_environment), *command[2:]]
        try:
            done = self._run(command, _SUBMIT_DEADLINE, path, text)
        except subprocess.TimeoutExpired:
            return Unclear(f"sbatch did not answer within {_SUBMIT_DEADLINE:.0f} s")
        except OSError as error:  # no process, so nothing was sent
            return Deferred(f"sbatch could not be started: {error.strerror}")
        answer = sbatch_answer(done.returncode, done.stdout, done.stderr, bound=bound)
        given = options_in_effect(text, self._submission_environment)
        if given and (isinstance(answer, Refused) or (isinstance(answer, Deferred) and answer.unknown)):
            return replace(answer, message=f"{answer.message} (the environment sets {', '.join(given)})")
        return answer

    def ask(self, name: str, script: Path) -> Answer:
        """Submit a shared allocation, with a job script that is already written."""
        command = ["sbatch", "--parsable", f"--job-name={name}", f"--chdir={self._home.parent}"]
        try:
            answer = self._sbatch(command, str(script), os.fsdecode(read_bytes(script)), bound=False)
        except OSError as error:
            return Deferred(f"{error.filename or script}: {error.strerror}")
        return self._bounded("", answer)

    def _lay_out(self, job: Job, root: Path) -> None:
        """Write a file for each task of an array, and links through which Slurm writes into the attempts' logs."""
        folder = self._home / "submit" / job.submission
        folder.mkdir(parents=True)
        for task, attempt in zip(job.tasks, job.attempts, strict=True):
            write_array_task(folder, task, attempt, str(root))

    def cancel(self, jobs: Collection[JobIdentity]) -> str:
        """Cancel those of the jobs that squeue shows under their names.

        squeue checks the names, not scancel --name: that accepts one name, and cancels all pending tasks of an array
        with it instead of the requested one (seen with 22.05).
        """
        if not jobs:
            return ""
        shown = self._squeue()
        if isinstance(shown, Unobserved):
            return shown.message
        records: dict[str, list[SlurmJob]] = {}  # by job and by array
        for job, record in shown.items():
            for key in {job, whole_job(job)}:
                records.setdefault(key, []).append(record)
        alive: dict[str, None] = {}
        unknown: list[str] = []
        for job, name in jobs:
            found = records.get(job) or records.get(whole_job(job), [])
            if any(record.name.startswith(name) and record.state not in ENDED for record in found):
                alive[job] = None
            elif not found:
                unknown.append(job)
        problem = f"squeue does not show job {unknown[0]}" if unknown else ""
        return self._scancel(list(alive)) or problem

    def _scancel(self, jobs: Sequence[str]) -> str:
        problem = ""
        for first in range(0, len(jobs), _IDS_PER_CALL):
            try:
                done = self._run(["scancel", *jobs[first : first + _IDS_PER_CALL]], _QUERY_DEADLINE)
            except subprocess.TimeoutExpired:
                return f"scancel did not answer within {_QUERY_DEADLINE:.0f} s"
            except OSError as error:
                return f"scancel could not be started: {error.strerror}"
            if done.returncode:  # perhaps because of one job: continue with the others
                problem = done.stderr.strip() or f"scancel exited with code {done.returncode}"
        return problem

    def look(self, expected: Collection[JobIdentity], names: Collection[str] = ()) -> SlurmView | Unobserved:
        """Query squeue for all of the user's jobs, and sacct for `expected` jobs that it does not show.

        `names` are job names of unclear submissions; sacct is queried for those that squeue does not show either.
        """
        jobs = self._squeue()
        if isinstance(jobs, Unobserved):
            return jobs
        shown = SlurmView(jobs)
        # A job that stays COMPLETING has ended: accounting may show how.
        found = {wanted: shown.find(wanted) for wanted in expected}
        gone = [wanted for wanted, job in found.items() if job is None or job.state == "COMPLETING"]
        listed = {job.name for job in jobs.values()}
        unseen = [name for name in names if name not in listed]
        wanted_names: dict[str, list[str]] = {}
        for job, name in gone:
            wanted_names.setdefault(whole_job(job), []).append(name)

        def is_ours(record: SlurmJob) -> bool:
            return record.name in unseen or record.name.startswith(tuple(wanted_names.get(whole_job(record.job), ())))

        accounted: dict[str, SlurmJob] = {}
        accounting = has_accounting = True
        for arguments in _sacct_arguments(list(wanted_names), unseen):
            answer = self._sacct(arguments, is_ours)
            if isinstance(answer, _NoAnswer):
                accounting, has_accounting = False, has_accounting and answer is not _NoAnswer.NEVER
            else:
                accounted.update(answer)
        return SlurmView(jobs, accounted, accounting, has_accounting)

    def _squeue(self) -> dict[str, SlurmJob] | Unobserved:
        """Return all of the user's jobs that the controller has, by id.

        --all shows also those in hidden partitions. Wrappers of sites may refuse it: then SQUEUE_ALL, in the
        environment, does the same for the squeue that they call.
        """
        command = ["squeue", f"--user={user_name()}", "--noheader", "--states=all", f"--format={SQUEUE_FORMAT}"]
        try:
            done = self._run([*command, *self._all], _QUERY_DEADLINE)
            if done.returncode and self._all and _OPTION_REFUSED.search(done.stderr + done.stdout):
                done = self._run(command, _QUERY_DEADLINE)
                self._all = self._all if done.returncode else ()
        except subprocess.TimeoutExpired:
            return Unobserved(f"squeue did not answer within {_QUERY_DEADLINE:.0f} s")
        except OSError as error:
            return Unobserved(f"squeue could not be started: {error.strerror}")
        if done.returncode:
            return Unobserved(done.stderr.strip().removeprefix("squeue: error: ") or f"squeue: code {done.returncode}")
        return parse_squeue(done.stdout)

    def _sacct(
        self, arguments: Sequence[str], is_ours: Callable[[SlurmJob], bool] = lambda _: True
    ) -> dict[str, SlurmJob] | _NoAnswer:
        """Query sacct. Without --duplicates it shows only the last submitted job of each id."""
        command = [
            "sacct",
            "--allocations",
            "--duplicates",
            f"--user={user_name()}",
            "--noheader",
            "--parsable2",
            f"--format={SACCT_FORMAT}",
        ]
        try:
            done = self._run([*command, *arguments], _QUERY_DEADLINE)
        except FileNotFoundError:
            return _NoAnswer.NEVER
        except (subprocess.TimeoutExpired, OSError):
            return _NoAnswer.NOW
        if done.returncode:
            return _NoAnswer.NEVER if NO_ACCOUNTING in done.stderr.lower() else _NoAnswer.NOW
        return parse_sacct(done.stdout, is_ours)

    def _run(
        self, command: Sequence[str], deadline: float, script: str = "", text: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with `text`, created from `script`, as its stdin. Log calls that submit, cancel or fail."""
        environment = self._submission_environment if text else self._environment
        try:
            done = run_program(command, environment, deadline, os.fsencode(text))
        except subprocess.TimeoutExpired:
            self._log.note(command, f"no answer in {deadline:.0f} s", script)
            raise
        except OSError as error:
            self._log.note(command, f"could not be started: {error.strerror}", script)
            raise
        if done.returncode or command[0] in ("sbatch", "scancel"):
            self._log.note(command, answer_of(command[0], done.returncode, done.stdout, done.stderr), script)
        return done


def write_array_task(folder: Path, task: int, attempt: AttemptFiles, root: str) -> None:
    """Write the file of an array's task in the folder of its submission, and the links to its logs. Raises OSError."""
    path, start = f"{folder}/{task}", len(root) + 1
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        file.write(array_task(attempt, root))
    for log, ending in ((attempt.stdout, "out"), (attempt.stderr, "err")):
        with suppress(FileExistsError):  # written before, and damaged since
            os.symlink(f"../../../{log[start:]}", f"{path}.{ending}")  # noqa: PTH211


def _sacct_arguments(jobs: Sequence[str], names: Sequence[str]) -> list[list[str]]:
    """Return the arguments of each sacct call. Without a start time sacct reads no further back than midnight."""
    since = "--starttime=now-30days"
    calls = [
        [f"--jobs={','.join(jobs[first : first + _IDS_PER_CALL])}", since]
        for first in range(0, len(jobs), _IDS_PER_CALL)
    ]
    if names:
        calls.append([f"--name={','.join(names)}", "--starttime=now-2hours"])
    return calls
