"""A private Slurm cluster on this machine, made of the installed daemons and gone without a trace.

For a person, from the top folder of the project:

    eval "$(python -m tests.slurm.cluster up)"     # start one, or find the one started before
    eval "$(python -m tests.slurm.cluster env)"    # use it in another terminal
    python -m tests.slurm.cluster down
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.slurm.config import ACCOUNTING, NODES, PATH, USER, missing_programs, write_files
from tests.slurm.supervisor import STAY
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]

# The variables by which Slurm's programs take options; one left over would change the tests.
OPTIONS = ("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SINFO_", "SACCT", "SCANCEL_", "SCONTROL_")

# The value of sacctmgr for no limit.
NO_LIMIT = "-1"

# How the states of nodes begin that take no jobs until they are resumed.
OUT_OF_SERVICE = ("down", "drain")


class ClusterError(RuntimeError):
    """The cluster did not start, or refused what a test needs of it."""


class Cluster:
    """Four nodes, two partitions, accounting; runs from `start` until `stop` or the end of this process."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mtui-cluster-"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OPTIONS)}
        self.env = {**kept, "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self._supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.slurm.supervisor", str(self.folder)],
            cwd=PROJECT,
            env={**self.env, "MYSQL_UNIX_PORT": f"{self.folder}/mariadb.socket"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start(self) -> Cluster:
        """Start every daemon and wait until all nodes are idle; ClusterError says why that failed."""
        try:
            write_files(self.folder)
            self._start_accounting()
            self.start_controller()
            self._order(*NODES)
            self.wait_healthy()
        except (ClusterError, OSError, subprocess.SubprocessError) as error:
            message = f"the private cluster did not start: {error}\n{self.last_log_lines()}"
            self.stop()
            raise ClusterError(message) from error
        return self

    def stop(self) -> None:
        """End every process of the cluster and delete its folder."""
        assert self._supervisor.stdin
        with contextlib.suppress(BrokenPipeError):
            self._supervisor.stdin.close()
        self._supervisor.wait(timeout=30)

    @property
    def supervisor(self) -> int:
        """The process that keeps the cluster; SIGTERM makes it end the cluster."""
        return self._supervisor.pid

    def leave_running(self) -> None:
        """Let the cluster outlive this process."""
        self._order(STAY)

    def last_log_lines(self, count: int = 5) -> str:
        """What each daemon said last."""
        lines: list[str] = []
        for log in sorted((self.folder / "log").glob("*")):
            lines += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-count:]]
        return "\n".join(lines)

    # -- jobs

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a program as a user of the cluster does."""
        done = subprocess.run(argv, env=self.env, text=True, capture_output=True, timeout=timeout)
        if check and done.returncode:
            raise ClusterError(f"{shlex.join(argv)} gave {done.returncode}: {done.stderr or done.stdout}")
        return done

    def job_state(self, job: str) -> str:
        """The state of a job as the controller sees it; empty for a job that it does not know."""
        done = self.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T", check=False)
        return done.stdout.partition("\n")[0]

    def cancel_all(self) -> None:
        """Cancel every job and wait until the queue is empty."""
        self.run("scancel", f"--user={USER}")
        wait_until(lambda: not self.run("squeue", "--noheader").stdout, 30, "no job in the queue")

    @property
    def without_accounting(self) -> dict[str, str]:
        """The environment of a user for whom sacct fails, as on a cluster that keeps no accounts."""
        return {**self.env, "PATH": f"{self.folder}/no-accounting{os.pathsep}{PATH}"}

    @contextlib.contextmanager
    def submit_limit(self, qos: str, jobs: int) -> Iterator[None]:
        """Within the block, a user may have only so many jobs of a qos in the queue."""
        before = self.run("sacctmgr", "--noheader", "--parsable2", "show", "qos", qos, "format=MaxSubmitPU")
        self._set_submit_limit(qos, str(jobs))
        try:
            yield
        finally:
            self._set_submit_limit(qos, before.stdout.strip() or NO_LIMIT)

    # -- faults, and the way back from them

    def stop_controller(self) -> None:
        """End slurmctld as an administrator would; it saves its state first."""
        if pid := self._controller():
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not self._controller(), 30, "slurmctld ended")

    def kill_controller(self) -> None:
        """End slurmctld as by kill -9."""
        self._signal_controller(signal.SIGKILL)
        wait_until(lambda: not self._controller(), 30, "slurmctld ended")

    def start_controller(self) -> None:
        """Start slurmctld and wait until it answers."""
        self._order("slurmctld")
        self._wait_for("scontrol", "ping")

    def lose_state(self) -> None:
        """Kill slurmctld and delete its state: it knows no job any more, and its ids begin at 1 again."""
        if pid := self._controller():
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not self._controller(), 30, "slurmctld ended")
        for path in (self.folder / "state").iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.start_controller()
        self.wait_healthy()

    def pause_controller(self) -> None:
        """Make slurmctld hang: it accepts connections and never answers."""
        self._signal_controller(signal.SIGSTOP)

    def resume_controller(self) -> None:
        """Resume a paused slurmctld."""
        self._signal_controller(signal.SIGCONT)
        self._wait_for("scontrol", "ping")

    def node_states(self) -> dict[str, str]:
        """The state of every node, as in {"node1": "idle"}."""
        words = self.run("sinfo", "--noheader", "--Node", "--format=%N %T").stdout.split()
        return dict(zip(words[::2], words[1::2], strict=True))

    def set_node(self, name: str, state: str, reason: str = "a test") -> None:
        """Give a node a state (down, drain, resume) and wait until it shows."""

        def shows() -> bool:
            now = self.node_states()[name]
            return not now.startswith(OUT_OF_SERVICE) if state == "resume" else now.startswith(state)

        update = ("scontrol", "update", f"nodename={name}", f"state={state}", f"reason={reason}")
        # A slurmctld just started calls a resume invalid, and resumes the node anyway.
        self.run(*update, check=state != "resume")
        wait_until(shows, 20, f"{name} is in state {state}")

    def restore(self) -> None:
        """Bring the cluster back to how every test finds it: healthy and without jobs."""
        if not self._controller():
            self.start_controller()
        self.resume_controller()
        self.cancel_all()
        for node, state in self.node_states().items():
            if state.startswith(OUT_OF_SERVICE):
                self.set_node(node, "resume")
        self.wait_healthy()

    def wait_healthy(self) -> None:
        """Wait until all nodes are idle; ClusterError says what they are and who has them."""
        try:
            wait_until(lambda: set(self.node_states().values()) == {"idle"}, 30, "all nodes are idle")
        except TimeoutError as error:
            jobs = self.run("squeue", "--states=all", "--format=%i %j %T %N", check=False).stdout
            raise ClusterError(f"{error}\n{self.node_states()}\n{jobs}\n{self.last_log_lines(40)}") from error

    # -- its inside

    def _start_accounting(self) -> None:
        """Start slurmdbd and what it depends on, and configure the accounts and their limits."""
        self._order("munged", "mariadbd")
        for name in ("munge", "mariadb"):
            wait_until(lambda at=self.folder / f"{name}.socket": listens(at), 60, f"{name} listens")
        self._order("slurmdbd")
        self._wait_for("sacctmgr", "list", "cluster")
        for line in ACCOUNTING.format(user=USER).strip().splitlines():
            self.run("sacctmgr", "--immediate", *line.split())

    def _order(self, *words: str) -> None:
        """Give the supervisor orders: names of daemons to start, or STAY."""
        assert self._supervisor.stdin
        self._supervisor.stdin.write("".join(f"{word}\n" for word in words).encode())
        self._supervisor.stdin.flush()

    def _wait_for(self, *argv: str) -> None:
        """Run a command again and again until it works; the last error tells why it does not."""
        try:
            wait_until(lambda: self.run(*argv, check=False).returncode == 0, 30, f"{shlex.join(argv)} works")
        except TimeoutError:
            self.run(*argv)

    def _controller(self) -> int | None:
        """The process id of slurmctld while it runs."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "slurmctld.pid").read_text())
            if Path(f"/proc/{pid}/comm").read_text() == "slurmctld\n":
                return pid
        return None

    def _signal_controller(self, sign: signal.Signals) -> None:
        if pid := self._controller():
            os.kill(pid, sign)

    def _set_submit_limit(self, qos: str, jobs: str) -> None:
        """Change the limit; sacctmgr returns when slurmctld knows of it."""
        self.run("sacctmgr", "--immediate", "modify", "qos", qos, "set", f"MaxSubmitJobsPerUser={jobs}")
        # slurmctld shows the limit only for users who had jobs in the qos.
        expected = "N" if jobs == NO_LIMIT else jobs

        def in_force() -> bool:
            shown = self.run("scontrol", "show", "assoc_mgr", f"qos={qos}", "flags=qos").stdout
            return set(re.findall(r"MaxSubmitJobsPU=(\w+)", shown)) <= {expected}

        wait_until(in_force, 20, f"the submit limit of {qos} is {jobs}")


