"""What a worker leaves when it ends: nothing, whatever the processes of its attempts did to get away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]

WORKER = """\
import subprocess, sys
from pathlib import Path
from mtui.core.packing.orphans import AdoptedProcesses
from tests.waiting import wait_until
adopted = AdoptedProcesses()
subprocess.run(["sh", "script"], check=True)
wait_until(lambda: len(list(Path().glob("*.pid"))) == 2, 20, "both processes run")
adopted.kill_all()
"""
SCRIPT = """\
env -i setsid sh -c 'trap "" TERM; env -i setsid sh -c ": > $$.pid; exec sleep 600" & : > $$.pid; sleep 600; :' &
"""


def test_worker_that_ends_leaves_no_process_that_left_its_session_and_cleared_its_environment(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(SCRIPT.replace('": > $$', r'": > \$\$'))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", WORKER], cwd=tmp_path, env=environment, check=True, timeout=60)
    pids = [path.stem for path in tmp_path.glob("*.pid")]
    assert len(pids) == 2
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
