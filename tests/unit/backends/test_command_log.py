"""The log of calls: whole lines from many writers, short, harmless, and no trouble to anybody."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mtui.core.backends import command_log
from mtui.core.backends.command_log import CommandLog


def lines(path: Path) -> list[str]:
    """Its lines without the head and the times."""
    return [line[20:] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def test_command_can_be_typed_again(tmp_path: Path) -> None:
    CommandLog(tmp_path / "log").note(["scancel", "12 3", "it's"], "exit code 0")
    assert lines(tmp_path / "log") == ["""scancel '12 3' 'it'"'"'s' -> exit code 0"""]


def test_long_log_is_renamed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_log, "_LONGEST_LOG", 300)
    for number in range(40):
        CommandLog(tmp_path / "log").note(["scancel", str(number)], "exit code 1")
    assert {path.name for path in tmp_path.iterdir()} - {"log"} == {"log.1"}
    assert all(path.stat().st_size < 600 for path in tmp_path.iterdir())
    assert any("scancel 39" in path.read_text() for path in tmp_path.iterdir())


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for _ in range(50):
            CommandLog(tmp_path / "log").note(["scancel", *["1"] * 200], f"answer {number}")

    CommandLog(tmp_path / "log").note(["first"], "")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, *found = lines(tmp_path / "log")
    assert sorted(found) == sorted(f"scancel {'1 ' * 200}-> answer {n}" for n in range(8) for _ in range(50))


@pytest.mark.parametrize("text", ["a\nb", "a\x1b]52;c;x\x07b", "a\u202eb", "a\udcffb", "a\u2028b"])
def test_line_is_one_line_that_drives_no_terminal(tmp_path: Path, text: str) -> None:
    CommandLog(tmp_path / "log").note(["sbatch", text], text, text)
    (line,) = lines(tmp_path / "log")
    assert line.isprintable()
    assert line.count("a?") == 3


def test_long_command_and_answer_are_cut(tmp_path: Path) -> None:
    CommandLog(tmp_path / "log").note(["scancel", *map(str, range(10_000))], "x" * 10_000)
    (line,) = lines(tmp_path / "log")
    assert len(line) < 2000
    assert line.startswith("scancel 0 1 2 ")
    assert " ... -> x" in line


def test_log_is_private_to_the_user(tmp_path: Path) -> None:
    CommandLog(tmp_path / "log").note(["scancel"], "")
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", ["gone/log", ".", "/dev/full"])
def test_log_that_cannot_be_written_disturbs_nobody(tmp_path: Path, path: str) -> None:
    CommandLog(tmp_path / path).note(["scancel", "1"], "exit code 0")
