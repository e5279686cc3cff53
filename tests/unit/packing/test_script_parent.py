"""The processes that start scripts, and the worker that uses them. The leader is this test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from mtui.core.packing import transport
from mtui.core.packing.orphans import VARIABLE
from tests.waiting import wait_until

_WORKER = """
import sys
from multiprocessing.connection import Connection
from mtui.core.packing.worker import Worker
Worker(Connection(int(sys.argv[1])), None).serve()
"""


class Leader:
    """This test's end of the connection to a worker."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.line, far = Pipe()
        os.set_inheritable(far.fileno(), True)
        command = [sys.executable, "-c", _WORKER, str(far.fileno())]
        self.worker = subprocess.Popen(command, pass_fds=[far.fileno()], cwd="/")
        far.close()
        self._first: dict[str, Any] = {}

    def begin(self, shell: str = "/bin/bash", **environment: str) -> None:
        """Inform the worker about the study with its next message."""
        self._first = {"root": str(self.root), "shell": [shell], "environment": {**os.environ, **environment}}

    def order(self, attempt: str, script: str) -> dict[str, Any]:
        """Write a script; return the order to start it."""
        folder = self.root / attempt
        folder.mkdir()
        (folder / "a.sh").write_text(script + "\n")
        marks = {VARIABLE: "1.1"}
        return {"attempt": attempt, "workspace": attempt, "script": "a.sh", "stem": "a", "environment": marks}

    def send(self, **message: Any) -> None:
        transport.send(self.line, {**self._first, **message})
        self._first = {}

    def codes(self, count: int) -> dict[str, int]:
        """Receive until so many attempts have ended; return their exit codes."""
        found: dict[str, int] = {}
        while len(found) < count:
            assert self.line.poll(60), "an end is reported"
            message = transport.receive(self.line)
            assert message
            found |= {attempt: code for attempt, code, _, _ in message.get("ended", ())}
        return found

    def output(self, attempt: str) -> str:
        return (self.root / attempt / "a.out").read_text()


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[Leader]:
    made = Leader(tmp_path)
    yield made
    made.line.close()
    made.worker.wait(60)


def test_a_parent_is_used_again_and_is_not_the_worker(leader: Leader) -> None:
    leader.begin()
    parents: set[int] = set()
    for number in range(3):
        leader.send(run=[leader.order(f"{number}.1", "echo $PPID")])
        assert leader.codes(1) == {f"{number}.1": 0}
        parents.add(int(leader.output(f"{number}.1")))
    assert len(parents) == 1
    assert leader.worker.pid not in parents


def test_scripts_that_run_together_have_a_parent_each(leader: Leader) -> None:
    leader.begin()
    meet = "echo $PPID; touch here; until [ -e ../0.1/here ] && [ -e ../1.1/here ]; do sleep 0.05; done"
    leader.send(run=[leader.order(f"{number}.1", meet) for number in range(2)])
    assert leader.codes(2) == {"0.1": 0, "1.1": 0}
    assert leader.output("0.1") != leader.output("1.1")


@pytest.mark.parametrize("how", ["KILL", "STOP"])
def test_a_parent_that_its_script_kills_or_stops_is_replaced(leader: Leader, how: str) -> None:
    leader.begin()
    bystander = leader.order("1.1", "until [ -e go ]; do sleep 0.05; done")
    leader.send(run=[bystander, leader.order("2.1", f"kill -{how} $PPID; sleep 600")])
    assert leader.codes(1) == {"2.1": 137}
    leader.send(run=[leader.order("3.1", "exit 3")])
    assert leader.codes(1) == {"3.1": 3}
    (leader.root / "1.1" / "go").touch()
    assert leader.codes(1) == {"1.1": 0}


@pytest.mark.parametrize("how", ["HUP", "INT", "QUIT", "PIPE", "TERM", "USR1", "USR2", "ALRM", "XCPU"])
def test_a_parent_ignores_signals_of_its_script(leader: Leader, how: str) -> None:
    leader.begin()
    leader.send(run=[leader.order("1.1", f"kill -{how} $PPID; kill -{how} $PPID; sleep 0.2; exit 9")])
    assert leader.codes(1) == {"1.1": 9}


def test_a_signal_reaches_a_script_that_is_being_started(leader: Leader) -> None:
    """The worker does not know its process yet when the leader's signal comes."""
    leader.begin()
    leader.send(run=[leader.order("1.1", "sleep 600")], signal=[["1.1", signal.SIGTERM]])
    assert leader.codes(1) == {"1.1": 143}


def test_functions_that_the_shell_exported_reach_a_script(leader: Leader) -> None:
    """Their variables have names that no shell keeps which does not know them."""
    leader.begin(**{"BASH_FUNC_greet%%": "() {  echo hello; }"})
    leader.send(run=[leader.order("1.1", "greet")])
    assert leader.codes(1) == {"1.1": 0}
    assert leader.output("1.1") == "hello\n"


@pytest.mark.parametrize("how", ["disconnected", "killed"])
def test_parents_end_with_their_worker(leader: Leader, how: str) -> None:
    leader.begin()
    leader.send(run=[leader.order("1.1", "echo $PPID"), leader.order("2.1", "echo $PPID $$; touch here; sleep 600")])
    leader.codes(1)
    wait_until((leader.root / "2.1" / "here").exists, 60, "it runs")
    idle, (busy, script) = int(leader.output("1.1")), map(int, leader.output("2.1").split())
    if how == "killed":
        leader.worker.kill()
        os.kill(script, signal.SIGKILL)  # as the next worker does, which looks for what was left
    else:
        leader.line.close()
    for process in (idle, busy, script):
        wait_until(lambda at=process: not _is_alive(at), 60, f"process {process} has ended")


def _is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
