"""Children are submitted ahead, bound to their parents' jobs, also by a driver that is busy or ends."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from mtui.core.store import inbox
from mtui.core.store.study_directory import open_study
from tests import mtui
from tests.faults.fake_slurm import FakeSlurm, Job
from tests.waiting import wait_until

LENGTH = 8


def test_children_are_bound_while_something_happens_all_the_time(tmp_path: Path) -> None:
    fake = FakeSlurm(tmp_path / "slurm")
    wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    steps = [f"- {{name: c0, description: d, run: {{procs: 1, cmd: '{wait}'}}}}"]
    steps += [
        f"- {{name: c{number}, description: d, run: {{procs: 1, cmd: 'true', depends: [c{number - 1}]}}}}"
        for number in range(1, LENGTH)
    ]
    steps.append(f"- {{name: other, description: d, run: {{cmd: 'true', depends: [c{LENGTH - 1}]}}}}")
    batch = "{type: slurm, host: h, bank: b, queue: q}"
    spec = mtui.write_study(tmp_path / "study.yaml", "\n".join(steps), batch=batch)
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, "--throttle", "2", spec, log=tmp_path / "log", env=fake.env)
    enough = threading.Event()

    def keep_it_busy() -> None:
        verbs = ["hold", "release"]
        while not enough.wait(0.1):
            inbox.send_command(open_study(out).inbox, verbs[0], ("other",), {})
            verbs.reverse()

    busy = threading.Thread(target=keep_it_busy)
    try:
        driver.wait_for("submit_intended", count=2)
        busy.start()
        driver.wait_for("held", count=5)  # there was no room for the third one in all that time
        inbox.send_command(open_study(out).inbox, "update", (), {"throttle": 0})
        driver.wait_for("submit_intended", count=LENGTH)
    finally:
        enough.set()
        if busy.is_alive():
            busy.join()
        driver.kill()
        fake.stop()
        (tmp_path / "go").touch()


def slurm_study(folder: Path, steps: str, block: str) -> tuple[FakeSlurm, Path]:
    """A cluster, and a study on it of two rows whose first step waits for a file `go`."""
    sim = f"while [ ! -e {folder}/go ]; do sleep 0.05; done; echo $(X) > x; [ $(X) != 2 ]"
    spec = mtui.write_study(
        folder / "study.yaml",
        f"- {{name: sim, description: d, run: {{procs: 1, cmd: '{sim}'}}}}\n{steps}",
        batch="{type: slurm, host: h, bank: b, queue: q}",
        parameters=f"  X: {{values: [1, 3], label: X.%%}}{block}",
    )
    return FakeSlurm(folder / "slurm"), spec


def wait_for_end(fake: FakeSlurm, stem: str) -> Job:
    """Wait until Slurm has run an instance to its end, with no help of a driver."""

    def ended() -> list[Job]:
        subprocess.run(["squeue"], env=fake.env, stdout=subprocess.DEVNULL, check=True)
        return [job for job in fake.jobs_of(stem) if job.get("verdict")]

    return wait_until(ended, 30, f"{stem} has run")[0]


def test_step_that_runs_even_if_its_parents_fail_begins_without_a_driver(tmp_path: Path) -> None:
    steps = "- {name: end, description: d, run: {procs: 1, cmd: 'cat $(sim.workspace)/*/x > all'}}"
    fake, spec = slurm_study(tmp_path, steps, "\nmtui: {steps: {end: {after: ['sim_*']}}}")
    spec.write_text(spec.read_text().replace("[1, 3]", "[1, 2]"))
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=fake.env)
    try:
        driver.wait_for("submitted", count=2)
        driver.kill()
        (tmp_path / "go").touch()
        wait_for_end(fake, "end")
        assert (out / "end" / "all").read_text().split() == ["1", "2"]
        mtui.run("--no-ui", "-q", out, env=fake.env)
    finally:
        driver.kill()
        fake.stop()
    assert mtui.statuses(out) == {"sim_X.1": "finished", "sim_X.2": "failed", "end": "finished"}


def test_funnels_that_ran_without_added_rows_run_again(tmp_path: Path) -> None:
    steps = """\
- {name: sum, description: d, run: {procs: 1, cmd: 'cat $(sim.workspace)/*/x > all', depends: [sim_*]}}
- {name: plot, description: d, run: {procs: 1, cmd: 'cp $(sum.workspace)/all all', depends: [sum]}}"""
    fake, spec = slurm_study(tmp_path, steps, "")
    out = tmp_path / "out"
    driver = mtui.Driver("-o", out, spec, log=tmp_path / "log", env=fake.env)
    try:
        driver.wait_for("submitted", count=3)
        driver.kill()
        extended = mtui.run("extend", out, "--params", "X=1,3,4,5")
        assert "Submitted or running without the new rows: sum, plot. They are withdrawn, or" in extended.stdout
        (tmp_path / "go").touch()
        wait_for_end(fake, "plot")
        assert "To run again, with the rows that were added: sum, plot." in mtui.run("status", out).stdout
        why = mtui.run("why", out, "sum").stdout
        assert "Rows were added that its attempt does not include" in why
        assert "No driver is running, so nothing is repeated." in why
        assert mtui.run("--no-ui", "-q", out, env=fake.env).returncode == 0
    finally:
        driver.kill()
        fake.stop()
    assert (out / "plot" / "all").read_text().split() == ["1", "3", "4", "5"]
    assert "To run again" not in mtui.run("status", out).stdout
