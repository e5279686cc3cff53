"""The tables of docs/administrators.md are what is measured here."""

from __future__ import annotations

import os
import shutil
import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests import mtui
from tests.docs.markdown import cells, read
from tests.slurm.cluster import Cluster
from tests.waiting import wait_until

STUDY = """
description: {{name: count, description: d}}
batch: {{type: slurm, host: h, bank: "", queue: ""}}
study:
- {{name: sim, description: d, run: {{cmd: "echo $(X)"{resources}}}}}
mtui: {{parameters: {{X: {{range: [1, {rows}]}}}}{more}}}
"""
ON_SLURM = ', procs: 1, walltime: "00:01:00"'
# By the names in the tables: the resources of the step, and what else the block mtui has.
KINDS = {
    "in a job array": (ON_SLURM, ""),
    "as a single job": (ON_SLURM, ", array: 1"),
    "with `pack`": (ON_SLURM, ", pack: true"),
    "local": ("", ""),
}


def measured(name: str) -> dict[str, list[str]]:
    """The table of the page that is marked as measured: its rows by their first cells."""
    below = read("docs/administrators.md").partition(f"<!-- measured: {name} -->\n")[2]
    rows = [cells(line) for line in below.partition("\n\n")[0].splitlines()]
    return {row[0]: row[1:] for row in (rows[0], *rows[2:])}


def run(kind: str, rows: int, folder: Path, env: Mapping[str, str]) -> Path:
    """A study of so many instances that has finished."""
    resources, more = KINDS[kind]
    spec = folder / "study.yaml"
    spec.write_text(STUDY.format(resources=resources, rows=rows, more=more))
    out = folder / f"rows-{rows}"
    done = mtui.run("--no-ui", "-q", "-o", out, spec, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def inodes(folder: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        found["links" if path.is_symlink() else "directories" if path.is_dir() else "files"] += 1
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_inodes_of_an_instance(slurm: Cluster, tmp_path: Path, kind: str) -> None:
    few, many = (inodes(run(kind, rows, tmp_path, slurm.env)) for rows in (4, 8))
    each = [(many[what] - few[what]) / 4 for what in ("files", "directories", "links")]
    assert [f"{count:g}" for count in (sum(each), *each)] == measured("inodes")[kind]


@pytest.mark.parametrize(
    ("column", "kind"),
    [("as an array", "in a job array"), ("`pack: true`", "with `pack`"), ("`--array 1`", "as a single job")],
)
def test_calls_of_slurm_that_change_something(slurm: Cluster, tmp_path: Path, column: str, kind: str) -> None:
    table = measured("calls")
    calls = tmp_path / "calls"
    calls.touch()
    programs = [name.strip("`") for name in table if name.startswith("`")]
    for program in programs:
        wrapper = tmp_path / "bin" / program
        wrapper.parent.mkdir(exist_ok=True)
        real = shutil.which(program, path=slurm.env["PATH"])
        wrapper.write_text(f'#!/bin/sh\necho {program} >> {calls}\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
    run(kind, 40, tmp_path, {**slurm.env, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{slurm.env['PATH']}"})
    counts = Counter(calls.read_text().split())
    place = table["program"].index(column)
    assert {name: str(counts[name]) for name in programs} == {name: table[f"`{name}`"][place] for name in programs}


def test_a_driver_listens_to_nothing(slurm: Cluster, tmp_path: Path) -> None:
    spec = tmp_path / "study.yaml"
    spec.write_text(STUDY.format(resources=ON_SLURM, rows=2, more="").replace("echo", "sleep 60; echo"))
    driver = mtui.Driver("-o", tmp_path / "out", spec, log=tmp_path / "log", env=slurm.env)
    try:
        driver.wait_for("started", count=2)
        assert sockets(driver.process.pid) & listening() == set()
    finally:
        driver.kill()


def test_what_listens_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        wait_until(lambda: sockets(os.getpid()) & listening(), 10, "the socket listens")


def sockets(pid: int) -> set[str]:
    """The inodes of a process's sockets."""
    found: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                found.add(target[len("socket:[") : -1])
    return found


def listening() -> set[str]:
    """The inodes of all TCP sockets of this machine that accept connections."""
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A"}