def listens(at: Path) -> bool:
    """Whether a daemon takes connections at this socket."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(at)) == 0


# ---------------------------------------------------------------- the cluster of a person

STATE_FILE = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"mtui-cluster-{os.getuid()}"


def running() -> tuple[Path, int] | None:
    """The folder and the supervisor of the cluster that `up` started, while it runs."""
    with contextlib.suppress(OSError, ValueError):
        folder, pid = STATE_FILE.read_text().split()
        ours = STATE_FILE.stat().st_uid == os.getuid()
        if ours and folder.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return Path(folder), int(pid)
    return None


def up() -> None:
    """Start a cluster that stays, unless there is one."""
    if running():
        return
    if missing := missing_programs():
        sys.exit(f"Slurm is not all there; missing: {', '.join(missing)}")
    print("starting a private Slurm cluster ...", file=sys.stderr)
    cluster = Cluster().start()
    STATE_FILE.write_text(f"{cluster.folder} {cluster.supervisor}")
    cluster.leave_running()
    print("it runs until: python -m tests.slurm.cluster down", file=sys.stderr)


def env() -> None:
    """Print what a shell needs to use the cluster."""
    if not (found := running()):
        sys.exit("no cluster runs; start one with: python -m tests.slurm.cluster up")
    print(f"export SLURM_CONF={shlex.quote(str(found[0] / 'slurm.conf'))}")


def down() -> None:
    """End the cluster that `up` started."""
    if found := running():
        os.kill(found[1], signal.SIGTERM)
        wait_until(lambda: not running(), 30, "the cluster ended")
    STATE_FILE.unlink(missing_ok=True)


def main() -> None:
    """Run the command line."""
    match sys.argv[1:]:
        case ["up"]:
            up()
            env()
        case ["env"]:
            env()
        case ["down"]:
            down()
        case _:
            sys.exit("usage: python -m tests.slurm.cluster up | env | down")


if __name__ == "__main__":
    main()
