"""Makes screenshots/session.svg, the moving picture of README.md, from a real run on a private Slurm cluster.

python -m tests.recording [--frames FOLDER]      with --frames, some frames as separate pictures

The picture lasts about twenty seconds: waiting is played faster than it was, typing slower.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import mtui
from tests.recording.picture import Picture
from tests.recording.session import Session
from tests.slurm.cluster import Cluster
from tests.terminal.screen import environment

PROJECT = Path(__file__).parents[2]
TARGET = PROJECT / "screenshots" / "session.svg"
SIZE = (100, 28)
PER_SECOND = 5
STUDY = "alloy"


def play(session: Session, out: Path) -> float:
    """The session. Returns the time of the frame that shows a failure and its log."""

    def count(status: str) -> int:
        return mtui.status(out)["counts"].get(status, 0)

    with session.scene(1.6):
        session.type(f"mtui {STUDY}.yaml -o {STUDY}")
    with session.scene(5.5):
        session.press("\r")
        session.wait_for("TEMP")
        session.wait(lambda: count("failed") >= 2, "two failures")
    with session.scene(0.6):
        session.press("n")
        session.wait_for("energy diverged")
    poster = session.seconds
    session.hold(2.4)
    with session.scene(0.8):
        session.press("q")
        session.wait_for("To return, run: mtui")
    session.hold(1.2)
    with session.scene(1.4):
        session.type(f"touch {STUDY}/damped   # what the script checks")
    with session.scene(1.4):
        session.press("\r")
        session.type(f"mtui retry {STUDY}")
    with session.scene(1.0):
        session.press("\r")
        session.wait(session.is_at_prompt, "the prompt")
    with session.scene(0.6):
        session.type(f"mtui {STUDY}")
    with session.scene(4.5):
        session.press("\r")
        session.wait(lambda: mtui.status(out)["result"] == "finished", "the end of the study")
        session.wait_for("45/45")
    session.hold(2.5)
    return poster


@contextmanager
def folder_of_studies() -> Iterator[Path]:
    """A folder with a short name, since the picture shows it; gone afterwards."""
    folder = Path(tempfile.gettempdir()) / "studies"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.recording", description="Records a session with mtui.")
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help="also write a frame of each second there")
    frames: Path | None = parser.parse_args().frames
    cluster = Cluster().start()
    try:
        with folder_of_studies() as folder:
            shutil.copy(PROJECT / "sample_specs" / f"{STUDY}.yaml", folder)
            programs = folder / "bin"
            programs.mkdir()
            (programs / "mtui").write_text(f'#!/bin/sh\nexec {sys.executable} -m mtui.tui "$@"\n')
            (programs / "mtui").chmod(0o755)
            path = os.pathsep.join([str(programs), cluster.env["PATH"]])
            env = environment(folder, cluster.env, PATH=path, COLORTERM="truecolor", SHELL="/bin/bash")
            session = Session(folder, env, SIZE)
            try:
                poster = play(session, folder / STUDY)
            finally:
                session.close()
    finally:
        cluster.stop()
    picture = Picture(session.frames(PER_SECOND), session.seconds, SIZE)
    TARGET.write_text(picture.moving(poster), encoding="utf-8")
    print(f"{TARGET.relative_to(PROJECT)}: {session.seconds:g} s, {TARGET.stat().st_size / 1000:.0f} kB")
    if frames:
        frames.mkdir(parents=True, exist_ok=True)
        for second in range(int(session.seconds) + 1):
            (frames / f"{second:02}.svg").write_text(picture.still(second), encoding="utf-8")


if __name__ == "__main__":
    main()
