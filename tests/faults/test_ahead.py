"""Children are handed to Slurm behind their parents' jobs, also by a driver that has much else to do."""

from __future__ import annotations

import threading
from pathlib import Path

from mtui.core.store import inbox
from mtui.core.store.study_directory import open_study
from tests import mtui
from tests.faults.fake_slurm import FakeSlurm

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
