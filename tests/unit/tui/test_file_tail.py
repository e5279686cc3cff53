"""The end of a file: as it grows, is truncated or replaced, and what is no file that can be read."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from mtui.tui.views.ansi import plain
from mtui.tui.views.file_tail import LONGEST, MOST_LINES, WINDOW, FileTail
from mtui.tui.views.log_view import LogView


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "step.out"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as out:
        out.write(data)


def polled(path: Path) -> FileTail:
    tail = FileTail(path)
    tail.poll()
    return tail


def test_grows_line_by_line(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    tail = FileTail(log)
    assert tail.poll()
    assert tail.lines == [b"one", b"two"]
    assert not tail.poll()
    append(log, b"thr")
    assert tail.poll()
    assert (tail.lines, tail.changed) == ([b"one", b"two", b"thr"], 2)
    append(log, b"ee\nfour")
    assert tail.poll()
    assert (tail.lines, tail.changed) == ([b"one", b"two", b"three", b"four"], 2)
    append(log, b"\n")
    assert tail.poll()
    append(log, b"\n\n")
    assert tail.poll()
    assert (tail.lines, tail.changed) == ([b"one", b"two", b"three", b"four", b"", b""], 4)
    assert (tail.generation, tail.missing, tail.truncated_head, tail.problem) == (0, False, False, "")


def test_missing_then_there_then_gone(log: Path) -> None:
    tail = FileTail(log)
    assert not tail.poll()
    assert tail.missing
    log.touch()
    assert tail.poll()
    assert (tail.missing, tail.lines) == (False, [])
    append(log, b"begun\n")
    assert tail.poll()
    log.unlink()
    assert tail.poll()
    assert (tail.missing, tail.lines) == (True, [b"begun"])
    assert not tail.poll()


def test_a_file_where_a_folder_should_be_is_missing(tmp_path: Path) -> None:
    (tmp_path / "step").write_text("")
    assert polled(tmp_path / "step" / "step.out").missing


def rewrite_shorter(path: Path) -> None:
    path.write_bytes(b"new\n")


def rewrite_longer(path: Path) -> None:
    path.write_bytes(b"new\n" + b"and longer than before\n" * 10)


def replace_by_another(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(b"new\n")
    other.replace(path)


def rotate(path: Path) -> None:
    path.rename(path.with_suffix(".1"))
    path.write_bytes(b"new\n" + path.with_suffix(".1").read_bytes())


@pytest.mark.parametrize("change", [rewrite_shorter, rewrite_longer, replace_by_another, rotate])
def test_a_truncated_file_is_read_from_its_start(log: Path, change: Callable[[Path], None]) -> None:
    log.write_bytes(b"old line\nold line with no end")
    tail = polled(log)
    before = tail.end
    change(log)
    assert tail.poll()
    assert tail.lines == log.read_bytes().rstrip(b"\n").split(b"\n")
    assert (tail.generation, tail.first, tail.changed) == (1, before, before)
    append(log, b"\ngoes on\n")
    assert tail.poll()
    assert (tail.lines[-1], tail.generation) == (b"goes on", 1)


def test_truncated_to_nothing(log: Path) -> None:
    log.write_bytes(b"old\n")
    tail = polled(log)
    os.truncate(log, 0)
    assert tail.poll()
    assert (tail.lines, tail.generation) == ([], 1)


def test_a_character_that_is_written_in_two_parts(log: Path) -> None:
    letter = "\N{HIRAGANA LETTER A}".encode()
    log.write_bytes(b"x" + letter[:2])
    tail = polled(log)
    assert plain(tail.lines[0]) == "x\N{REPLACEMENT CHARACTER}"
    append(log, letter[2:] + b"y\n")
    assert tail.poll()
    assert plain(tail.lines[0]) == "x\N{HIRAGANA LETTER A}y"


def test_only_the_last_window_is_read(log: Path) -> None:
    log.write_bytes(b"".join(b"%0999d\n" % number for number in range(3000)))
    tail = polled(log)
    assert tail.truncated_head
    assert [int(line) for line in tail.lines] == list(range(3000 - len(tail.lines), 3000))
    assert WINDOW - 1000 <= 1000 * len(tail.lines) <= WINDOW


def test_a_window_that_begins_with_a_line_loses_none(log: Path) -> None:
    log.write_bytes(b"gone\n" + b"x" * 15 + b"\n" + b"y" * (WINDOW - 17) + b"\n")
    assert [line[:1] for line in polled(log).lines] == [b"x", b"y"]


def test_a_file_that_outgrows_the_window_between_two_looks(log: Path) -> None:
    log.write_bytes(b"early\nopen")
    tail = polled(log)
    append(log, b"x" * 100 + b"\n" + b"late\n" * WINDOW)
    assert tail.poll()
    assert set(tail.lines) == {b"late"}
    assert tail.truncated_head
    assert tail.first >= 2
    assert tail.generation == 0


def test_holds_no_more_than_it_may(log: Path) -> None:
    log.write_bytes(b"\n" * (MOST_LINES - 1))
    tail = polled(log)
    assert not tail.truncated_head
    append(log, b"a\nb\n")
    assert tail.poll()
    assert (len(tail.lines), tail.first, tail.truncated_head) == (MOST_LINES, 1, True)
    for _ in range(3):
        append(log, (b"x" * 999 + b"\n") * (WINDOW // 1000))
        assert tail.poll()
        assert sum(map(len, tail.lines)) <= WINDOW


def test_a_sparse_file_of_10_gb(log: Path) -> None:
    log.touch()
    os.truncate(log, 10 * 1000**3)
    tail = FileTail(log)
    tracemalloc.start()
    assert tail.poll()
    assert tracemalloc.get_traced_memory()[1] < 8 * WINDOW
    tracemalloc.stop()
    assert tail.binary
    assert sum(map(len, tail.lines)) <= WINDOW
    append(log, b"\nthe end\n")
    assert tail.poll()
    assert tail.lines[-1] == b"the end"


def test_a_line_without_end_is_kept_in_part(log: Path) -> None:
    log.write_bytes(b"start " + b"x" * 100_000)
    tail = polled(log)
    for _ in range(30):
        append(log, b"y" * 100_000)
        assert tail.poll()
        assert len(tail.lines[-1]) <= LONGEST
    append(log, b"\nnext\n")
    assert tail.poll()
    assert (tail.lines[0][:6], tail.lines[1:]) == (b"start ", [b"next"])


@pytest.mark.parametrize("ending", [b"", b"\r", b"\r\n"])
def test_of_a_long_progress_bar_the_last_state_is_kept(log: Path, ending: bytes) -> None:
    log.write_bytes(b"".join(b"\r%6d done" % number for number in range(50_000)) + ending)
    (line,) = polled(log).lines
    assert len(line) <= LONGEST
    assert plain(line) == " 49999 done"


def test_a_long_line_that_ends_with_a_carriage_return_shows_its_start(log: Path) -> None:
    log.write_bytes(b"x" * 100_000 + b"\r\n")
    assert plain(polled(log).lines[0]).startswith("xxx")


def test_binary_is_reported_and_forgotten_after_truncation(log: Path) -> None:
    log.write_bytes(b"\x7fELF\0\0\n")
    tail = polled(log)
    assert tail.binary
    log.write_bytes(b"text\n")
    assert tail.poll()
    assert not tail.binary


def test_a_directory_is_a_problem(tmp_path: Path) -> None:
    tail = polled(tmp_path)
    assert not tail.missing
    assert "directory" in tail.problem


def test_a_pipe_is_a_problem_and_nobody_waits(log: Path) -> None:
    os.mkfifo(log)
    tail = FileTail(log)
    assert tail.poll()
    assert "regular file" in tail.problem
    assert not tail.poll()
    log.unlink()
    log.write_bytes(b"a file now\n")
    assert tail.poll()
    assert (tail.problem, tail.lines) == ("", [b"a file now"])


def test_a_device_is_a_problem() -> None:
    assert "regular file" in polled(Path("/dev/null")).problem


@pytest.mark.parametrize("name", ["x" * 300, "loop", "nul\0"])
def test_a_name_that_cannot_be_opened_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert polled(tmp_path / name).problem


def test_an_unreadable_file_is_a_problem_and_what_was_read_stays(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(b"read\n")
    tail = polled(log)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:  # root may read everything
        patch.setattr(os, "open", refuse)
        assert tail.poll()
        assert "Permission denied" in tail.problem
        assert tail.lines == [b"read"]
    assert tail.poll()
    assert tail.problem == ""


# --- the lines as a view takes them over


def viewed(tail: FileTail, width: int = 0) -> LogView:
    view = LogView(len)
    view.wrap_at(width)
    view.take(tail)
    return view


def test_a_view_follows_the_tail_and_carries_colours(log: Path) -> None:
    log.write_bytes(b"\x1b[31mred\nstill")
    tail = polled(log)
    view = viewed(tail)
    append(log, b" red\x1b[0m\nplain\n")
    tail.poll()
    assert view.take(tail) == 0
    looks = [[(text, ink.front) for text, ink in view.spans(number)] for number in range(3)]
    assert looks == [[("red", 1)], [("still red", 1)], [("plain", None)]]
    log.write_bytes(b"anew\n")
    tail.poll()
    assert view.take(tail) == 3
    assert [text for number in range(view.first, view.end) for text, _ in view.spans(number)] == ["anew"]


def test_a_view_that_takes_one_by_one_is_as_one_that_takes_all(log: Path) -> None:
    tail = FileTail(log)
    view = viewed(tail, width=7)
    for number in range(40):
        append(log, b"\x1b[3%dm" % (number % 8) + b"word " * (number % 9) + b"\n" * (number % 3))
        tail.poll()
        view.take(tail)
    whole = viewed(polled(log), width=7)
    assert view.lines == whole.lines
    assert view.rows == whole.rows
    for number in range(view.end):
        assert view.spans(number) == whole.spans(number)
        assert view.top_of(number) == whole.top_of(number)


def test_rows_of_wrapped_lines(log: Path) -> None:
    log.write_bytes(b"12345678901\n\n12345\n123456\n")
    view = viewed(polled(log), width=5)
    assert view.rows == 3 + 1 + 1 + 2
    assert [view.line_at(row) for row in range(7)] == [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0), (3, 0), (3, 1)]
    assert view.breaks(0) == [0, 5, 10]
    view.wrap_at(0)
    assert (view.rows, view.width) == (4, 11)


def test_wide_characters_are_not_torn_by_wrapping(log: Path) -> None:
    log.write_text("aあああ\nああああ")
    view = LogView(lambda text: sum(2 if character == "あ" else 1 for character in text))
    view.wrap_at(4)
    view.take(polled(log))
    assert (view.breaks(0), view.breaks(1)) == ([0, 3], [0, 4])
    assert view.rows == 4


def test_a_view_says_how_many_rows_went_at_the_top(log: Path) -> None:
    log.write_bytes(b"123456789\n" * MOST_LINES)
    tail = polled(log)
    view = viewed(tail, width=5)
    append(log, b"x\n" * 10)
    tail.poll()
    assert view.take(tail) == 20
    assert view.rows == 2 * (MOST_LINES - 10) + 10
