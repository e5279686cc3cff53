"""A leader and workers without Slurm: its srun starts the worker right here."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import pytest

from mtui.core.packing.protocol import END_TEXT, ResourceRequest, WorkItem, dispatch_text, time_question_text
from tests.waiting import wait_until

# Runs the worker of its --nodelist, or of node1, unless the test has forbidden it.
SRUN = """#!/bin/sh
export SLURMD_NODENAME=node1 SLURM_LAUNCH_NODE_IPADDR=127.0.0.1 SLURM_CPUS_ON_NODE=1000
echo x >>{folder}/steps
[ ! -e {folder}/forbidden ] || exit 7
while [ "${{1#--}}" != "$1" ]; do shift; done
exec "$@"
"""


class Place:
    """A leader of the test's own, and its study."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root / "study", root / "study" / ".mtui"
        for folder in ("allocations", "claims"):
            (self.home / folder).mkdir(parents=True)
        self.tools = root / "tools"
        self.tools.mkdir()
        for name, text in (("srun", SRUN.format(folder=root)), ("squeue", "#!/bin/sh\necho 10:00\n")):
            (self.tools / name).write_text(text)
            (self.tools / name).chmod(0o700)
        self.forbidden, self.steps = root / "forbidden", root / "steps"
        self.log = root / "log"

    def start(self, idle: float = 60, held: float = 1.0, pings: str = "pass", **environment: str) -> None:
        """`held`: after how many seconds a failure is reported; `pings`: a statement that sets when workers answer."""
        names = "from mtui.core.packing import executor, leader, worker_pool as pool"
        limits = f"executor._HELD = {held}; pool._PAUSES = (0, 0.1, 0.2); {pings}"
        code = f"import sys; {names}; {limits}; sys.exit(leader.main())"
        command = [sys.executable, "-c", code, str(self.home), "1-1", str(idle), "/bin/bash"]
        mine = {name: text for name, text in os.environ.items() if not name.startswith("SLURM_")}
        path = f"{self.tools}{os.pathsep}{mine['PATH']}"
        job = f"4{os.getpid()}"  # for it ends what carries this number
        with self.log.open("w") as log:
            self.leader = subprocess.Popen(
                command,
                env={**mine, "PATH": path, "SLURM_JOB_ID": job, "SLURM_JOB_NUM_NODES": "1", **environment},
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def give(self, *items: WorkItem, end: bool = False) -> None:
        with (self.home / "allocations" / "1-1.list").open("a") as file:
            file.write(dispatch_text("1", items, {}) + (END_TEXT if end else ""))

    def item(self, attempt: str, script: str, *waits: str, **ask: Any) -> WorkItem:
        folder = self.root / attempt
        folder.mkdir()
        (folder / "a.sh").write_text(script + "\n")
        return WorkItem(attempt, ResourceRequest(**ask), attempt, "a.sh", "a", waits)

    def records(self) -> list[dict[str, Any]]:
        file = self.home / "allocations" / "1-1.records"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records() if record["kind"] == kind]

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        try:
            wait_until(condition, seconds, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.records()}\n{self.log.read_text()}") from None

    def worker(self) -> int:
        (children,) = Path(f"/proc/{self.leader.pid}/task").glob("*/children")
        alive = [int(child) for child in children.read_text().split() if Path(f"/proc/{child}/cmdline").read_bytes()]
        (worker,) = alive
        return worker

    def port(self) -> int:
        """Where the leader waits for workers."""
        environment = Path(f"/proc/{self.worker()}/environ").read_text().split("\0")
        return next(int(entry.partition("=")[2]) for entry in environment if entry.startswith("MTUI_LEADER_PORT="))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.leader.kill()
    made.leader.wait()


def codes(place: Place) -> dict[str, int]:
    return {record["attempt"]: record["code"] for record in place.of("exit")}


