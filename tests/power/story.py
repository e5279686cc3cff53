"""One study on a machine whose power is cut several times, and what must hold after any cut.

- Each take-over after a cut succeeds, unless the study had not been created completely; then it reports that, and
  nothing of it had run.
- A step that the journal on the disk shows as finished never runs again. One whose end was lost may run again, since
  what it wrote may be lost with it; but only once in each life of the machine: a driver starts each attempt once.
- In the end every instance is finished, and what is finished did run to its end: no incomplete script counts.
- A command that was accepted before a cut is carried out after it.

The payloads write their trace on another machine, so no cut removes it.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mtui.core.doctor.finding import Level
from mtui.core.doctor.study_check import check_study
from mtui.core.engine.status import Status
from mtui.core.store import inbox
from mtui.core.store.study_directory import StudyDirectory
from mtui.core.store.study_reader import read_study
from tests.power.machine import Machine
from tests.waiting import wait_until

STUDY = """\
description: {{name: power, description: local steps and jobs on a machine whose power fails}}
batch: {{type: slurm, host: h, bank: b, queue: q}}
study:
- name: here
  description: a local step
  run: {{cmd: "{begin} here_$(I)\\nsleep 0.$(I)\\n{end} here_$(I)"}}
- name: job
  description: a job
  run: {{cmd: "{begin} job_$(I)\\nsleep 0.$(I)\\n{end} job_$(I)", procs: 1, walltime: "00:05:00", depends: [here]}}
- name: then
  description: a job that is bound to others
  run: {{cmd: "{begin} then_$(I)\\nsleep 0.1\\n{end} then_$(I)", procs: 1, walltime: "00:05:00", depends: [job]}}
- name: all
  description: a local step after all
  run: {{cmd: "{begin} all\\n{end} all", depends: ["then_*"]}}
global.parameters:
  I: {{values: [1, 4, 7], label: "I.%%"}}
