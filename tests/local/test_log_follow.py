"""`mtui log -f` while an instance is retried: it prints the output of each attempt, whole and once."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests import mtui
from tests.waiting import wait_until

RETRIES = 3


def test_output_of_every_attempt_is_printed(tmp_path: Path) -> None:
    """Each attempt writes more than the one before, and the attempts in the middle end at once."""
    cmd = f"""\
- name: a
  description: d
  run:
    cmd: |
      n=$(cat {tmp_path}/count 2>/dev/null || echo 0)
      echo $((n + 1)) > {tmp_path}/count
      for i in $(seq $((10 * n + 10))); do echo "attempt $n line $i"; done
      if [ $n = 0 ]; then while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo "attempt 0 end"; fi
      [ $n = {RETRIES} ]
"""
    spec = mtui.write_study(tmp_path / "study.yaml", cmd)
    spec.write_text(f"mtui: {{retry: {RETRIES}}}\n" + spec.read_text())
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log")
    seen = tmp_path / "seen"
    try:
        wait_until((tmp_path / "count").exists, 30, "the first attempt")
        with seen.open("wb") as file:
            follower = subprocess.Popen([*mtui.COMMAND, "log", "-f", str(tmp_path / "out"), "a"], stdout=file)
        wait_until(lambda: "attempt 0 line 10" in seen.read_text(), 30, "the output of the first attempt")
        (tmp_path / "go").touch()
        assert driver.wait() == 0
        assert follower.wait(30) == 0
    finally:
        driver.kill()
    wanted = [f"attempt {n} line {i}" for n in range(RETRIES + 1) for i in range(1, 10 * n + 11)]
    wanted.insert(10, "attempt 0 end")
    assert seen.read_text().splitlines() == wanted


def test_follower_of_a_quiet_log_ends_with_its_reader(tmp_path: Path) -> None:
    """As in `mtui log -f DIR INSTANCE | head -1`, while the step writes nothing more."""
    cmd = f"echo first; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    spec = mtui.write_study(tmp_path / "study.yaml", f"- {{name: a, description: d, run: {{cmd: '{cmd}'}}}}")
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log")
    try:
        wait_until((tmp_path / "out" / "a" / "a.out").exists, 30, "the output")
        follower = subprocess.Popen(
            [*mtui.COMMAND, "log", "-f", str(tmp_path / "out"), "a"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert follower.stdout and follower.stderr
        with follower.stdout, follower.stderr:
            assert follower.stdout.readline() == b"first\n"
            follower.stdout.close()
            try:
                assert follower.wait(30) == 0
            finally:
                follower.kill()
            assert follower.stderr.read() == b""
    finally:
        (tmp_path / "go").touch()
        driver.kill()
