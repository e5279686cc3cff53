"""Where a person sits: a folder for studies, as many terminals as wanted, and a look at who drives what."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mtui.core.store.lease import LeaseState, Liveness
from mtui.core.store.lease_owner import Owner, read_current_owner
from mtui.core.store.study_directory import StudyDirectory
from tests import mtui
from tests.terminal.screen import SECONDS, Terminal, environment
from tests.waiting import wait_until


class Desk:
    """The folder of one test. Payloads append to `trace` and wait for `go`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        self.trace = folder / "trace"
        self.go = folder / "go"
        self._terminals: list[Terminal] = []

    def env(self, base: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
        return environment(self.folder / "home", base, **more)

    def terminal(
        self,
        *words: str | Path,
        size: tuple[int, int] = (100, 30),
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> Terminal:
        """`mtui WORDS` in a new terminal."""
        terminal = Terminal(*words, env=self.env() if env is None else env, size=size, prefix=prefix)
        self._terminals.append(terminal)
        return terminal

    def study(self, cmd: str, rows: str = "") -> Path:
        """A spec with one local step `a` that runs these lines, once for each of the rows if there are any."""
        if rows:
            cmd += "\n: $(I)"
        lines = "\n".join(f"      {line}" for line in cmd.splitlines())
        steps = f"- name: a\n  description: d\n  run:\n    cmd: |\n{lines}"
        parameters = f"  I: {{values: [{rows}], label: I.%%}}" if rows else ""
        return mtui.write_study(self.folder / "study.yaml", steps, parameters=parameters, name="leaving")

    @property
    def waits(self) -> str:
        """Lines of a payload that notes its start and waits for `go`."""
        return f"echo run >> {self.trace}\nwhile [ ! -e {self.go} ]; do sleep 0.05; done"

    def runs(self) -> list[str]:
        """What the payloads noted."""
        return self.trace.read_text().splitlines() if self.trace.exists() else []

    # --- the study

    def driver(self) -> Owner | None:
        """The process that drives now."""
        folder = StudyDirectory(self.out).owner
        owner = read_current_owner(folder) if folder.is_dir() else None
        return owner if owner and Liveness(folder, owner).judge() is LeaseState.ALIVE else None

    def wait_for_driver(self, *, other_than: int, seconds: float = SECONDS) -> int:
        """Wait until a process other than this one drives; its number."""

        def found() -> int:
            owner = self.driver()
            return owner.pid if owner and owner.pid != other_than else 0

        return wait_until(found, seconds, f"a driver other than process {other_than}")

    def status(self) -> dict[str, Any]:
        return mtui.status(self.out)

    def wait_for_result(self, result: str, seconds: float = SECONDS) -> None:
        """Wait until the study has ended and the journal shows how."""
        wait_until(lambda: self.status()["result"] == result, seconds, f"a study that is {result}")

    def clear(self) -> None:
        """End whatever still runs."""
        self.go.touch()
        for terminal in self._terminals:
            terminal.kill()
        owner = self.driver()
        if owner and owner.pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(owner.pid, signal.SIGKILL)
