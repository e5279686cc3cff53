"""What the user's environment does to mtui and to local steps."""

from __future__ import annotations

import os
from pathlib import Path

from tests import mtui

STEP = "- name: a\n  description: d\n  run:\n    cmd: |\n"


def test_exported_functions_reach_local_steps(tmp_path: Path) -> None:
    spec = mtui.write_study(tmp_path / "s.yaml", f"{STEP}      module x\n      env | grep -i mtui_dropped || true\n")
    env = {**os.environ, "BASH_FUNC_module%%": "() {  echo loaded $1\n}"}
    done = mtui.run("--no-ui", "-o", tmp_path / "out", spec, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out/a/a.out").read_text() == "loaded x\n"
