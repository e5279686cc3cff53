"""The checkpoint: it saves time, and whenever it does not fit it is as if there were none."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mtui.core.engine import events as ev
from mtui.core.engine.event_codec import to_line
from mtui.core.engine.state_codec import LAYOUT, VERSION
from mtui.core.engine.status import Status
from mtui.core.errors import StudyDirectoryError
from mtui.core.store.checkpoint import load_state, write_checkpoint
from mtui.core.store.journal import Journal, segment
from mtui.core.store.study_directory import StudyDirectory, create_directory
from mtui.core.store.study_file import Settings, StudyFile
from tests.plans import plan, step
from tests.unit.engine.script import everything


@pytest.fixture
def directory(tmp_path: Path) -> StudyDirectory:
    return create_directory(tmp_path / "out", "", [])


@pytest.fixture
def study(directory: StudyDirectory) -> StudyFile:
    return StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), plan(step("a"), step("b"), out=str(directory.root)))


def through(index: int) -> list[ev.Event]:
    name = f"1-{index}"
    return [
        ev.SubmitIntended(at=1.0, submission=name, backend="slurm", members=((index, 1),)),
        ev.Submitted(at=2.0, submission=name, job=f"10{index}"),
        ev.Ended(at=3.0, instance=index, attempt=1, status=Status.FINISHED, exit_code=0),
    ]


def write(directory: StudyDirectory, epoch: int, events: list[ev.Event]) -> None:
    journal = Journal(directory.journal, epoch)
    for event in events:
        journal.append(event)
    journal.close()


def keep(directory: StudyDirectory, study: StudyFile) -> dict[str, int]:
    state, read = load_state(directory, study)
    write_checkpoint(directory, study, state, read)
    return read


def test_what_was_kept_is_not_read_again(directory: StudyDirectory, study: StudyFile) -> None:
    write(directory, 1, through(0))
    keep(directory, study)
    path = segment(directory.journal, 1)
    path.write_bytes(b"#" * path.stat().st_size)  # whoever reads it now finds nothing that he understands
    write(directory, 2, through(1))
    state, read = load_state(directory, study)
    assert state.status == [Status.FINISHED, Status.FINISHED]
    assert [attempt.job for attempts in state.attempts.values() for attempt in attempts] == ["100", "101"]
    assert read == {path.name: path.stat().st_size for path in directory.journal.iterdir()}


def test_state_is_the_same_with_and_without(directory: StudyDirectory, study: StudyFile) -> None:
    write(directory, 1, through(0))
    keep(directory, study)
    write(directory, 2, [ev.Held(at=4.0, instance=1)])
    kept, _ = load_state(directory, study)
    directory.checkpoint.unlink()
    fresh, _ = load_state(directory, study)
    assert everything(kept) == everything(fresh)


def older_version(text: str) -> str:
    return text.replace(f'{{"v":{VERSION},', f'{{"v":{VERSION - 1},')


def other_fields(text: str) -> str:
    return text.replace(LAYOUT, "0" * len(LAYOUT))


def cut(text: str) -> str:
    return "\n".join(text.split("\n")[:-2])


def half(text: str) -> str:
    return text[: len(text) // 2]


def without_a_line(text: str) -> str:
    lines = text.split("\n")
    return "\n".join([*lines[:3], *lines[4:]])


def other_study(text: str) -> str:
    return text.replace("0a1b2c3d", "ffffffff")


def other_plan(text: str) -> str:
    return re.sub(r'\["status","\w+', lambda match: match[0] + "A", text)


DAMAGES = (older_version, other_fields, cut, half, without_a_line, other_study, other_plan, str.upper, lambda _: "")


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_that_does_not_fit_is_passed_over(directory: StudyDirectory, study: StudyFile, damage) -> None:
    write(directory, 1, through(0))
    keep(directory, study)
    text = directory.checkpoint.read_text()
    directory.checkpoint.write_text(damage(text))
    assert directory.checkpoint.read_text() != text
    path = segment(directory.journal, 1)
    path.write_text(path.read_text().replace('"100"', '"999"'))  # so that it differs from the checkpoint
    state, _ = load_state(directory, study)
    assert state.status[0] is Status.FINISHED
    assert [attempt.job for attempt in state.attempts[0]] == ["999"]


def test_journal_that_lost_its_end_wins_over_the_checkpoint(directory: StudyDirectory, study: StudyFile) -> None:
    write(directory, 1, through(0))
    keep(directory, study)
    path = segment(directory.journal, 1)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    state, _ = load_state(directory, study)
    assert state.status[0] is Status.PENDING


def test_late_words_in_an_older_segment_are_read_in_their_place(directory: StudyDirectory, study: StudyFile) -> None:
    write(directory, 1, through(0)[:2])
    write(directory, 2, [])
    keep(directory, study)
    with segment(directory.journal, 1).open("a") as journal:
        journal.write(to_line(through(0)[2]) + "\n")
    state, _ = load_state(directory, study)
    assert state.status[0] is Status.FINISHED


def test_torn_end_of_an_older_segment_does_no_harm(directory: StudyDirectory, study: StudyFile) -> None:
    write(directory, 1, through(0))
    with segment(directory.journal, 1).open("a") as journal:
        journal.write('{"v":1,"type":"sub')
    write(directory, 2, through(1))
    keep(directory, study)
    state, _ = load_state(directory, study)
    assert state.status == [Status.FINISHED, Status.FINISHED]


@pytest.mark.parametrize(
    ("damage", "result"),
    [(str, "of the checkpoint"), (older_version, ""), (other_fields, "")],
    ids=["intact", "older version", "other fields"],
)
def test_one_of_an_older_version_or_of_other_fields_is_ignored(
    directory: StudyDirectory, study: StudyFile, damage: Callable[[str], str], result: str
) -> None:
    write(directory, 1, through(0))
    keep(directory, study)
    text = directory.checkpoint.read_text().replace('["result",""]', '["result","of the checkpoint"]')

    directory.checkpoint.write_text(damage(text))

    state, _ = load_state(directory, study)
    assert (state.result, state.status[0]) == (result, Status.FINISHED)


@pytest.mark.parametrize("instead", ["nothing", "an empty folder", "a FIFO"])
def test_study_that_has_run_is_not_begun_again_without_its_journal(
    directory: StudyDirectory, study: StudyFile, instead: str
) -> None:
    write(directory, 1, through(0))
    keep(directory, study)
    (directory.home / "claims" / "0.1").write_text("100\n")
    shutil.rmtree(directory.journal)
    if instead == "an empty folder":
        directory.journal.mkdir()
    elif instead == "a FIFO":
        os.mkfifo(directory.journal)
    with pytest.raises(StudyDirectoryError, match="journal of the study is missing, but instances have run"):
        load_state(directory, study)