def test_codes_are_those_of_a_shell(place: Place) -> None:
    scripts = ("exit 3", "kill -9 $$", "kill -SEGV $$", "trap '' TERM; exit 0", "[ -t 0 ] || ! read x")
    place.give(*(place.item(f"{number}.1", script) for number, script in enumerate(scripts)), end=True)
    place.start()
    assert place.leader.wait(60) == 0
    assert codes(place) == {"0.1": 3, "1.1": 137, "2.1": 139, "3.1": 0, "4.1": 0}
    assert place.of("over")[0]["why"] == "ended"
    assert 500 < place.of("began")[0]["left"] <= 600  # ten minutes, less what the worker took to begin


def test_leader_reports_the_time_left_on_request(place: Place) -> None:
    place.start()
    place.wait_for(lambda: place.of("began"), "it began")
    with (place.home / "allocations" / "1-1.list").open("a") as file:
        file.write(time_question_text("7.0"))
    place.wait_for(lambda: place.of("left"), "it answers")
    (answer,) = place.of("left")
    assert answer["question"] == "7.0"
    assert 500 < answer["left"] <= place.of("began")[0]["left"]


def test_an_instance_that_kills_its_parent_ends_alone(place: Place) -> None:
    """The worker and its other instances keep running, and the processes that the killer left are ended."""
    bystander = "touch here; until [ -e go ]; do sleep 0.05; done"
    killer = "until [ -e ../1.1/here ]; do sleep 0.05; done; kill -9 $PPID; sleep 600"
    place.give(place.item("1.1", bystander), place.item("2.1", killer), place.item("3.1", killer))
    place.start()
    place.wait_for(lambda: len(codes(place)) == 2, "the killers have ended")
    (place.root / "1.1" / "go").touch()
    place.give(place.item("4.1", "true"), end=True)
    assert place.leader.wait(60) == 0
    assert codes(place) == {"1.1": 0, "2.1": 137, "3.1": 137, "4.1": 0}
    assert place.of("lost") == []
    assert place.steps.read_text() == "x\n", "one worker"


@pytest.mark.parametrize("deaf", [False, True], ids=["", "deaf to TERM"])
def test_processes_that_left_the_session_of_an_instance_end_with_it(place: Place, deaf: bool) -> None:
    """Only then its cores are free: the next one, which needs all of them, finds nothing left."""
    loop = f"{'trap : TERM; ' * deaf}echo $$ >pid; while :; do sleep 0.05; done"
    daemon = f"setsid setsid bash -c '{loop}' >/dev/null 2>&1 &\nuntil [ -s pid ]; do sleep 0.05; done"
    looks = 'if kill -0 "$(cat ../1.1/pid)"; then exit 5; fi'
    place.give(place.item("1.1", daemon, cpus=1000), place.item("2.1", looks, cpus=1000), end=True)
    place.start()
    assert place.leader.wait(60) == 0
    assert codes(place) == {"1.1": 0, "2.1": 0}


def test_a_log_that_is_a_fifo_fails_its_instance_alone(place: Place) -> None:
    items = [place.item(f"{number}.1", "true") for number in (1, 2)]
    os.mkfifo(place.root / "1.1" / "a.out")
    place.give(*items, end=True)
    place.start()
    assert place.leader.wait(60) == 0
    assert codes(place) == {"1.1": 71, "2.1": 0}
    assert "not a regular file" in next(record["error"] for record in place.of("exit") if record["attempt"] == "1.1")


def test_signals_reach_instances_as_usual(place: Place) -> None:
    """Neither what the worker ignores nor what it blocks is handed down; 32 and 33 are the C library's own."""
    place.give(place.item("1.1", "grep -E 'Sig(Blk|Ign)' /proc/self/status"), end=True)
    place.start()
    place.leader.wait(60)
    masks = [int(line.split()[1], 16) for line in (place.root / "1.1" / "a.out").read_text().splitlines()]
    assert [mask & ~(0b11 << 31) for mask in masks] == [0, 0]


