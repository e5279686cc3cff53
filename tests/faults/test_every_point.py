"""Kill a real driver at every named fault point, let another continue, and count what the payloads did themselves."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mtui.core.driver.crash_points import POINTS
from mtui.core.engine.status import Status
from mtui.core.store import inbox
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_reader import read_study
from tests import mtui
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

STUDY = """\
description: {{name: points, description: local steps, arrays, jobs bound to them; some are cancelled}}
batch: {{type: slurm, host: h, bank: m1234, queue: shared, qos: regular}}
study:
- name: here
  description: d
  run: {{cmd: "echo here_$(I) >> {trace}"}}
- name: job
  description: d
  run: {{cmd: "echo job_$(I) >> {trace}", procs: 1, walltime: "00:05:00", depends: [here]}}
- name: then
  description: d
  run: {{cmd: "echo then_$(I) >> {trace}", procs: 1, walltime: "00:05:00", depends: [job]}}
- name: last
  description: d
  run: {{cmd: "echo last >> {trace}", procs: 1, walltime: "00:05:00", depends: ["then_*"]}}
- name: hangs_on_it
  description: d
  run: {{cmd: "echo hangs_on_it >> {trace}", procs: 1, walltime: "00:05:00", depends: [victim]}}
- name: victim
  description: d
  run: {{cmd: "echo victim >> {trace}\\nwhile true; do sleep 0.2; done", procs: 1, walltime: "00:05:00"}}
- name: local_victim
  description: d
  run: {{cmd: "echo local_victim >> {trace}\\nwhile true; do sleep 0.2; done"}}
- name: all
  description: d
  run: {{cmd: "echo all >> {trace}", depends: ["job_*"]}}
- name: flaky
  description: d
  run:
    cmd: |
      [ -e {folder}/flaky ] || {{ touch {folder}/flaky; exit 9; }}
      echo flaky >> {trace}
mtui:
  retry: {{9: 1}}
  on_end: echo "ended $MTUI_RESULT" >> {folder}/ended
global.parameters:
  I: {{values: [1, 2], label: "I.%%"}}
"""
# The allocation is ended by one of its instances, once, while others have not begun.
PACKED = """\
description: {{name: packed, description: instances in an allocation that goes and comes back}}
batch: {{type: slurm, host: h, bank: m1234, queue: shared, qos: regular}}
mtui: {{pack: {{cores: 1, idle: "00:00:20", walltime: "00:10:00"}}}}
study:
- name: once
  description: d
  run:
    procs: 1
    walltime: "00:05:00"
    cmd: |
      [ -e {folder}/once ] || {{ touch {folder}/once; scancel $SLURM_JOB_ID; while true; do sleep 0.2; done; }}
      echo once >> {trace}
- name: job
  description: d
  run: {{cmd: "echo job_$(I) >> {trace}", procs: 1, walltime: "00:05:00"}}
- name: then
  description: d
  run: {{cmd: "echo then_$(I) >> {trace}", procs: 1, walltime: "00:05:00", depends: [job]}}
- name: last
  description: d
  run: {{cmd: "echo last >> {trace}", procs: 1, walltime: "00:05:00", depends: ["then_*"]}}
global.parameters:
  I: {{values: [1, 2], label: "I.%%"}}
"""
PACKED_ONCE = {"once", "job_1", "job_2", "then_1", "then_2", "last"}
OF_ALLOCATIONS = ("allocate.", "give.", "return.")
VICTIMS = ("victim", "local_victim")
ENDS = {"victim": "cancelled", "local_victim": "cancelled", "hangs_on_it": "blocked"}
ONCE = {"here_1", "here_2", "job_1", "job_2", "then_1", "then_2", "last", "all", "flaky"}


def _drive(text: str, folder: Path, *options: str, env: dict[str, str]) -> mtui.Driver:
    """A driver that starts a study in a new folder; its payloads write into `trace`."""
    folder.mkdir()
    (folder / "trace").touch()
    spec = folder / "study.yaml"
    spec.write_text(text.format(trace=folder / "trace", folder=folder))
    return mtui.Driver("-o", folder / "out", *options, spec, log=folder / "first", env=env)


def _killed_at(point: str, folder: Path, env: dict[str, str]) -> str:
    """Run the study with a driver that dies at a point, then with others; what went wrong, empty if nothing."""
    trace, out = folder / "trace", folder / "out"
    first = _drive(STUDY, folder, "--local-jobs", "3", env={**env, "MTUI_FAULT": point})

    def victims_run() -> bool:
        if first.process.poll() is not None:
            return True
        return set(VICTIMS) <= set(trace.read_text().split()) and _is_bound(out, "hangs_on_it")

    wait_until(victims_run, 90, f"{point}: the victims run with one bound to them, or the driver is dead")
    inbox.send_command(StudyDirectory(out).inbox, "cancel", VICTIMS, {})
    if first.wait(90) != -9:
        return f"{point}: the driver was not killed there, it ended with {first.process.returncode}"
    second = mtui.run("--no-ui", out, env=env, timeout=180)
    if second.returncode != 3:
        return f"{point}: the second driver ended with {second.returncode}: {second.stdout[-2000:]}{second.stderr}"
    ran = Counter(trace.read_text().split())
    if {name for name in ran if name not in VICTIMS} != ONCE or max(ran.values()) > 1:
        return f"{point}: payloads ran {dict(ran)}"
    hooks = folder / "ended"
    reported = hooks.read_text().splitlines() if hooks.exists() else []
    if reported != ([] if point == "hook.journalled" else ["ended cancelled"]):
        return f"{point}: the command for the end ran {reported}"
    return _wrong(point, out, ENDS)


def _is_bound(out: Path, name: str) -> bool:
    _, state = read_study(StudyDirectory(out))
    names = [instance.name for instance in state.plan.instances]
    return state.status[names.index(name)] is Status.BOUND


def _wrong(point: str, out: Path, ends: dict[str, str]) -> str:
    wrong = {name: status for name, status in mtui.statuses(out).items() if status != ends.get(name, "finished")}
    return f"{point}: {wrong}" if wrong else ""


def _killed_while_packing(point: str, folder: Path, env: dict[str, str]) -> str:
    """The same with instances that share an allocation."""
    trace, out = folder / "trace", folder / "out"
    first = _drive(PACKED, folder, env={**env, "MTUI_FAULT": point})
    if first.wait(120) != -9:
        return f"{point}: the driver was not killed there, it ended with {first.process.returncode}"
    second = mtui.run("--no-ui", out, env=env, timeout=240)
    if second.returncode != 0:
        return f"{point}: the second driver ended with {second.returncode}: {second.stdout[-2000:]}{second.stderr}"
    ran = Counter(trace.read_text().split())
    if ran.keys() != PACKED_ONCE or max(ran.values()) > 1:
        return f"{point}: payloads ran {dict(ran)}"
    return _wrong(point, out, {})


def test_killed_at_every_point_nothing_is_lost_and_nothing_runs_twice(slurm: Cluster, tmp_path: Path) -> None:
    def killed_at(point: str) -> str:
        killed = _killed_while_packing if point.startswith(OF_ALLOCATIONS) else _killed_at
        return killed(point, tmp_path / point, slurm.env)

    with ThreadPoolExecutor(min(4, (os.cpu_count() or 1) + 2)) as pool:
        found = list(pool.map(killed_at, POINTS))
    print(f"killed a driver at each of {len(POINTS)} points")
    assert [problem for problem in found if problem] == []
