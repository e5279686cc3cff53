"""The worker of one node: starts the attempts that the leader sends, and reports when they end.

    python -m mtui.core.packing.worker      started by the leader, with srun

When the connection to the leader is closed, it kills its running attempts and exits.
"""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import may_pass
from ..file_reading import open_to_append
from ..shell_environment import FIND_DROPPED, has_dropped
from . import node, transport
from .orphans import ATTEMPT, VARIABLE, AdoptedProcesses, kill_marked, kill_orphans
from .protocol import NOT_BEGUN
from .script_file import REFUSED, ScriptRefused, open_script

# Exit codes of attempts that could not be started, from sysexits.h.
_NO_WORKSPACE, _NOT_STARTED = 72, 71
_LINGER = 2.0  # seconds between TERM and KILL for processes that a script left running
_GIVE_UP = 10.0  # seconds after KILL: processes that are left then are zombies
_LOOK_AGAIN = 0.05  # seconds between checks of such processes
_DEFAULTS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
_IGNORED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU),
)
_SCRIPT = 8  # the descriptor of the script for a process that opens it by that, as in job.sh
# The parent of each script, which passes its exit code on: a script that kills its parent ends alone, and not the
# worker with all others. bash would print "Killed" into the user's log.
_SUPERVISOR_TEXT = (
    "exec 9>&2 2>/dev/null; trap : HUP INT QUIT PIPE ALRM TERM USR1 USR2 XCPU XFSZ VTALRM PROF; "
    '"$@" 2>&9 9>&-; exit "$?"'
)
_SUPERVISOR = ("/bin/sh", "-c", _SUPERVISOR_TEXT, "mtui")
_GIVE_DROPPED = 'eval "set -- env $mtui_dropped \\"\\$@\\""'
_KEEPING_SUPERVISOR = ("/bin/sh", "-c", f"{FIND_DROPPED}\n{_GIVE_DROPPED}\n{_SUPERVISOR_TEXT}", "mtui")
_MODULE = [b"-m", b"mtui.core.packing.worker"]  # in the command line of a worker


_End: TypeAlias = tuple[str, int, str, str]  # attempt, exit code, verdict, error


