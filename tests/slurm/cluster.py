"""A private Slurm cluster on this machine, made of the installed daemons and gone without a trace.

A supervisor process of its own session starts every daemon and so is the ancestor of all that
runs in the cluster. It reads its orders from a pipe. The kernel closes that pipe when the tests
end, however they end (also by SIGKILL), and then the supervisor ends the cluster.

For a person, from the top folder of the project:

    eval "$(python -m tests.slurm.cluster up)"     # start one, or find the one started before
    eval "$(python -m tests.slurm.cluster env)"    # use it in another terminal
    python -m tests.slurm.cluster down
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import random
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
NODES = {"node1": "cpu", "node2": "cpu", "node3": "gpu", "node4": "gpu"}
USER = pwd.getpwuid(os.getuid()).pw_name
STAY = "stay"

# Daemons live where the PATH of a user who is not root may not lead.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
PROGRAMS = (
    *("munged", "mariadb-install-db", "mariadbd", "slurmdbd", "slurmctld", "slurmd"),
    *("sacct", "sacctmgr", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun"),
)
# The variables by which Slurm's programs take options; one left over would change the tests.
OPTION_VARIABLES = ("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SINFO_", "SACCT", "SCANCEL_")

SLURM_CONF = """
ClusterName=mtui
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/spool/%n
SlurmctldSyslogDebug=quiet
SlurmdSyslogDebug=quiet

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[1]}
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu
JobAcctGatherType=jobacct_gather/linux

# Nodes that claim more than the machine has, and nothing that needs cgroups.
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu

# Schedule at once; end jobs at once.
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
InactiveLimit=0
KillWait=2
MinJobAge=300
ReturnToService=2

NodeName=DEFAULT NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=128 RealMemory=500000
NodeName=node1 Port={ports[2]} Feature=cpu
NodeName=node2 Port={ports[3]} Feature=cpu
NodeName=node3 Port={ports[4]} Feature=gpu Gres=gpu:4
NodeName=node4 Port={ports[5]} Feature=gpu Gres=gpu:4
PartitionName=regular Nodes=node[1-4] Default=YES OverSubscribe=EXCLUSIVE
PartitionName=shared Nodes=node[1-4] OverSubscribe=NO
"""

GRES_CONF = """
NodeName=node[3-4] Name=gpu Count=4
"""

SLURMDBD_CONF = """
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[1]}
SlurmUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
PidFile={folder}/slurmdbd.pid
DebugLevelSyslog=quiet
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
"""

ACCOUNTING = """
add cluster mtui
add qos regular,debug,workflow
modify qos debug set MaxSubmitJobsPerUser=5 MaxWall=30 Flags=DenyOnLimit
add account m1234,m1234_g QOS=regular,debug,workflow DefaultQOS=regular
add user {user} Account=m1234,m1234_g DefaultAccount=m1234
"""


def missing_programs() -> list[str]:
    """The programs of Slurm and its helpers that this machine lacks."""
    return [program for program in PROGRAMS if not shutil.which(program, path=PATH)]


def daemon_command(folder: Path, name: str) -> list[str]:
    """The command line that runs a daemon in the foreground."""
    if name in NODES:
        return ["slurmd", "-D", "-N", name]
    if name == "munged":
        # --force: the folder is closed to other users, which munged would take for a mistake.
        files = [f"--{file}-file={folder}/munge.{file}" for file in ("key", "pid", "seed", "log")]
        return ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files]
    if name == "mariadbd":
        shared = f"--no-defaults --user={USER} --datadir={folder}/database"
        own = f"--socket={folder}/mariadb.socket --pid-file={folder}/mariadb.pid --skip-networking"
        # Nothing of it outlives the run, so nothing is worth waiting for the disk.
        quick = "--innodb-flush-log-at-trx-commit=0 --skip-innodb-doublewrite"
        install = f"mariadb-install-db {shared} --auth-root-authentication-method=normal --skip-test-db"
        return ["sh", "-c", f"{install} && exec mariadbd {shared} {own} {quick}"]
    return [name, "-D"]


class ClusterError(RuntimeError):
    """The cluster did not start; the message ends with the last lines of its logs."""


# ---------------------------------------------------------------- the supervisor


def supervise(folder: Path) -> None:
    """Start the daemons that standard input names; when it closes, end the cluster."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)  # steps that outlive slurmd come to us
    signal.signal(signal.SIGCHLD, reap)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        for line in sys.stdin:
            if line.strip() == STAY:
                wait_for_sigterm()
            start_daemon(folder, line.strip())
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not kill_descendants(), 10, "all processes of the cluster ended")
        shutil.rmtree(folder, ignore_errors=True)


def start_daemon(folder: Path, name: str) -> None:
    """Start one daemon; all it says goes to its log."""
    with open(folder / "log" / name, "ab") as log:
        subprocess.Popen(
            daemon_command(folder, name),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True,
        )


def wait_for_sigterm() -> None:
    """Sleep until the handler of SIGTERM raises SystemExit."""
    while True:
        signal.pause()


def reap(*_: object) -> None:
    """Bury ended children, so that an ended process is also seen to be gone."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def kill_descendants() -> list[int]:
    """Kill every process that stems from this one and return them."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = list(children.get(os.getpid(), []))
    for pid in found:
        found.extend(children.get(pid, []))
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


# ---------------------------------------------------------------- the cluster


class Cluster:
    """Four nodes, two partitions, accounting; runs from `start` until `stop` or this process's end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mtui-cluster-"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OPTION_VARIABLES)}
        self.env = {**kept, "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self._supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.slurm.cluster", "supervise", str(self.folder)],
            cwd=PROJECT, env={**self.env, "MYSQL_UNIX_PORT": f"{self.folder}/mariadb.socket"},
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            text=True, start_new_session=True,
        )

    def start(self) -> Cluster:
        """Start everything and wait until all nodes are idle; ClusterError tells why not."""
        try:
            self._write_files()
            self._start_accounting()
            self.start_controller()
            for node in NODES:
                self._order(node)
            self.wait_healthy()
        except (OSError, TimeoutError, subprocess.SubprocessError) as error:
            message = f"the private cluster did not start: {error}\n{self.last_log_lines()}"
            self.stop()
            raise ClusterError(message) from error
        return self

    def stop(self) -> None:
        """End every process of the cluster and delete its folder."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        self._supervisor.wait(timeout=30)

    def leave_running(self) -> int:
        """Let the cluster outlive this process; the answer is the process that SIGTERM ends it by."""
        self._order(STAY)
        return self._supervisor.pid

    def last_log_lines(self, count: int = 5) -> str:
        """What each daemon said last."""
        tails = []
        for log in sorted((self.folder / "log").glob("*")):
            tails += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-count:]]
        return "\n".join(tails)

    # -- using it

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program as a user of the cluster."""
        done = subprocess.run(argv, env=self.env, text=True, capture_output=True, timeout=timeout)
        if check and done.returncode:
            raise ClusterError(f"{shlex.join(argv)} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done