def test_bad_ends_just_before_the_end_of_the_allocation_are_not_reported(place: Place) -> None:
    hold = "touch here; until [ -e go ]; do sleep 0.05; done; exit 4"
    saves = "trap 'exit 0' TERM; touch here; while :; do sleep 0.1; done"
    # The third one has room once the leader has read the end of the first.
    place.give(place.item("1.1", hold, cpus=600), place.item("2.1", saves), place.item("3.1", saves, cpus=600))
    place.start(held=600)
    for attempt in ("1.1", "2.1"):
        place.wait_for(lambda at=attempt: (place.root / at / "here").exists(), f"{attempt} runs")
    (place.root / "1.1" / "go").touch()
    place.wait_for((place.root / "3.1" / "here").exists, "the first one ended, and its place is taken")
    place.leader.send_signal(signal.SIGTERM)
    for attempt in ("2.1", "3.1"):
        for process in running(place, attempt):
            os.kill(process, signal.SIGTERM)
    assert place.leader.wait(60) == 0
    assert codes(place) == {"2.1": 0, "3.1": 0}
    assert place.of("over")[0]["why"] == "signal"


def running(place: Place, attempt: str) -> list[int]:
    """The processes of an attempt's script."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").readlink() == place.root / attempt and b"a.sh" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_worker_is_replaced_three_times(place: Place) -> None:
    items = [place.item(f"{number}.1", "touch here; sleep 60", cpus=1000) for number in range(5)]
    place.give(*items)
    place.start()
    for number in range(4):
        place.wait_for((place.root / f"{number}.1" / "here").exists, f"attempt {number} runs")
        os.kill(place.worker(), signal.SIGKILL)
        if number < 3:
            place.wait_for(lambda at=number: len(place.of("lost")) == at + 1, "it is lost")
            assert not running(place, f"{number}.1")
    assert place.leader.wait(60) == 0
    assert [record["attempt"] for record in place.of("lost")] == ["0.1", "1.1", "2.1"]
    assert place.of("over")[0]["why"] == "its workers were lost"
    assert not place.of("exit")
    for process in running(place, "3.1"):  # nobody was there any more to end it; Slurm would do so with the job
        os.kill(process, signal.SIGKILL)


def test_no_replacement(place: Place) -> None:
    place.give(place.item("1.1", "touch here; sleep 60"))
    place.start()
    place.wait_for((place.root / "1.1" / "here").exists, "it runs")
    place.forbidden.touch()
    os.kill(place.worker(), signal.SIGKILL)
    assert place.leader.wait(60) == 0
    assert place.steps.read_text() == "x\n" * 4
    assert [record["kind"] for record in place.records()] == ["began", "start", "over"]
    for process in running(place, "1.1"):
        os.kill(process, signal.SIGKILL)


def test_a_stranger_at_the_door_is_turned_away(place: Place) -> None:
    place.give(place.item("1.1", "touch here; until [ -e go ]; do sleep 0.05; done"))
    place.start()
    place.wait_for((place.root / "1.1" / "here").exists, "it runs")
    with pytest.raises((AuthenticationError, EOFError, OSError)):
        Client(("127.0.0.1", place.port()), authkey=b"not the key")
    (place.root / "1.1" / "go").touch()
    place.wait_for(lambda: codes(place) == {"1.1": 0}, "it ended")


def test_strangers_that_say_nothing_keep_nobody_waiting(place: Place) -> None:
    place.give(place.item("1.1", "touch here; until [ -e go ]; do sleep 0.05; done"))
    place.start()
    place.wait_for((place.root / "1.1" / "here").exists, "it runs")
    door = ("127.0.0.1", place.port())
    with ExitStack() as strangers:
        silent = [strangers.enter_context(socket.create_connection(door, 20)) for _ in range(20)]
        assert all(
            stranger.recv(1) for stranger in reversed(silent)
        )  # the last is requested for the key beside the first
        (place.root / "1.1" / "go").touch()
        place.wait_for(lambda: codes(place) == {"1.1": 0}, "it ended")


def test_flood_of_unknown_clients_uses_up_neither_threads_nor_descriptors(place: Place) -> None:
    """More than the leader may have open files; a worker that is lost meanwhile is still replaced."""
    place.give(place.item("1.1", "touch here; until [ -e go ]; do sleep 0.05; done"))
    place.start()
    place.wait_for((place.root / "1.1" / "here").exists, "it runs")
    resource.prlimit(place.leader.pid, resource.RLIMIT_NOFILE, (100, 100))
    door, proc, worker = ("127.0.0.1", place.port()), Path(f"/proc/{place.leader.pid}"), place.worker()
    with ExitStack() as strangers:
        for _ in range(200):
            strangers.enter_context(socket.create_connection(door, 20))
        place.wait_for(lambda: len(list((proc / "task").iterdir())) < 50, "threads of some are gone")
        assert len(list((proc / "fd").iterdir())) < 70
        os.kill(worker, signal.SIGKILL)
        place.wait_for(lambda: place.of("lost"), "a new worker")
        place.give(place.item("2.1", "true"), end=True)
        assert place.leader.wait(60) == 0
    assert codes(place) == {"2.1": 0}


def test_a_suspended_worker_is_replaced_and_what_it_was_sent_runs_once(place: Place) -> None:
    """Its unread orders are lost with it: nothing is returned before its end is certain."""
    place.give(place.item("1.1", "echo x >>runs; touch here; sleep 600"))
    place.start(pings="pool._PING_EVERY, pool._MOST_UNANSWERED = 0.3, 3")
    place.wait_for((place.root / "1.1" / "here").exists, "it runs")
    worker = place.worker()
    os.kill(worker, signal.SIGSTOP)
    place.give(place.item("2.1", "echo x >>runs"), place.item("3.1", "echo x >>runs", "2.1"))
    place.wait_for(lambda: len(place.of("lost")) == 2, "both are returned")
    assert not Path(f"/proc/{worker}").exists() or not Path(f"/proc/{worker}/cmdline").read_bytes()
    place.give(place.item("4.1", "true"), end=True)
    assert place.leader.wait(60) == 0
    assert codes(place) == {"4.1": 0}
    assert {record["attempt"] for record in place.of("lost")} == {"1.1", "2.1"}
    assert (place.root / "1.1" / "runs").read_text() == "x\n"
    assert not (place.root / "2.1" / "runs").exists(), "it was sent, and not read"
    assert "the worker on node1 has not answered 3 times" in place.log.read_text()


def test_a_worker_that_answers_stays(place: Place) -> None:
    place.give(place.item("1.1", "sleep 1.5"), end=True)
    place.start(pings="pool._PING_EVERY, pool._MOST_UNANSWERED = 0.05, 10")
    assert place.leader.wait(60) == 0
    assert (codes(place), place.steps.read_text()) == ({"1.1": 0}, "x\n")


def test_it_says_why_it_cannot_begin(place: Place) -> None:
    place.forbidden.touch()
    place.start()
    assert place.leader.wait(60) == 1
    assert [(record["kind"], record["why"]) for record in place.records()] == [
        ("over", "no worker started: srun exited with code 7")
    ]


def test_known_end_of_the_allocation_needs_no_squeue(place: Place) -> None:
    place.give(end=True)
    place.start(SLURM_JOB_END_TIME="32503680000")  # the year 3000
    assert place.leader.wait(60) == 0
    assert place.of("began")[0]["left"] is None


def test_worker_ends_what_it_runs_when_the_leader_is_gone(place: Place) -> None:
    place.give(place.item("1.1", "touch here; trap '' TERM; while :; do sleep 0.1; done"))
    place.start()
    place.wait_for((place.root / "1.1" / "here").exists, "it runs")
    place.leader.kill()
    place.wait_for(lambda: not running(place, "1.1"), "it is gone")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_script_whose_log_cannot_be_created_now_starts_later(place: Place) -> None:
    item, folder = place.item("1.1", ""), place.root / "1.1"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=3", "tmpfs", str(folder)], check=True)
    try:
        (folder / "a.sh").write_text("true\n")
        (folder / "full").touch()  # with the folder itself: no inode is left
        place.give(item, end=True)
        place.start()
        place.wait_for(lambda: len(place.of("start")) > 1, "it is tried again")
        assert codes(place) == {}
        subprocess.run(["mount", "-o", "remount,nr_inodes=100", str(folder)], check=True)
        assert place.leader.wait(60) == 0
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    assert codes(place) == {"1.1": 0}
    assert place.of("over")[0]["why"] == "ended"
