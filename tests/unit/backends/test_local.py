"""Steps on this machine: started, terminated, recognized by another driver."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtui.core.backends.backend import Accepted, AttemptFiles, Deferred, Job, JobIdentity
from mtui.core.backends.local import Local
from tests.waiting import wait_until

RUNNER = Path(__file__).parents[3] / "core" / "backends" / "job.sh"


class Here:
    """A study directory with room for one step, and the backend that runs it."""

    def __init__(self, root: Path) -> None:
        self.home = root / "a study's" / ".mtui"
        self.workspace = root / "work"
        for folder in ("spool/new", "claims"):
            (self.home / folder).mkdir(parents=True)
        self.workspace.mkdir()
        shutil.copyfile(RUNNER, self.home / "job.sh")
        self.exits: queue.Queue[tuple[str, str, int]] = queue.Queue()
        self.local = Local(self.home, "here", lambda *words: self.exits.put(words))
        self.pids: list[str] = []

    def job(self, attempt: str = "3.1") -> Job:
        script, out, err = (str(self.workspace / f"a.{kind}") for kind in ("sh", "out", "err"))
        return Job("1-1", "name", (AttemptFiles(attempt, str(self.workspace), script, out, err),))

    def start(self, script: str, *, shebang: str = "#!/bin/sh", attempt: str = "3.1") -> str:
        (self.workspace / "a.sh").write_text(f"{shebang}\n{script}\n")
        answer = self.local.submit(self.job(attempt))
        assert isinstance(answer, Accepted)
        assert answer.node == "here"
        self.pids.append(answer.job)
        return answer.job

    def exit(self) -> tuple[str, str, int]:
        return self.exits.get(timeout=30)

    def output(self) -> str:
        return (self.workspace / "a.out").read_text()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    here = Here(tmp_path)
    yield here
    for pid in here.pids:
        here.local.kill(JobIdentity(pid, "3.1"))


def test_step_runs_in_its_workspace_and_its_end_is_reported(here: Here) -> None:
    pid = here.start("pwd; echo sad >&2; exit 3")
    assert here.exit() == ("3.1", pid, 3)
    assert here.output() == f"{here.workspace}\n"
    assert (here.workspace / "a.err").read_text() == "sad\n"
    assert [path.name for path in (here.home / "spool" / "new").iterdir()] == [f"3.1.exit.{pid}"]


def test_output_is_there_while_the_step_runs(here: Here) -> None:
    here.start("echo begun; while [ ! -e go ]; do sleep 0.02; done")
    wait_until(lambda: here.output() == "begun\n", 10, "the output of a running step")
    (here.workspace / "go").touch()
    assert here.exit()[2] == 0


def test_words_of_the_shebang_start_the_script(here: Here) -> None:
    here.start("false\necho not reached", shebang="#!/bin/sh -e")
    assert (here.exit()[2], here.output()) == (1, "")
    here.start('import sys\nprint("python", len(sys.argv))', shebang="#! /usr/bin/env python3", attempt="3.2")
    assert (here.exit()[2], here.output()) == (0, "python 1\n")


def test_output_of_a_duplicate_does_not_replace_that_of_the_owner(here: Here) -> None:
    here.start("echo first")
    assert here.exit()[2] == 0
    here.start("echo second")
    assert here.exit()[2] == 75
    assert here.output() == "first\n"


def test_step_has_a_separate_session(here: Here) -> None:
    pid = here.start("while [ ! -e go ]; do sleep 0.02; done")
    assert os.getsid(int(pid)) == int(pid) != os.getsid(0)
    (here.workspace / "go").touch()
    here.exit()


def test_step_is_terminated_with_all_its_processes(here: Here) -> None:
    pid = here.start("trap 'echo saved; exit 5' TERM; echo on; sleep 300 & wait")
    wait_until(lambda: here.output() == "on\n", 10, "the step runs")
    assert here.local.cancel([JobIdentity(pid, "3.1")]) == ""
    assert here.exit() == ("3.1", pid, 5)
    assert here.output() == "on\nsaved\n"


def test_step_that_does_not_listen_is_killed(here: Here) -> None:
    pid = here.start("trap '' TERM; echo on; while :; do sleep 0.05; done")
    wait_until(lambda: here.output() == "on\n", 10, "the step runs")
    here.local.cancel([JobIdentity(pid, "3.1")])
    here.local.kill(JobIdentity(pid, "3.1"))
    assert here.exit() == ("3.1", pid, 128 + signal.SIGKILL)


def test_strangers_with_the_number_of_a_step_are_left_alone(here: Here) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        pids = (str(stranger.pid), "999999999", "")
        assert here.local.cancel([JobIdentity(pid, "3.1") for pid in pids]) == ""
        here.local.kill(JobIdentity(str(stranger.pid), "3.1"))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_process_that_runs_another_step_of_the_study_is_left_alone(here: Here) -> None:
    pid = here.start("echo on; while [ ! -e go ]; do sleep 0.02; done")
    wait_until(lambda: here.output() == "on\n", 10, "the step runs")
    assert here.local.cancel([JobIdentity(pid, "3.2"), JobIdentity(pid, "4.1")]) == ""
    here.local.kill(JobIdentity(pid, "4.1"))
    (here.workspace / "go").touch()
    assert here.exit() == ("3.1", pid, 0)


def test_another_driver_knows_the_step_by_its_process(here: Here) -> None:
    pid = here.start("while [ ! -e go ]; do sleep 0.02; done")
    wait_until((here.home / "claims" / "3.1").exists, 10, "the runner runs")
    other = Local(here.home, "here", lambda *_: None)
    assert other.is_running("3.1", pid)
    assert not other.is_running("3.2", pid)
    assert not other.is_running("3.1", str(os.getpid()))
    assert not Local(here.home.parent, "here", lambda *_: None).is_running("3.1", pid)
    (here.workspace / "go").touch()
    here.exit()
    assert not other.is_running("3.1", pid)


@pytest.mark.parametrize("missing", ["a.sh", ""], ids=["script", "workspace"])
def test_step_whose_files_are_gone_is_put_off_with_the_reason(here: Here, missing: str) -> None:
    if not missing:
        here.workspace.rmdir()
    answer = here.local.submit(here.job())
    assert isinstance(answer, Deferred)  # they are prepared again before the next try
    assert "No such file or directory" in answer.message
    assert str(here.workspace) in answer.message


def test_step_for_which_the_machine_has_no_room_is_put_off(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    (here.workspace / "a.sh").write_text("#!/bin/sh\n")

    def no_process(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", no_process)
    answer = here.local.submit(here.job())
    assert answer == Deferred("cannot be started here: Resource temporarily unavailable")


def test_script_may_hold_bytes_that_are_no_text(here: Here) -> None:
    (here.workspace / "a.sh").write_bytes(b"#!/bin/sh\nprintf '\xff'\n# \xe9\n")
    assert isinstance(here.local.submit(here.job()), Accepted)
    assert here.exit()[2] == 0
    assert (here.workspace / "a.out").read_bytes() == b"\xff"
