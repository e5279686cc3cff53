"""A study on the fake Slurm."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests import mtui
from tests.faults.fake_slurm import FakeSlurm
from tests.waiting import wait_until

BATCH = "{type: slurm, host: h, bank: b, queue: q}"


class Study:
    """A study on the fake cluster, its driver, and the traces that its payloads leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slurm = FakeSlurm(folder / "slurm")
        self.out = folder / "out"
        self.drivers: list[mtui.Driver] = []

    def start(self, steps: dict[str, str], *options: str) -> mtui.Driver:
        """Drive a study of these steps; NAME after a "<" in the name of a step is what it waits for.

        Each payload leaves its name in the trace when it begins. `$GO` in a command waits until `go` is called.
        """
        lines: list[str] = []
        for written, command in steps.items():
            name, _, parent = written.partition("<")
            command = command.replace("$GO", f"while [ ! -e {self.folder}/go.{name} ]; do sleep 0.05; done")
            needs = f", depends: [{parent}]" if parent else ""
            cmd = f"echo {name} >> {self.folder}/trace; {command}"
            lines.append(f"- {{name: {name}, description: d, run: {{procs: 1, cmd: '{cmd}'{needs}}}}}")
        spec = mtui.write_study(self.folder / "study.yaml", "\n".join(lines), batch=BATCH)
        return self.drive("-o", self.out, *options, spec)

    def drive(self, *words: str | Path) -> mtui.Driver:
        driver = mtui.Driver("-s", "1", *words, log=self.folder / f"log{len(self.drivers)}", env=self.slurm.env)
        self.drivers.append(driver)
        return driver

    def go(self, *names: str) -> None:
        for name in names:
            (self.folder / f"go.{name}").touch()

    def ran(self) -> Counter[str]:
        """How often each payload began, by the trace."""
        trace = self.folder / "trace"
        return Counter(trace.read_text().split()) if trace.exists() else Counter()

    def until_runs(self, *names: str) -> None:
        wait_until(lambda: set(names) <= set(self.ran()), 30, f"the payloads of {names} run: {self.slurm.jobs()}")

    def until_asked(self, driver: mtui.Driver) -> None:
        """Wait until the driver has polled Slurm again and applied the answer, or has ended."""
        before = self.slurm.calls("squeue")

        def asked() -> bool:
            return self.slurm.calls("squeue") >= before + 2 or driver.process.poll() is not None

        wait_until(asked, 30, "Slurm is asked")

    def close(self) -> None:
        """End what is left of drivers and jobs."""
        for driver in self.drivers:
            driver.kill()
        self.slurm.stop()

    def until_shown(self, driver: mtui.Driver, state: str) -> None:
        driver.wait_for("observed", status=state, seconds=30)
