"""What the installed version of Slurm prints, as data of the tests in `tests/unit/backends`.

`python -m tests.slurm.outputs` starts a private cluster, brings jobs into the states that matter, and prints
each call of a program with its output. `python -m tests.slurm.versions --outputs` writes it for each version.
"""

from __future__ import annotations

import ctypes
import platform
import shlex
import subprocess
from pathlib import Path

from mtui.core.backends.slurm_text import ALIVE, SACCT_FORMAT, SQUEUE_FORMAT
from mtui.core.backends.usage import USAGE_FORMAT
from tests.slurm.cluster import Cluster
from tests.slurm.config import USER
from tests.waiting import wait_until

SBATCH = ("sbatch", "--parsable", "--account=m1234", "--time=5", "--output=/dev/null")
SQUEUE = ("squeue", f"--user={USER}", "--noheader", "--all", "--states=all", f"--format={SQUEUE_FORMAT}")
SACCT = (
    *("sacct", "--allocations", "--duplicates", f"--user={USER}", "--noheader", "--parsable2"),
    f"--format={SACCT_FORMAT}",
)
SINCE = "--starttime=now-1hours"
SACCTMGR = ("sacctmgr", "--noheader", "--parsable2", "show")

# Each is refused.
REFUSED = (
    "--account=none",
    "--qos=nope",
    "--qos=debug --time=60",
    "--partition=nope",
    "--nodes=9",
    "--constraint=xx",
    "--time=abc",
    "--array=0-5000",
    "--dependency=afterok:99999",
    "--begin=yesterdayy",
    "--gres=gpu:9 --nodes=1",
    "--qos=regular,debug",
    "--nonsense",
    "--mem=900T",
    "--licenses=matlab:9",
    "--clusters=nope",
)

# A site's own check of each job: one that only prints, one that refuses.
JOB_SUBMIT = """\
function slurm_job_submit(job, partitions, user)
   slurm.log_user("Welcome to the cluster.\\nYour project has 12 hours left.")
   if job.name == "refused" then
      slurm.log_user("refused: communication with the project database says no")
      return slurm.ERROR
   end
   return slurm.SUCCESS
end
function slurm_job_modify(job, record, partitions, user)
   return slurm.SUCCESS
end
return slurm.SUCCESS
"""


# Of `scontrol show config`; the rest is about this machine.
SETTINGS = ("ClusterName", "MaxArraySize", "MaxJobCount", "MinJobAge", "SLURM_VERSION", "SlurmctldParameters")


class Recorder:
    """Runs programs on a cluster and prints what they print, without names of this machine."""

    def __init__(self, slurm: Cluster) -> None:
        self.slurm = slurm

    def run(self, *command: str, script: str = "", lines: tuple[str, ...] = ("",), **environment: str) -> str:
        """Run and print a call after its variables, and of its output the lines that begin so."""
        env = {**self.slurm.env, "SLURM_BITSTR_LEN": "0", "SLURM_TIME_FORMAT": "standard", **environment}
        done = subprocess.run(command, env=env, input=script, capture_output=True, text=True, timeout=120, check=False)
        settings = "".join(f"{name}={value} " for name, value in environment.items())
        output = "".join(line for line in done.stdout.splitlines(True) if line.startswith(lines))
        text = f"$ {settings}{shlex.join(command)}\n{output}"
        if done.stderr:
            text += f"[stderr] {done.stderr.rstrip()}\n"
        if done.returncode:
            text += f"[rc {done.returncode}]\n"
        print(text.replace(platform.node(), "head").replace(str(self.slurm.folder), "/cluster"), flush=True)
        return done.stdout.strip()

    def submit(self, name: str, command: str, *options: str) -> str:
        """Submit a job and return its id."""
        return self.run(*SBATCH, "--partition=shared", f"--job-name={name}", *options, f"--wrap={command}")

    def wait_for(self, job: str, *states: str) -> None:
        """Wait until squeue and sacct show a job in one of the states."""
        wait_until(lambda: self.slurm.job_state(job) in states, 60, f"job {job} is {' or '.join(states)}")
        sacct = ("sacct", "--allocations", "--noheader", "--parsable2", "--format=State", f"--jobs={job}", SINCE)

        def is_accounted() -> bool:
            shown = self.slurm.run(*sacct).stdout.split("\n")[0].split(" ")[0]
            return shown in states or shown in ALIVE

        wait_until(is_accounted, 60, f"sacct shows job {job}")