class Worker:
    """Runs attempts, each in a separate session. Its event loop waits for messages and for children to exit."""

    def __init__(self, line: transport.Line, cpus: list[set[int]] | None) -> None:
        self._line = line
        self._cores = cpus
        self._all = os.sched_getaffinity(0)
        self._memory = node.OutOfMemory()
        self._environment: dict[bytes, bytes] = {}
        self._keeps_dropped = False  # it has variables that sh may drop
        self._root = ""
        self._shell: list[str] = []
        self._has_shell = True
        self._attempts: dict[int, str] = {}  # by process id
        self._processes: dict[str, int] = {}
        self._told: dict[str, int] = {}  # the last signal that the leader sent, by attempt
        self._ended: list[_End] = []
        self._lingering: dict[int, tuple[float, _End]] = {}  # process groups that outlive their script, with a deadline
        self._adopted = AdoptedProcesses()
        self._cookie = ""  # of all attempts on this node
        self._signalled = False  # TERM from Slurm, which ends the job
        self._pinged = False

    def serve(self) -> None:
        """Run until the leader disconnects."""
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        signal.signal(signal.SIGCHLD, _wake_up)
        signal.signal(signal.SIGTERM, self._signal)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            selector.register(self._line, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in selector.select(_LOOK_AGAIN if self._lingering else None):
                        if key.fileobj is wake:
                            with suppress(BlockingIOError):
                                wake.recv(4096)
                        elif (message := transport.receive(self._line)) is None:
                            return
                        else:
                            self._obey(message)
                    self._reap()
                    self._clear()
                    self._send()
            except OSError:  # the leader does not read
                return
            finally:
                for process in (*self._attempts, *self._lingering):
                    _kill_group(process, signal.SIGKILL)
                self._adopted.kill_all()

    def _signal(self, *_: object) -> None:
        """Note TERM: the attempts got it too, so the leader has to know before it interprets their exit codes."""
        self._signalled = True

    def _send(self) -> None:
        message: dict[str, Any] = {}
        if self._signalled:
            message["signalled"] = True
        if self._ended:
            message["ended"] = self._ended
        if self._pinged:
            message["alive"] = True
        if message:
            transport.send(self._line, message)
        self._signalled, self._pinged, self._ended = False, False, []

    def _obey(self, message: transport.Message) -> None:
        self._pinged = self._pinged or "ping" in message
        if "environment" in message:
            self._environment = _encoded(message["environment"])
            self._keeps_dropped = has_dropped(message["environment"])
            self._root, self._shell = message["root"], message["shell"]
            self._has_shell = bool(shutil.which(self._shell[0]))
        for order in message.get("run", ()):
            self._start(order)
        for attempt, number in message.get("signal", ()):
            if process := self._processes.get(attempt):
                self._told[attempt] = number
                _kill_group(process, number)

    def _may_pass(self, error: OSError) -> bool:
        """Whether it may start later. A missing file stays missing, unless the whole study directory is unavailable."""
        return may_pass(error) and (error.errno != errno.ENOENT or not os.path.isdir(self._root))  # noqa: PTH112

    def _start(self, order: transport.Message) -> None:
        attempt: str = order["attempt"]
        workspace = os.path.join(self._root, order["workspace"])  # noqa: PTH118
        try:
            os.chdir(workspace)
        except OSError as error:
            again = NOT_BEGUN if self._may_pass(error) else ""
            self._ended.append((attempt, _NO_WORKSPACE, again, "the workspace is not there"))
            return
        try:
            script, by_name = open_script(workspace, order["script"])
        except ScriptRefused as error:
            self._ended.append((attempt, REFUSED, "", str(error)))
            return
        except OSError as error:
            again = NOT_BEGUN if self._may_pass(error) else ""
            self._ended.append((attempt, _NOT_STARTED, again, f"its script cannot be read: {error.strerror}"))
            return
        environment = self._environment | _encoded(order["environment"])
        environment[b"PWD"] = os.fsencode(workspace)
        environment[os.fsencode(ATTEMPT)] = os.fsencode(attempt)
        self._cookie = order["environment"].get(VARIABLE, "")
        if self._cores:
            places: list[int] = order["cores"]
            self._pin({cpu for place in places for cpu in self._cores[place]})
        try:
            shown = order["script"] if by_name else f"/proc/self/fd/{_SCRIPT}"
            if not self._has_shell:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._shell[0])
            argv = [*(_KEEPING_SUPERVISOR if self._keeps_dropped else _SUPERVISOR), *self._shell, shown]
            process = self._spawn(argv, order["stem"], environment, None if by_name else script)
        except OSError as error:
            again = NOT_BEGUN if self._may_pass(error) else ""
            self._ended.append((attempt, _NOT_STARTED, again, f"it could not be started: {error.strerror}"))
        else:
            self._attempts[process] = attempt
            self._processes[attempt] = process
        finally:
            os.close(script)
            if self._cores:
                self._pin(self._all)

    def _pin(self, cpus: set[int]) -> None:
        with suppress(OSError):  # then it runs without binding
            os.sched_setaffinity(0, cpus)

    def _spawn(self, argv: list[str], stem: str, environment: dict[bytes, bytes], script: int | None) -> int:
        with open_to_append(f"{stem}.out") as out, open_to_append(f"{stem}.err") as err:
            return self._spawn_into(argv, environment, script, out.fileno(), err.fileno())

    def _spawn_into(
        self, argv: list[str], environment: dict[bytes, bytes], script: int | None, out: int, err: int
    ) -> int:
        return os.posix_spawnp(
            argv[0],
            argv,
            environment,
            file_actions=(
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, out, 1),
                (os.POSIX_SPAWN_DUP2, err, 2),
                *(() if script is None else ((os.POSIX_SPAWN_DUP2, script, _SCRIPT),)),  # last: others may be 8
            ),
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULTS,
        )

    def _reap(self) -> None:
        while found := _next_end():
            process = found.si_pid
            attempt = self._attempts.pop(process, "")
            if not attempt:
                continue  # one that was adopted
            del self._processes[attempt]
            killed = found.si_code != os.CLD_EXITED
            code = 128 + found.si_status if killed else found.si_status
            told = self._told.pop(attempt, 0)
            short = code == 137 and not told and self._memory.happened()
            end = (attempt, code, "out of memory" if short else "", "")
            # The id of a process group is not reused while it has members.
            if not self._signal_rest(process, attempt, told or signal.SIGTERM):
                self._ended.append(end)
            else:
                self._lingering[process] = (time.monotonic() + _LINGER, end)

    def _clear(self) -> None:
        """End attempts of which nothing runs any more: until then it may use cores, or run a Slurm step."""
        for process, (deadline, end) in list(self._lingering.items()):
            late = time.monotonic() - deadline
            rest = self._signal_rest(process, end[0], signal.SIGKILL if late > 0 else 0)
            if not rest or late > _GIVE_UP:
                if rest:
                    print(f"mtui: processes of attempt {end[0]} cannot be ended: {rest}", file=sys.stderr)
                del self._lingering[process]
                self._ended.append(end)

    def _signal_rest(self, process: int, attempt: str, number: int) -> list[int]:
        """Send a signal (0: none) to what is left of an attempt whose script has ended; return what there was."""
        rest = [process] if _kill_group(process, number) else []
        for adopted in self._adopted.of(attempt, self._cookie, self._attempts):
            rest.append(adopted)
            with suppress(OSError):
                os.kill(adopted, number)
        return rest