"""
NAMES = {f"{name}_{number}" for name in ("here", "job", "then") for number in (1, 4, 7)} | {"all"}
_LIFE = 4.0  # seconds after which a machine's power is cut at the latest
_INTERVAL = 0.001  # seconds; a longer one would round the moments of the cuts
_TRIES = 12  # retries in the end, of what was lost with the machine


@dataclass
class Tally:
    """What happened in a story."""

    cuts: int = 0
    moments: Counter[str] = field(default_factory=Counter[str])
    not_created: int = 0  # cuts during the creation, which mtui then reports
    finished_before: int = 0  # cuts after the end of the study
    torn: int = 0  # files in .mtui and scripts that a cut left empty
    lost_ends: int = 0  # runs whose end was lost in a cut
    again: int = 0  # runs that began more than once, in different lives

    def add(self, other: Tally) -> None:
        self.cuts += other.cuts
        self.moments += other.moments
        self.not_created += other.not_created
        self.finished_before += other.finished_before
        self.torn += other.torn
        self.lost_ends += other.lost_ends
        self.again += other.again


class BrokenPromise(AssertionError):
    """A guarantee that does not hold."""


class Story:
    """A study, from its start to its end across power cuts."""

    def __init__(self, machine: Machine, chance: random.Random) -> None:
        self._machine = machine
        self._chance = chance
        self._trace = machine.folder / "trace"
        self._trace.touch()
        self._spec = machine.folder / "study.yaml"
        self._spec.write_text(STUDY.format(begin=self._call("begin"), end=self._call("end")))
        self._log = machine.folder / "log"
        self._started = 0
        self._commands: list[str] = []
        self._over: set[str] = set()  # finished, by the journal on the disk at the last cut
        self.tally = Tally()

    def _call(self, word: str) -> str:
        program = self._machine.folder / word
        program.write_text(f'#!/bin/sh\necho "{word} $1" >>{self._trace}\n')
        program.chmod(0o755)
        return str(program)

    @property
    def directory(self) -> StudyDirectory:
        return StudyDirectory(self._machine.disk.mount / f"study{self._started}")

    def play(self, cuts: int) -> None:
        """Start the study, cut the power, resume it, and so on; then let it end. Raises BrokenPromise."""
        is_there = False
        for _ in range(cuts):
            if is_there:
                words = ["--no-ui", "-s", "1", str(self.directory.root)]
            else:
                self._started += 1
                words = ["--no-ui", "-y", "-s", "1", "-o", str(self.directory.root), str(self._spec)]
            driver = self._machine.start(*words, log=self._log)
            self._wait_for_a_moment(driver)
            self._machine.cut_power()
            driver.wait(20)
            self.tally.cuts += 1
            is_there = self._look_at_the_disk()
        if is_there:
            self._finish()

    # --- the moment

    def _wait_for_a_moment(self, driver: subprocess.Popen[bytes]) -> None:
        kind = self._chance.choice(("any time", "taking over", "early", "after a command"))
        self.tally.moments[kind] += 1
        owner = self.directory.owner
        before = _names(owner)

        def has_taken_over() -> bool:
            return driver.poll() is not None or bool(_names(owner) - before)

        if kind == "any time":  # independent of the driver: a random moment in time, no condition
            moment = time.monotonic() + self._chance.uniform(0, _LIFE)
            wait_until(lambda: time.monotonic() >= moment, _LIFE + 60, "the moment of the cut", interval=_INTERVAL)
            return
        wait_until(has_taken_over, 60, "the driver has taken over or ended", interval=_INTERVAL)
        if kind == "taking over":
            self._wait_for_writes(driver, self._chance.randint(0, 3))
        elif kind == "early":
            self._wait_for_writes(driver, self._chance.randint(0, 20))
        elif self.directory.study_file.exists():
            self._wait_for_writes(driver, self._chance.randint(0, 20))
            options = {"poll": self._chance.randint(1, 2)}
            self._commands.append(inbox.send_command(self.directory.inbox, "update", (), options))
            self._wait_for_writes(driver, self._chance.randint(0, 3))

    def _wait_for_writes(self, driver: subprocess.Popen[bytes], count: int) -> None:
        """Wait until so many more writes have reached the device, or the driver has ended; at most `_LIFE` seconds."""
        last = self._machine.disk.writes() + count

        def is_written() -> bool:
            return driver.poll() is not None or self._machine.disk.writes() >= last

        with suppress(TimeoutError):  # the driver writes no more, since it waits for Slurm
            wait_until(is_written, _LIFE, f"{count} writes", interval=_INTERVAL)

    # --- what the cut left

    def _look_at_the_disk(self) -> bool:
        """Check what is left, and return whether there is a study to resume."""
        directory = self.directory
        self.tally.torn += _torn_files(directory.root)
        if not directory.study_file.exists():
            return self._check_that_it_was_not_created()
        try:
            study, state = read_study(directory)
        except Exception as error:
            raise BrokenPromise(f"the study cannot be read after the cut: {error}") from error
        if state.is_over:
            self.tally.finished_before += 1
        over = {
            instance.stem.replace("_I.", "_")
            for instance in study.plan.instances
            if state.status[instance.index] is Status.FINISHED
        }
        if lost := self._over - over:
            raise BrokenPromise(f"the journal forgot the end of {lost}")
        self._over = over
        self._mark_life()
        return True

    def _check_that_it_was_not_created(self) -> bool:
        directory = self.directory
        if ran := [line for line in self._lines() if line.startswith("begin")]:
            raise BrokenPromise(f"there is no study, but it ran: {ran}")
        done = self._machine.run("status", directory.root)
        known = ("was not created completely, and no instance has run", "is not a study directory", "no such")
        if done.returncode != 2 or not any(words in done.stderr for words in known):
            raise BrokenPromise(f"status of an incomplete study: {done.returncode} {done.stdout}{done.stderr}")
        self.tally.not_created += 1
        return False

    # --- the end

    def _finish(self) -> None:
        done = self._drive()
        for _ in range(_TRIES):
            if done.returncode == 0:
                break
            self._mark_life()
            inbox.send_command(self.directory.inbox, "retry", ("failed",), {})
            done = self._drive()
        if done.returncode:
            raise BrokenPromise(f"not finished after {_TRIES} retries: {done.stdout[-1500:]}{done.stderr}")
        self._check_commands()
        self._check_trace()
        check = check_study(self.directory).group.findings
        if problems := [finding for finding in check if finding.level is Level.PROBLEM]:
            raise BrokenPromise(f"mtui doctor finds {problems}")

    def _drive(self) -> subprocess.CompletedProcess[str]:
        """Drive to the end of the study; a driver that cannot breaks the promise."""
        done = self._machine.run("--no-ui", "-s", "1", self.directory.root)
        if done.returncode not in (0, 2) or "hint:" in done.stderr:
            raise BrokenPromise(f"no driver can resume: {done.returncode} {done.stdout[-1500:]}{done.stderr}")
        return done

    def _check_commands(self) -> None:
        _, state = read_study(self.directory)
        missing = [command for command in self._commands if command not in state.commands]
        if missing:
            raise BrokenPromise(f"commands that were accepted are lost: {missing}")

    def _check_trace(self) -> None:
        lives: list[list[str]] = [[]]
        over: list[set[str]] = [set()]
        for line in self._lines():
            word, _, rest = line.partition(" ")
            if word == "life":
                lives.append([])
                over.append(set(rest.split()))
            else:
                lives[-1].append(line)
        begun: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        for life, finished in zip(lives, over, strict=True):
            here = Counter(line.split()[1] for line in life if line.startswith("begin"))
            ends = Counter(line.split()[1] for line in life if line.startswith("end"))
            if twice := {name for name, count in here.items() if count > 1}:
                raise BrokenPromise(f"began twice in one life of the machine: {twice}")
            if again := here.keys() & finished:
                raise BrokenPromise(f"ran again although the journal on the disk had their end: {again}")
            begun += here
            ended += ends
        if missing := NAMES - ended.keys():
            raise BrokenPromise(f"finished without having run to its end: {missing}")
        self.tally.again += sum(count > 1 for count in begun.values())
        self.tally.lost_ends += sum(count - 1 for count in ended.values())

    def _mark_life(self) -> None:
        with self._trace.open("a") as trace:
            trace.write(f"life {' '.join(sorted(self._over))}\n")

    def _lines(self) -> list[str]:
        return self._trace.read_text().splitlines()


def play(folder: Path, kind: str, seed: int, cuts: int) -> Tally:
    """Play one story of so many cuts in an empty folder. Raises BrokenPromise."""
    machine = Machine(folder, kind)
    try:
        story = Story(machine, random.Random(seed))
        story.play(cuts)
        return story.tally
    finally:
        machine.close()


def _names(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir() if path.name.isdigit()}
    except OSError:
        return set()


def _torn_files(root: Path) -> int:
    """How many files of mtui a cut left empty, other than those that are empty at times."""
    paths = (*root.glob(".mtui/**/*"), *root.glob("*/*/*.sh"))
    files = [path for path in paths if path.is_file() and path.suffix not in (".released", ".log")]
    return sum(path.stat().st_size == 0 for path in files)