def record_jobs(recorder: Recorder) -> None:
    """Jobs in every state that a cluster reaches on demand."""
    submit, run = recorder.submit, recorder.run
    ok = submit("ok", "exit 0")
    bad = submit("bad|name", "exit 3")
    killed = submit("killed", "kill -9 $$")
    running = submit("running", "sleep 300")
    array = submit("array", "true", "--hold", "--array=0-2,5,7-9")
    never = submit("never", "true", f"--dependency=afterok:{bad}")
    waits = submit("waits", "true", f"--dependency=afterok:{running}")
    each = submit("each", "true", "--array=0-3", f"--dependency=aftercorr:{array}")
    licensed = submit("licensed", "sleep 300", "--licenses=matlab:4")
    second = submit("second", "true", "--licenses=matlab:1")
    held = submit("held", "true", "--hold", "--array=0-3")
    limited = submit("limited", "sleep 300", "--array=0-3%2")
    het = run(*SBATCH, "--partition=shared", "--job-name=het", "--hold", ":", "--ntasks=2", "--wrap=true")
    recorder.wait_for(killed, "FAILED")
    recorder.wait_for(licensed, "RUNNING")
    recorder.wait_for(f"{limited}_1", "RUNNING")
    run(*SQUEUE)
    run(*SQUEUE, SLURM_BITSTR_LEN="8")
    run("squeue", f"--user={USER}", "--noheader", "--states=all", "--jobs=99999", "--format=%T")
    for command in (
        ("scancel", running, f"{array}_5", "99999"),
        ("scancel", "99999"),
        ("scancel", f"{held}_1"),
        ("scancel", held, limited, het),
        ("scontrol", "release", array),
    ):
        run(*command)
    for job in (*(f"{array}_{task}" for task in (0, 1, 2, 7, 8, 9)), *(f"{each}_{task}" for task in (0, 1, 2))):
        recorder.wait_for(job, "COMPLETED")
    recorder.wait_for(running, "CANCELLED")
    run(*SQUEUE)
    jobs = (ok, bad, killed, running, array, never, waits, each, licensed, second, held, limited, het, "99999")
    run(*SACCT, f"--jobs={','.join(jobs)}", SINCE)
    run(*SACCT, f"--jobs={held}_0,{limited}_3", SINCE)
    run(*SACCT, f"--name={','.join(('array', 'ok'))}", SINCE)
    usage = ("sacct", "--duplicates", f"--user={USER}", "--noheader", "--parsable2", f"--format={USAGE_FORMAT}", SINCE)
    run(*usage, f"--jobs={ok},{bad},{array}")
    run(*SACCT, f"--jobs={ok},{running}", SINCE, LANG="de_DE.UTF-8", LC_ALL="de_DE.UTF-8", TZ="Asia/Tokyo")
    recorder.slurm.cancel_all()


def record_answers(recorder: Recorder) -> None:
    """What sbatch prints when it refuses, and with a site's own checks and messages."""
    slurm, run = recorder.slurm, recorder.run
    for options in REFUSED:
        run(*SBATCH, *options.split(), "--wrap=true")
    with slurm.submit_limit("debug", 1):
        for array in ((), (), ("--array=0-3",)):
            run(*SBATCH, "--qos=debug", "--hold", *array, "--wrap=true")
    run(*SBATCH)
    run(*SBATCH, script="echo no shebang\n")
    run(*SBATCH, "--qos=nope", "--wrap=true", LANG="de_DE.UTF-8", LC_ALL="de_DE.UTF-8", LANGUAGE="de")
    slurm.cancel_all()
    slurm.stop_controller()
    Path(slurm.folder, "job_submit.lua").write_text(JOB_SUBMIT)
    with Path(slurm.folder, "slurm.conf").open("a") as file:
        file.write("JobSubmitPlugins=lua\n")
    run(*SBATCH, "--wrap=true")
    slurm.start_controller()
    run(*SBATCH, "--job-name=welcome", "--wrap=true")
    run(*SBATCH, "--job-name=refused", "--wrap=true")


def print_errors() -> None:
    """The texts of Slurm's error codes, those of URLs and of HTTP (from 11000 on) left out."""
    library = ctypes.CDLL(str(next(Path("/usr/lib").glob("*/slurm-wlm/libslurmfull.so"))), mode=ctypes.RTLD_GLOBAL)
    library.slurm_strerror.restype = ctypes.c_char_p
    texts = {code: library.slurm_strerror(code).decode() for code in (*range(-2, 1), *range(1000, 11000))}
    print("$ slurm_strerror")
    print(*(f"{code} {text}" for code, text in texts.items() if not text.startswith("Unknown error")), sep="\n")


def main() -> None:
    """Start a cluster and print what its programs print."""
    slurm = Cluster().start()
    recorder = Recorder(slurm)
    try:
        recorder.run("sbatch", "--version")
        recorder.run("scontrol", "ping")
        recorder.run("scontrol", "show", "config", lines=SETTINGS)
        recorder.run(*SACCTMGR, "qos", "format=Name,MaxSubmitPU,MaxSubmitPA,GrpSubmit")
        columns = "format=Account,MaxSubmit,GrpSubmit,DefaultQOS"
        recorder.run(*SACCTMGR, "assoc", "where", f"user={USER}", "cluster=mtui", columns)
        recorder.run(*SACCTMGR, "user", "where", f"name={USER}", "format=DefaultAccount")
        record_jobs(recorder)
        record_answers(recorder)
    finally:
        slurm.stop()
    print_errors()


if __name__ == "__main__":
    main()
