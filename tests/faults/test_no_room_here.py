"""A machine that has no room for another process now: local steps wait, nothing fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mtui.core.store.journal_follower import JournalFollower
from mtui.core.store.study_directory import open_study
from tests import mtui

# The first three processes cannot be made, as where a user's processes on a login node are limited.
CODE = """
import errno, subprocess, sys
from mtui.core.backends import local
from mtui.core.driver import submit
submit._LOCAL_PAUSE = 0.2
calls, real = [], subprocess.Popen

def popen(*words, **options):
    calls.append(words)
    if len(calls) <= 3:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    return real(*words, **options)

local.subprocess.Popen = popen
from mtui.tui.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_local_steps_wait_until_there_is_room(tmp_path: Path) -> None:
    spec = mtui.write_study(
        tmp_path / "s.yaml",
        "- {name: a, description: d, run: {cmd: echo $(I)}}\n"
        "- {name: b, description: d, run: {cmd: echo all, depends: [a_*]}}",
        parameters="  I: {values: [1, 2], label: I.%%}",
    )
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", CODE, "--no-ui", "-o", str(out), str(spec)],
        text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(mtui.statuses(out).values()) == {"finished"}
    reported = "no more local steps can be started for now, waiting: cannot be started here: Resource temporarily"
    assert done.stdout.count(reported) == 1
    events = [event.kind for event in JournalFollower(open_study(out).journal).new_events()]
    assert events.count("submit_deferred") == 3
    assert events.count("submit_refused") == 0
