"""What the private cluster is made of: its programs, its configuration and its daemons."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import secrets
import shutil
import socket
from pathlib import Path

# The user who runs the tests; $USER need not be set.
USER = pwd.getpwuid(os.getuid()).pw_name
NODES = ("node1", "node2", "node3", "node4")

# Daemons live where the PATH of a user who is not root may not lead.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
PROGRAMS = (
    *("munged", "mariadb-install-db", "mariadbd", "slurmdbd", "slurmctld", "slurmd"),
    *("sacct", "sacctmgr", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun"),
)

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
MailProg=/bin/true

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[1]}
# Not a password: on the way to slurmdbd it names the socket of munge.
AccountingStoragePass={folder}/munge.socket
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
Licenses=matlab:4

# Schedule at once, end jobs at once, and give up soon on a controller that is away (default: 10 s).
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
InactiveLimit=0
KillWait=2
MinJobAge=300
MessageTimeout=5
# With 2, a node that a test sets down would come back by itself.
ReturnToService=1

NodeName=DEFAULT CPUs=128 RealMemory=500000
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} Feature=cpu
NodeName=node2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[3]} Feature=cpu
NodeName=node3 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[4]} Feature=gpu Gres=gpu:4
NodeName=node4 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[5]} Feature=gpu Gres=gpu:4
PartitionName=regular Nodes=node[1-4] Default=YES OverSubscribe=EXCLUSIVE
PartitionName=shared Nodes=node[1-4] OverSubscribe=NO
"""

# Slurm takes only devices for GPUs; any will do, since no job is kept from them.
GRES_CONF = """
NodeName=node[3-4] Name=gpu File=/dev/null
NodeName=node[3-4] Name=gpu File=/dev/zero
NodeName=node[3-4] Name=gpu File=/dev/full
NodeName=node[3-4] Name=gpu File=/dev/random
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

# Commands of sacctmgr, one a line. MaxWall is in minutes.
ACCOUNTING = """
add cluster mtui
add qos regular,debug,workflow
modify qos debug set MaxSubmitJobsPerUser=5 MaxWall=30 Flags=DenyOnLimit
add account m1234,m1234_g QOS=regular,debug,workflow DefaultQOS=regular
add user {user} Account=m1234,m1234_g DefaultAccount=m1234
"""


FAILING_SACCT = """#!/bin/sh
echo "Slurm accounting storage is disabled" >&2
exit 1
"""


def missing_programs() -> list[str]:
    """The programs of Slurm and its helpers that this machine lacks."""
    return [program for program in PROGRAMS if not shutil.which(program, path=PATH)]


def write_files(folder: Path) -> None:
    """Write the configuration, the key of munge, and a sacct that fails."""
    for name in ("database", "log", "no-accounting", "spool", "state"):
        (folder / name).mkdir()
    values = {"folder": folder, "user": USER, "ports": free_ports(2 + len(NODES))}
    for name, text in (("slurm", SLURM_CONF), ("gres", GRES_CONF), ("slurmdbd", SLURMDBD_CONF)):
        (folder / f"{name}.conf").write_text(text.format_map(values))
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "no-accounting" / "sacct").write_text(FAILING_SACCT)
    for name, mode in (("slurmdbd.conf", 0o600), ("munge.key", 0o600), ("no-accounting/sacct", 0o700)):
        (folder / name).chmod(mode)


def free_ports(count: int) -> list[int]:
    """Ports that no one uses, from below those that the kernel gives for port 0."""
    ports: list[int] = []
    for port in random.sample(range(10_000, 32_000), 500):
        with socket.socket() as server, contextlib.suppress(OSError):
            server.bind(("127.0.0.1", port))
            ports.append(port)
    return ports[:count]


def daemon_command(folder: Path, name: str) -> list[str]:
    """The command line that runs a daemon in the foreground."""
    if name in NODES:
        return ["slurmd", "-D", "-N", name]
    if name == "munged":
        # --force: the folder is closed to other users, which munged would take for a mistake.
        files = [f"--{file}-file={folder}/munge.{file}" for file in ("key", "pid", "seed", "log")]
        socket_path = f"--socket={folder}/munge.socket"
        return ["munged", "--foreground", "--force", "--num-threads=10", socket_path, *files]
    if name == "mariadbd":
        # Native asynchronous I/O was seen to end it on new kernels, once in a while.
        common = f"--no-defaults --user={USER} --datadir={folder}/database --innodb-use-native-aio=0"
        install = f"mariadb-install-db {common} --auth-root-authentication-method=normal --skip-test-db"
        files = f"--socket={folder}/mariadb.socket --pid-file={folder}/mariadb.pid"
        # Nothing of it outlives the run, so nothing is worth waiting for the disk.
        serve = f"mariadbd {common} {files} --skip-networking --debug-no-sync"
        again = f"{{ rm -rf {folder}/database; {install}; }}"  # it was seen to fail once, on a busy machine
        return ["sh", "-c", f"{{ {install} || {again}; }} && exec {serve}"]
    return [name, "-D"]
