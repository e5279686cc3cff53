"""Once in a real tmux: the app there, its server killed, the study continues, and the app comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from mtui.core.store.lease_owner import process_start
from tests.mtui import COMMAND
from tests.terminal.desk import Desk
from tests.terminal.screen import SECONDS
from tests.waiting import wait_until


class Tmux:
    """A separate server, with one window of 80x24."""

    def __init__(self, socket: Path, env: Mapping[str, str]) -> None:
        self._socket = socket
        self._env = dict(env)

    def run(self, *words: str | Path) -> str:
        command = ["tmux", "-S", self._socket, "-f", os.devnull, *words]
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=SECONDS, check=True)
        return done.stdout

    def start(self, *words: str | Path) -> None:
        """`mtui WORDS` in a new server."""
        self.run("new-session", "-d", "-s", "mtui", "-x", "80", "-y", "24", *COMMAND, *words)
        self.run("set-option", "-g", "remain-on-exit", "on")

    def text(self) -> str:
        return self.run("capture-pane", "-p", "-t", "mtui")

    def wait_for(self, words: str) -> None:
        """Wait until these words are on the screen."""
        try:
            wait_until(lambda: words in self.text(), SECONDS, f"{words!r} on the screen")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.text()}") from None

    def keys(self, *names: str) -> None:
        self.run("send-keys", "-t", "mtui", *names)

    def kill(self) -> None:
        """End the server, and all that runs in it gets SIGHUP."""
        with suppress(subprocess.CalledProcessError):
            self.run("kill-server")


@pytest.fixture
def tmux(desk: Desk) -> Iterator[Tmux]:
    if not shutil.which("tmux"):
        refuse = pytest.fail if os.environ.get("MTUI_REQUIRE_SLURM") else pytest.skip
        refuse("tmux is not installed")
    tmux = Tmux(desk.folder / "tmux", desk.env())
    yield tmux
    tmux.kill()


def test_study_outlives_the_tmux_that_it_was_started_in(desk: Desk, tmux: Tmux) -> None:
    tmux.start("-o", desk.out, desk.study(desk.waits, rows="1, 2, 3"), "--local-jobs", "2")
    tmux.wait_for("driven here")
    tmux.wait_for("running 2")
    tmux.keys("Enter")
    tmux.wait_for("Dependents")
    tmux.keys("q")
    tmux.wait_for("running 2")
    tmux.keys("G")
    tmux.wait_for("a_I.3  ready")
    tmux.keys("c")
    tmux.wait_for("Cancel 1 instance?")
    tmux.keys("y")
    tmux.wait_for("cancel a_I.3: done")
    owner = desk.driver()
    assert owner
    tmux.kill()
    wait_until(lambda: not process_start(owner.pid), SECONDS, "the end of the app")
    driver = desk.wait_for_driver(other_than=owner.pid)

    tmux.start(desk.out)
    tmux.wait_for(f"driven by process {driver}")
    tmux.wait_for("running 2")
    desk.go.touch()
    tmux.wait_for("study cancelled")
    tmux.wait_for("done 2")
    tmux.keys("q")
    tmux.wait_for("Study cancelled.")
    wait_until(lambda: tmux.run("list-panes", "-F", "#{pane_dead}") == "1\n", SECONDS, "the end of the app")
    assert desk.runs() == ["run"] * 2
