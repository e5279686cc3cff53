"""A Slurm that fails on request: sbatch, squeue, sacct, scancel and scontrol over a folder, jobs run for real.

As a module it is what a test moves (`FakeSlurm`); as a script it is each of those programs. A job is a folder of
one small file per fact, so every program and the test see the same without a lock.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("sbatch", "squeue", "sacct", "scancel", "scontrol")
GARBAGE = b"\xff\xfe\x00|\x01 garbage\n"
TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
LIMIT = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates policy"
NO_PARTITION = "sbatch: error: Batch job submission failed: Invalid partition name specified"
NO_CONTACT = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
OVER = (
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
    "BOOT_FAIL",
    "PREEMPTED",
    "DEADLINE",
)

# What slurmd does: runs the script in its place with its logs, and leaves its end, if nobody called it otherwise.
SLURMD = """\
trap : TERM
cd "$1" || exit
echo RUNNING > state
cd "$2" || { echo FAILED > verdict; exit; } # its output cannot be created either
sh "$1/script" </dev/null >>"$3" 2>>"$4"
code=$?
echo "$code" > "$1/code"
[ -e "$1/verdict" ] || if [ "$code" = 0 ]; then echo COMPLETED > "$1/verdict"; else echo FAILED > "$1/verdict"; fi
"""


class Job:
    """One job, by its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = folder.name

    def get(self, fact: str) -> str:
        try:
            return (self.folder / fact).read_text().strip()
        except FileNotFoundError:
            return ""

    def put(self, fact: str, value: str) -> None:
        temporary = self.folder / f"{fact}.{os.getpid()}.tmp"
        temporary.write_text(value)
        temporary.replace(self.folder / fact)

    @property
    def state(self) -> str:
        """What Slurm calls it: the configured name, or the real state."""
        return self.get("shown") or self.get("verdict") or self.get("state")

    def start(self) -> None:
        """Run the script in a separate session, as a node does."""
        script = self.get("script")
        place = Path(self.get("chdir"))
        array, _, task = self.id.partition("_")
        logs = [re.search(rf'^#SBATCH --{kind}="?(.*?)"?$', script, re.MULTILINE) for kind in ("output", "error")]
        paths = [str(place / match.group(1).replace("%a", task)) if match else os.devnull for match in logs]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "FAKE_"))}
        restarts = self.get("restarts")
        own = {"SLURM_JOB_ID": self.id, "SLURMD_NODENAME": "fake1", "SLURM_RESTART_COUNT": restarts or "0"}
        if task:
            own |= {"SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": task}
        process = subprocess.Popen(
            ["sh", "-c", SLURMD, "slurmd", str(self.folder), str(place), *paths],
            env={**kept, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.put("session", str(process.pid))

    def end(self, verdict: str, number: int = signal.SIGKILL) -> None:
        """Slurm ends it: what runs gets a signal, and it is called what it is called."""
        self.put("verdict", verdict)
        if session := self.get("session"):
            with suppress(ProcessLookupError):
                os.killpg(int(session), number)

    def requeue(self) -> None:
        """Slurm puts it back into the queue, as `scontrol requeue` does."""
        self.put("verdict", "PENDING")
        self.put("reason", "BeginTime")
        self.put("restarts", "1")
        with suppress(ProcessLookupError):
            os.killpg(int(self.get("session")), signal.SIGTERM)

    def start_again(self) -> None:
        (self.folder / "verdict").unlink()
        self.put("reason", "")
        self.start()


class FakeSlurm:
    """The cluster. `order` and `mode` tell its programs how to err."""

    def __init__(self, folder: Path, cluster: str = "alpha") -> None:
        """`cluster` is its name: several may share directories."""
        self.folder = folder
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        for name in ("jobs", "orders"):
            (folder / name).mkdir(exist_ok=True)
        for name in PROGRAMS:
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{__file__}" {name} "{folder}" "$@"\n')
            program.chmod(0o755)
        (folder / "cluster").write_text(cluster)
        self.env = {**os.environ, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    # --- what a test configures

    def order(self, *answers: str) -> None:
        """How sbatch takes the next jobs, one after the other; see `_sbatch`."""
        for answer in answers:
            count = len(list((self.folder / "orders").iterdir()))
            (self.folder / "orders" / f"{count:04d}.{answer}").touch()

    def answer(self, code: int, stdout: str = "", stderr: str = "") -> None:
        """What sbatch prints for the next job: a refusal, unless the code is 0; `JOB` in `stdout` is the id."""
        name = f"print {len(list(self.folder.glob('print *')))}"
        (self.folder / name).write_text(json.dumps([code, stdout, stderr]))
        self.order(name)

    def mode(self, program: str, how: str) -> None:
        """How squeue or sacct behave from now on: `fail`, `empty`, `garbage`, or "" for well."""
        (self.folder / f"{program}.mode").write_text(how)

    def release(self) -> None:
        """Let every sbatch answer that hangs."""
        (self.folder / "released").touch()

    def lose_state(self) -> None:
        """slurmctld loses its state: it knows no job, and its ids begin at 1 again. Running jobs continue."""
        (self.folder / "jobs").rename(self.folder / f"lost {time.monotonic_ns()}")
        (self.folder / "jobs").mkdir()
        if (self.folder / "numbers").exists():
            shutil.rmtree(self.folder / "numbers")

    def stranger(self, number: str, state: str = "RUNNING", name: str = "mt.00000000.1-1:other", **facts: str) -> Job:
        """A job of the user that is not the study's."""
        (self.folder / "numbers" / number.partition("_")[0]).mkdir(parents=True, exist_ok=True)
        return _shown(self.folder / "jobs" / number, {"name": name, "state": state, **facts})

    # --- what a test sees of it

    def jobs(self) -> list[Job]:
        jobs = (Job(path) for path in (self.folder / "jobs").iterdir())
        return sorted(jobs, key=lambda job: [int(part) for part in job.id.split("_")])

    def jobs_of(self, stem: str) -> list[Job]:
        """The jobs of an instance, oldest first."""
        return [job for job in self.jobs() if job.get("name").endswith(f":{stem}")]

    def calls(self, program: str) -> int:
        """How often a program was called."""
        log = self.folder / "calls"
        return log.read_text().split().count(program) if log.exists() else 0

    def stop(self) -> None:
        """End whatever still runs."""
        self.release()
        for job in self.jobs():
            job.end("CANCELLED")


# --- the programs


def main(program: str, folder: Path, words: list[str]) -> int:
    with (folder / "calls").open("a") as calls:
        calls.write(f"{program}\n")
    mode = folder / f"{program}.mode"
    match mode.read_text() if mode.exists() else "":
        case "fail":
            print(NO_CONTACT, file=sys.stderr)
            return 1
        case "empty":
            return 0
        case "garbage":
            sys.stdout.buffer.write(GARBAGE)
            return 0
        case _:
            pass
    _settle(folder)
    pairs = (word.removeprefix("--").partition("=") for word in words if word.startswith("--"))
    options = {name: value for name, _, value in pairs}
    match program:
        case "sbatch":
            return _sbatch(folder, options, sys.stdin.read())
        case "squeue":
            for job in _jobs(folder, "squeue"):
                limits = f"{job.get('qos') or 'regular'},{job.get('account') or 'b'}"
                print(f"{job.id}|{job.state}|{job.get('reason') or 'None'}|fake1|{limits}|{job.get('name')}")
        case "sacct":
            wanted = options.get("jobs", "").split(",") + options.get("name", "").split(",")
            for job in _jobs(folder, "sacct"):
                # A real one does not find a task that never began by its own id.
                array, _, task = job.id.partition("_")
                unbegun = task and not job.get("session")
                if {job.get("name"), array, *([] if unbegun else [job.id])} & set(wanted):
                    shown = f"{array}_[{task}]" if unbegun else job.id
                    state = f"{job.state} by 0" if job.state == "CANCELLED" else job.state
                    code = job.get("code") or "0"
                    code = code if state == "FAILED" else "0"
                    print(f"{shown}|{state}|{code}:0|fake1|2026-01-01T00:00:00|{job.get('name')}")
        case "scancel":
            for word in words:
                if (folder / "jobs" / word).is_dir() and (job := Job(folder / "jobs" / word)).state not in OVER:
                    job.end("CANCELLED", signal.SIGTERM)
        case "scontrol" if words == ["show", "config"]:
            print(f"ClusterName             = {(folder / 'cluster').read_text()}")
        case _:
            pass
    return 0


def _jobs(folder: Path, program: str) -> Iterator[Job]:
    """The jobs that a program has not forgotten."""
    for path in (folder / "jobs").iterdir():
        if not (path / f"unknown to {program}").exists() and (path / "state").exists():
            yield Job(path)


def _settle(folder: Path) -> None:
    """Start the jobs whose dependencies are satisfied. Those that never will be stay in the queue."""
    for path in list((folder / "jobs").iterdir()):
        job = Job(path)
        if not (job.state == "PENDING" and (after := job.get("after"))):
            continue
        task = job.id.partition("_")[2]
        verdicts = [_verdict(folder, name, kind, task) for kind, name in _parents(after)]
        enough = any if "?" in after else all
        is_over = all(verdicts) if "?" in after else any(verdict in OVER[1:] for verdict in verdicts)
        if enough(verdict == "COMPLETED" for verdict in verdicts):
            with suppress(FileNotFoundError):
                (path / "after").rename(path / "after.settled")
                job.put("reason", "Priority")
                job.start()
        elif is_over:
            job.put("reason", "DependencyNeverSatisfied")


def _parents(after: str) -> Iterator[tuple[str, str]]:
    """The kind and the job of each dependency."""
    for part in after.replace("?", ",").split(","):
        kind, *names = part.split(":")
        for name in names:
            yield kind, name


def _verdict(folder: Path, name: str, kind: str, task: str) -> str:
    """The outcome of a job, or of an array as a whole; empty while it is not over."""
    name = f"{name}_{task}" if kind == "aftercorr" else name
    jobs = [Job(path) for path in (folder / "jobs").iterdir() if path.name == name or path.name.startswith(f"{name}_")]
    verdicts = {job.get("verdict") for job in jobs}
    if kind == "afterany":
        return "COMPLETED" if verdicts <= set(OVER) else ""
    bad = verdicts & set(OVER[1:])
    if kind == "afternotok":
        return "COMPLETED" if bad else "FAILED" if verdicts == {"COMPLETED"} else ""
    return bad.pop() if bad else "COMPLETED" if verdicts == {"COMPLETED"} else ""


def _take(folder: Path, options: dict[str, str], script: str) -> list[Job]:
    number = 100
    while True:
        number += 1
        with suppress(FileExistsError):
            (folder / "numbers" / str(number)).mkdir(parents=True)
            break
    tasks = [""]
    if options.get("array"):
        runs = (run.partition("-") for run in options["array"].split(","))
        tasks = [f"_{task}" for first, _, last in runs for task in range(int(first), int(last or first) + 1)]
    return [_make(folder / "jobs" / f"{number}{task}", options, script) for task in tasks]


def _make(folder: Path, options: dict[str, str], script: str) -> Job:
    facts = {"script": script, "name": options["job-name"], "chdir": options["chdir"], "state": "PENDING"}
    if options.get("dependency"):
        facts |= {"after": options["dependency"], "reason": "Dependency"}
    return _shown(folder, {"reason": "Priority", **facts})


def _shown(folder: Path, facts: dict[str, str]) -> Job:
    """A job that is there with all its facts at once: a test that sees it may start it."""
    made = folder.parent.parent / f"made.{folder.name}"
    made.mkdir()
    for fact, value in facts.items():
        Job(made).put(fact, value)
    made.rename(folder)
    return Job(folder)


def _order(folder: Path) -> str:
    """The oldest order that no other sbatch has taken."""
    for path in sorted((folder / "orders").iterdir()):
        with suppress(FileNotFoundError):
            path.rename(folder / f"taken {path.name}")
            return path.name.partition(".")[2]
    return "accept"


def _sbatch(folder: Path, options: dict[str, str], script: str) -> int:
    """Accept a job as configured. "pending" in an order: it does not start automatically."""
    order = _order(folder)
    refusals = {"limit": LIMIT, "refuse": NO_PARTITION}
    if order in refusals:
        print(refusals[order], file=sys.stderr)
        return 1
    code, out, err = json.loads((folder / order).read_text()) if order.startswith("print ") else (0, "JOB\n", "")
    sys.stderr.write(err)
    if code:
        return int(code)
    arrays = [_take(folder, options, script) for _ in range(2 if "twice" in order else 1)]
    for job in (job for jobs in arrays for job in jobs):
        if "pending" not in order and not job.get("after"):
            job.start()
    if "hang" in order:
        pause = threading.Event()
        while not (folder / "released").exists():
            pause.wait(0.03)
    if "time out" in order:
        print(TIMED_OUT, file=sys.stderr)
        return 1
    if "garbage" in order:
        sys.stdout.buffer.write(GARBAGE)
        return 0
    sys.stdout.write(out.replace("JOB", arrays[-1][0].id.partition("_")[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