def _wake_up(number: int, frame: object) -> None:
    """Do nothing: without a handler, SIGCHLD would not write to the wakeup descriptor."""


def _next_end() -> os.waitid_result | None:
    """Return the end of a child process; None if there is none now."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None


def _encoded(environment: dict[str, Any]) -> dict[bytes, bytes]:
    return {os.fsencode(name): os.fsencode(text) for name, text in environment.items()}


def _kill_group(process: int, number: int) -> bool:
    """Send a signal to a process group (0: only check). Return whether the group exists."""
    try:
        os.killpg(process, number)
    except OSError:
        return False
    return True


def _kill_predecessor(name: str) -> bool:
    """Kill the worker that this one replaces: it may be suspended, with orders that it has not read. False if it stays.

    The srun that started it has the same environment; its command line is another.
    """
    marks = {f"{transport.KEY}={os.environ[transport.KEY]}".encode(), f"SLURMD_NODENAME={name}".encode()}

    def is_worker(process: int) -> bool:
        with suppress(OSError):
            return process != os.getpid() and Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[1:3] == _MODULE
        return False

    return kill_marked(marks, (signal.SIGKILL,), is_worker)


def main() -> int:
    # Slurm signals every process of the job; the leader decides what to do.
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    environment = os.environ
    name = environment["SLURMD_NODENAME"]
    if (cookie := environment.get(transport.SWEEP)) and not (_kill_predecessor(name) and kill_orphans(cookie)):
        print(f"mtui: processes of {cookie} cannot be ended", file=sys.stderr)
        return 1
    key = bytes.fromhex(environment[transport.KEY])
    host = environment.get(transport.HOST) or environment["SLURM_LAUNCH_NODE_IPADDR"]
    line = transport.call(host, int(environment[transport.PORT]), key)
    cpus = int(environment["SLURM_CPUS_ON_NODE"])
    physical = node.cores(cpus)
    threads = max(map(len, physical)) if physical else 1
    hello = {
        "node": name,
        "cores": len(physical) if physical else cpus,
        "threads": threads,
        "gpus": node.gpus(environment),
        "memory": int(environment.get("SLURM_MEM_PER_NODE", "0")),
        "sweep": bool(cookie),
    }
    transport.send(line, hello)
    Worker(line, physical).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
