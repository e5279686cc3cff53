"""Runs what the documents show: commands behind `$ ` in `console` blocks, compared with the output below each.

Comments before a block say more about it; readers do not see them:

    <!-- file: NAME -->            the block is a file, written before the commands that follow
    <!-- keys: "words" q -->       the app runs in a terminal: wait for the words, press the key, ...
    <!-- elsewhere: REASON -->     the block is not run, since it needs what no test has

A line `...` of an output is any number of lines. Times, durations, job numbers, processes, nodes and hosts may differ.
The folder in which the commands run is /home/ada in the document.

    python -m tests.docs.sessions DOCUMENT      runs it, and writes the outputs that differ
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.markdown import ROOT, documents, read
from tests.slurm.cluster import Cluster
from tests.terminal.screen import Terminal, environment

HOME = "/home/ada"
ANYTHING = "..."
_SECONDS = 120  # the deadline of a command
_SIZE = (300, 40)  # of the app's terminal: wide, since paths of temporary folders are long
_BLOCK = re.compile(r"(?:^<!-- (file|keys|elsewhere): (.+?) -->\n+)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What differs from run to run, and what takes its place in both outputs.
_DIFFERS = [
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?", "TIME"),
    (r"^\d\d:\d\d:\d\d ", "TIME "),
    (r"_\d{8}-\d{6}", "_TIME"),
    (r"\b\d+(\.\d+)? ?(s|ms|min)\b", "DURATION"),
    (r"<1m\b|\b\d+m \d+s\b", "DURATION"),
    (r"\bjobs? \d+(_\d+)?", "JOB"),
    (r"\bprocess \d+ on [\w.-]+", "process N on HOST"),
    (r"\bprocess \d+", "process N"),
    (r"\bnode\d\b", "NODE"),
    (r" +", " "),
]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, the output that the document shows, and the keys that are pressed in it."""

    line: str
    output: list[str]
    keys: str = ""


@dataclass(frozen=True, slots=True)
class File:
    name: str
    text: str


@dataclass(slots=True)
class Shown:
    """What a document shows, in its order; `elsewhere` are the reasons of blocks that are not run."""

    parts: list[Command | File] = field(default_factory=list[Command | File])
    elsewhere: list[str] = field(default_factory=list[str])


def shown(path: str) -> Shown:
    text = read(path)
    found = Shown()
    for match in _BLOCK.finditer(text):
        word, about, language, content = match.groups(default="")
        if word == "file":
            found.parts.append(File(about, content))
        elif word == "elsewhere":
            found.elsewhere.append(about)
        elif language == "console":
            found.parts += _commands(content, about)
    return found


def with_sessions() -> list[str]:
    """The documents that show commands with their outputs."""
    return [path for path in documents() if any(isinstance(part, Command) for part in shown(path).parts)]


def _commands(content: str, keys: str) -> list[Command]:
    found: list[Command] = []
    for line in content.splitlines():
        if line.startswith("$ "):
            found.append(Command(re.split(r"\s{2,}# ", line[2:])[0].rstrip(), [], keys))
        else:
            found[-1].output.append(line)
    return found


class Machine:
    """A folder and an environment in which commands run as at a prompt."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder / "home"
        self.folder.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "mtui").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m mtui.tui "$@"\n')
        (programs / "mtui").chmod(0o755)
        path = os.pathsep.join([str(programs), env.get("PATH", os.defpath)])
        self.env = environment(folder, env, PATH=path, PYTHONPATH=str(ROOT), HOME=str(self.folder), COLUMNS="120")

    def write(self, file: File) -> None:
        path = self.folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)

    def run(self, command: Command) -> list[str]:
        """The lines that the command prints, standard output and error together."""
        if command.keys:
            return self._use(command)
        done = subprocess.run(
            ["bash", "-c", command.line],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return [line.replace(str(self.folder), HOME) for line in done.stdout.splitlines()]

    def _use(self, command: Command) -> list[str]:
        """Run the app with the keys of the command; what it leaves on the terminal."""
        program, *words = shlex.split(command.line)
        assert program == "mtui", command.line
        terminal = Terminal(*words, env=self.env, cwd=self.folder, size=_SIZE)
        try:
            for item in re.findall(r'"[^"]+"|\S+', command.keys):
                if item.startswith('"'):
                    terminal.wait_for(item.strip('"'))
                else:
                    terminal.keys(item)
            terminal.exit_code()
            lines = [line.rstrip() for line in terminal.text.splitlines()]
        finally:
            terminal.kill()
        return [line.replace(str(self.folder), HOME) for line in lines if line]


def same(expected: list[str], actual: list[str]) -> bool:
    """Whether an output is what the document shows."""
    wanted, got = _comparable(expected), _comparable(actual)
    pattern = "".join(r"(?:.*\n)*?" if line == ANYTHING else re.escape(line) + r"\n" for line in wanted)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in got)) is not None


def _comparable(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        for pattern, word in _DIFFERS:
            line = re.sub(pattern, word, line)
        found.append(line.rstrip())
    while found and not found[-1]:
        found.pop()
    return found


def play(path: str, machine: Machine) -> list[tuple[Command, list[str]]]:
    """Run everything that a document shows; the commands that print something else, with what they print."""
    different: list[tuple[Command, list[str]]] = []
    for part in shown(path).parts:
        if isinstance(part, File):
            machine.write(part)
            continue
        output = machine.run(part)
        if not same(part.output, output):
            different.append((part, output))
    return different


def format_differences(different: list[tuple[Command, list[str]]]) -> str:
    """What commands printed instead, for messages."""
    return "\n".join("\n".join([f"$ {command.line}", *output]) for command, output in different)


def _shortened_alike(output: list[str], example: list[str]) -> list[str]:
    """An output with as many lines before and after `...` as the example has; all of it if that has none."""
    if ANYTHING not in example:
        return output
    first = example.index(ANYTHING)
    last = len(example) - example[::-1].index(ANYTHING)
    return [*output[:first], ANYTHING, *output[len(output) - (len(example) - last) :]]


def main() -> None:
    (path,) = sys.argv[1:]
    text = read(path)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env: Mapping[str, str] = os.environ
        if "SLURM_CONF" not in env:
            cluster = Cluster()
            stack.callback(cluster.stop)
            env = cluster.start().env
        for command, output in play(path, Machine(folder, env)):
            below = "".join(f"{re.escape(line)}\n" for line in command.output)
            prompt = rf"^\$ {re.escape(command.line)}(?:\s{{2,}}#.*)?\n"
            place = re.search(f"({prompt}){below}", text, re.MULTILINE)
            assert place, command.line
            lines = _shortened_alike(output, command.output)
            text = text[: place.end(1)] + "".join(f"{line}\n" for line in lines) + text[place.end() :]
            print(format_differences([(command, output)]))
    (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
