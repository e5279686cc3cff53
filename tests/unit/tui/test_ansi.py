"""What is shown of a line of a log: what a terminal would show, and nothing that could drive one."""

from __future__ import annotations

import unicodedata

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtui.tui.views.ansi import CUT, LIMIT, PLAIN, Ink, carry, plain, spans

SEQUENCES = [
    b"\x1b[31m", b"\x1b[0m", b"\x1b[m", b"\x1b[1;4;38;5;200m", b"\x1b[38;2;1;2;3m", b"\x1b[4:3m", b"\x1b[K", b"\x1b[1K",
    b"\x1b[2K", b"\x1b[2J", b"\x1b[H", b"\x1b[?25l", b"\x1b[>4;1m", b"\x1b[6n", b"\x1b]0;title\x07",
    b"\x1b]52;c;eA==\x1b\\", b"\x1b]52;c;", b"\x1bP+q\x1b\\", b"\x1bP", b"\x1b(B", b"\x1bc", b"\x1b", b"\x1b[",
    b"\x1b[31", b"\x9b31m", b"\xc2\x9b31m", b"\xc2\x9d", b"\r", b"\b", b"\t", b"\x07", b"\0", b"\x0e", b"\x7f",
    *(character.encode() for character in "\u202e\u2066\u200b\u200d\ufe0f\u2028\u0301あ🎉"), b"\xe3\x81", b"\xff",
    b"text",
]  # fmt: skip
LINES = st.lists(st.sampled_from(SEQUENCES) | st.binary(max_size=8), max_size=20).map(
    lambda parts: b"".join(parts).replace(b"\n", b"")
)
BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}


def looks(line: bytes) -> list[tuple[str, Ink]]:
    return spans(line)[0]


@given(LINES)
def test_no_control_character_comes_out(line: bytes) -> None:
    for text, _ in looks(line):
        for character in text:
            assert unicodedata.category(character) not in ("Cc", "Zl", "Zp", "Cs")
            assert ord(character) not in BIDI


@given(LINES)
def test_the_short_ways_agree_with_the_long_one(line: bytes) -> None:
    pieces, end = spans(line, Ink(italic=True))
    assert plain(line) == "".join(text for text, _ in pieces)
    assert carry(line, Ink(italic=True)) == end


@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=9)
        | st.sampled_from(["\r", "\b", "\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K", "\t", "é"]),
        max_size=12,
    )
)
def test_a_terminal_shows_the_same(parts: list[str]) -> None:
    screen = pyte.Screen(200, 1)
    pyte.Stream(screen).feed("".join(parts))
    assert plain("".join(parts).encode()).rstrip() == screen.display[0].rstrip()


@given(
    st.lists(
        st.integers(0, 110).filter(lambda code: code not in (38, 48, 58)) | st.sampled_from([0, 1, 7, 22]), max_size=6
    )
)
def test_a_terminal_colours_the_same(codes: list[int]) -> None:
    screen = pyte.Screen(20, 1)
    sequence = f"\x1b[{';'.join(map(str, codes))}mx"
    pyte.Stream(screen).feed(sequence)
    cell = screen.buffer[0][0]
    ((_, ink),) = looks(sequence.encode())
    assert (ink.bold, ink.italic, ink.reverse) == (cell.bold, cell.italics, cell.reverse)
    assert (ink.front is None, ink.back is None) == (cell.fg == "default", cell.bg == "default")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"", ""),
        (b"plain", "plain"),
        (b"dos\r", "dos"),
        (b"10%\r20%\r30% ok", "30% ok"),
        (b"longer\rshort", "shortr"),
        (b"longer\r\x1b[Kshort", "short"),
        (b"ab\b\bX", "Xb"),
        (b"\b\bX", "X"),
        (b"a\tb", "a       b"),
        (b"title\x1b]0;evil\x07s", "titles"),
        (b"copy \x1b]52;c;aGVsbG8=\x1b\\d", "copy d"),
        (b"open \x1b]52;c;aGVs", "open 52;c;aGVs"),
        (b"link \x1b]8;;http://x\x1b\\here\x1b]8;;\x1b\\", "link here"),
        (b"clear\x1b[2J\x1b[H\x1bc", "clear"),
        (b"half a colour \x1b[3", "half a colour "),
        (b"bell\x07", "bell"),
        (b"nul\0", "nul\N{REPLACEMENT CHARACTER}"),
        (b"\x9b31mc1", "\N{REPLACEMENT CHARACTER}31mc1"),
        (b"\xc2\x9b31mc1", "\N{REPLACEMENT CHARACTER}31mc1"),
        ("abc\u202ecba".encode(), "abc\N{REPLACEMENT CHARACTER}cba"),
        ("in\u200bvisi\u00adble".encode(), "invisible"),
        (b"bad \xff utf-8 \xe3\x81", "bad \N{REPLACEMENT CHARACTER} utf-8 \N{REPLACEMENT CHARACTER}"),
        ("あい\rx".encode(), "x い"),
        ("あい\b\bx".encode(), "あx "),
        ("あい\bx".encode(), "あ x"),
        ("\u0301e\u0301".encode(), "e\u0301"),
        (b"e" + "\u0301".encode() * 50, "e\u0301\u0301\u0301\u0301"),
        (b"\xc3\x1b[0m\xa9", "\N{REPLACEMENT CHARACTER}" * 2),
    ],
)
def test_text(line: bytes, text: str) -> None:
    assert plain(line) == "".join(piece for piece, _ in looks(line)) == text


