"""Runs the `mtui` command as a user does: a separate process, judged by output, exit code and files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

COMMAND = (sys.executable, "-m", "mtui.tui")


def run(
    *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run `mtui WORDS` to its end. What it prints may hold a path that is not UTF-8."""
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )


class Driver:
    """A headless driver in the background, with its events as records."""

    def __init__(self, *words: str | Path, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*COMMAND, "--no-ui", "--json", *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=env,
                start_new_session=True,
            )

    def events(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait_for(self, kind: str, seconds: float = 60, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """Wait until at least `count` events of that kind with those fields were printed."""

        def found() -> list[dict[str, Any]]:
            hits = [
                event
                for event in self.events()
                if event["type"] == kind and all(event.get(key) == value for key, value in fields.items())
            ]
            return hits if len(hits) >= count else []

        return wait_until(found, seconds, f"{count} x {kind} {fields} in\n{self.log.read_text()[-3000:]}")

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """kill -9: nothing is said, nothing is put away."""
        self.process.kill()
        self.process.wait()


def copied(study: Path, to: Path) -> Path:
    """A copy of a study, as if it had been made there: mtui drives no other."""
    shutil.copytree(study, to, symlinks=True)
    file = to / ".mtui" / "study.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "out": str(to)}))
    return to


def status(directory: Path) -> dict[str, Any]:
    """What `mtui status --json` says."""
    done = run("status", "--json", directory)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def statuses(directory: Path) -> dict[str, str]:
    """The status of every instance by name."""
    return {item["name"]: item["status"] for item in status(directory)["instances"]}


def instance(directory: Path, name: str) -> dict[str, Any]:
    return next(item for item in status(directory)["instances"] if item["name"] == name)


def write_study(
    path: Path, steps: str, *, batch: str = "", parameters: str = "", env: str = "", name: str = "t"
) -> Path:
    """A spec file of the given steps (YAML list items, indented by nothing)."""
    parts = [f"description: {{name: {name}, description: d}}"]
    if env:
        parts.append(f"env:\n{env}")
    if batch:
        parts.append(f"batch: {batch}")
    parts.append(f"study:\n{steps}")
    if parameters:
        parts.append(f"global.parameters:\n{parameters}")
    path.write_text("\n".join(parts) + "\n")
    return path