@pytest.mark.parametrize(
    ("parameters", "ink"),
    [
        ("", PLAIN),
        ("31", Ink(front=1)),
        ("97;103", Ink(front=15, back=11)),
        ("1;2;3;4;7", Ink(bold=True, dim=True, italic=True, underline=True, reverse=True)),
        ("1;2;22;3", Ink(italic=True)),
        ("38;5;208", Ink(front=208)),
        ("48;5;256", PLAIN),
        ("38;2;1;2;3;1", Ink(front=(1, 2, 3), bold=True)),
        ("38:2:1:2:3;1", Ink(front=(1, 2, 3), bold=True)),
        ("48:2::1:2:3", Ink(back=(1, 2, 3))),
        ("38;2;1;2;300", PLAIN),
        ("38;2;1", PLAIN),
        ("38", PLAIN),
        ("58;5;1;1", Ink(bold=True)),
        ("4:3", Ink(underline=True)),
        ("4;4:0", PLAIN),
        ("31;0", PLAIN),
        ("31;39", PLAIN),
        ("5;8;9;73", PLAIN),
        ("9" * 5000, PLAIN),
        (";".join(["1"] * 200), PLAIN),
    ],
)
def test_colours(parameters: str, ink: Ink) -> None:
    line = f"\x1b[{parameters}mx".encode()
    assert looks(line) == [("x", ink)]
    assert carry(line, PLAIN) == ink


def test_colours_of_what_is_overwritten_go() -> None:
    assert looks(b"\x1b[31mabc\r\x1b[32mx") == [("x", Ink(front=2)), ("bc", Ink(front=1))]


def test_a_colour_continues_in_the_next_line() -> None:
    _, ink = spans(b"\x1b[1mbold")
    assert spans(b"still", ink) == ([("still", Ink(bold=True))], Ink(bold=True))
    assert spans(b"", ink) == ([], Ink(bold=True))


@pytest.mark.parametrize("line", [b"x" * 100_000, b"\x1b[31m" + b"x" * 100_000, ("\t" * 3000 + "x").encode()])
def test_a_long_line_is_cut_with_a_mark(line: bytes) -> None:
    assert len(plain(line)) <= LIMIT + len(CUT)
    assert looks(line)[-1] == (CUT, Ink(reverse=True))


def test_a_line_that_just_fits_is_whole() -> None:
    assert plain(b"x" * LIMIT) == "x" * LIMIT
    assert plain("あ".encode() * (LIMIT // 2)) == "あ" * (LIMIT // 2)
    assert plain(b"x" + "あ".encode() * (LIMIT // 2)) == "x" + "あ" * (LIMIT // 2 - 1) + CUT


def test_a_long_progress_bar_is_not_cut() -> None:
    assert plain(b"\rstep" * 50_000) == "step"


def test_what_is_erased_needs_no_mark() -> None:
    assert plain(b"x" * 3000 + b"\r\x1b[Kshort") == "short"
