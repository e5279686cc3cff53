"""What the app makes of the bytes of a terminal: keys, and nothing of what is no key."""

from __future__ import annotations

import pytest
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS, IGNORE_SEQUENCE
from textual.events import Key, MouseDown, Paste
from textual.message import Message

from mtui.tui.app.terminal_input import TerminalInput

SPOKEN = "\N{REPLACEMENT CHARACTER}"

IGNORED = [s for s, key in ANSI_SEQUENCES_KEYS.items() if key is IGNORE_SEQUENCE]
POSITIONS = ["\x1b[1;2R", "\x1b[1;5R", "\x1b[1;6R"]  # F3 with modifiers, which reports of the cursor look like

# Answers of terminals to queries, and reports that no one requested.
ANSWERS = {
    "primary attributes": b"\x1b[?62;22c",
    "secondary attributes": b"\x1b[>41;354;0c",
    "tertiary attributes": b"\x1bP!|7E565445\x1b\\",
    "XTVERSION": b"\x1bP>|XTerm(390)\x1b\\",
    "DECRQSS": b"\x1bP1$r2 q\x1b\\",
    "XTGETTCAP": b"\x1bP1+r544e=787465726d2d323536636f6c6f72\x1b\\",
    "a refused DCS": b"\x1bP0$r\x1b\\",
    "background colour": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
    "background colour, BEL": b"\x1b]11;rgb:0000/0000/0000\x07",
    "palette colour": b"\x1b]4;1;rgb:cdcd/0000/0000\x07",
    "clipboard": b"\x1b]52;c;Y2FycnlNeQ==\x07",
    "a long clipboard": b"\x1b]52;c;" + b"cqry" * 5000 + b"\x1b\\",
    "kitty flags": b"\x1b[?0u",
    "kitty graphics": b"\x1b_Gi=31;OK\x1b\\",
    "theme": b"\x1b[?997;1n",
    "operating status": b"\x1b[0n",
    "cursor position, DEC": b"\x1b[?12;40;1R",
    "window size": b"\x1b[8;24;80t",
    "pixel size": b"\x1b[4;600;800t",
    "title": b"\x1b]lcqrye\x1b\\",
    "sixel": b"\x1b[?2;0;800;600S",
    "a mode": b"\x1b[?1016;2$y",
    "a mode, ANSI": b"\x1b[4;2$y",
    "terminal parameters": b"\x1b[2;1;1;128;128;1;0x",
    "checksum": b"\x1bP1!~C0DE\x1b\\",
    "locator": b"\x1b[1;2;3;4;0&w",
    "the mouse, X10": b"\x1b[M cq",
    "the mouse, urxvt": b"\x1b[32;10;10M",
    "private message": b"\x1b^cqry\x1b\\",
    "start of string": b"\x1bXcqry\x1b\\",
    "C1, as UTF-8": b"\xc2\x9b?62;22c",
    "C1, as a byte": b"\x9b?62;22c",
    "C1 string, as a byte": b"\x90>|XTerm(390)\x9c",
    "a key of no one": b"\x1b[99999999999999u",
    "a key beyond Unicode": b"\x1b[1234567;1u",
    "a key that is half a character": b"\x1b[55555;1;55555u",
    "a size of nothing": b"\x1b[48;0;0;0;0t",
    "an unknown key": b"\x1b[77~",
    "a key whose number is a letter": b"\x1b[99~",
    "a key whose number is a letter, with Shift": b"\x1b[99;2A",
    "a long key": b"\x1b[" + b"1;" * 40 + b"c",
}


class Keyboard:
    """A parser and its clock."""

    def __init__(self) -> None:
        self.input = TerminalInput()
        self.now = 100.0

    def send(self, data: bytes, wait: float = 0.0) -> list[Message]:
        """What results from these bytes and from a pause behind them."""
        messages = list(self.input.feed(data, self.now))
        self.now += wait
        return [*messages, *(self.input.tick(self.now) if wait else ())]


def keys(messages: list[Message]) -> list[str]:
    return [message.key for message in messages if isinstance(message, Key)]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_answer_of_the_terminal_is_no_key(answer: bytes) -> None:
    keyboard = Keyboard()
    assert keys(keyboard.send(answer + b"j")) == ["j"]
    assert keys(keyboard.send(answer, wait=5)) == []
    assert keys(keyboard.send(b"k")) == ["k"]


@pytest.mark.parametrize(
    "answer", [a for a in ANSWERS.values() if len(a) < 100 and a[:1] == b"\x1b" and a[1:3] != b"[M"]
)
@pytest.mark.parametrize("pause", [0.0, 0.05, 0.5])
def test_answer_in_two_pieces_is_no_key(answer: bytes, pause: float) -> None:
    for at in range(1, len(answer)):
        if pause > 0.1 and (len(answer) - at < 2 or answer[1:2] in b"^X"):
            continue  # one character after a pause is a key, and no terminal sends PM and SOS
        keyboard = Keyboard()
        found = keys(keyboard.send(answer[:at], wait=pause)) + keys(keyboard.send(answer[at:], wait=0.2))
        assert [key for key in found if key != "escape" and not key.startswith("alt+")] == [], answer[:at]
        assert keys(keyboard.send(b"j")) == ["j"]


def test_answer_that_never_ends_is_given_up() -> None:
    keyboard = Keyboard()
    assert keys(keyboard.send(b"\x1b]52;c;cqry", wait=5)) == []
    assert keys(keyboard.send(b"j")) == ["j"]


def test_answer_that_is_cut_off_by_a_key_is_no_key() -> None:
    assert keys(Keyboard().send(b"\x1b[?62;\x1b[Bj")) == ["down", "j"]
    assert keys(Keyboard().send(b"\x1b]11;rgb\x1b[Bj")) == ["down", "j"]
    assert keys(Keyboard().send(b"\x1b[?62;\x18j")) == ["j"]


@pytest.mark.parametrize("sequence", [s for s in ANSI_SEQUENCES_KEYS if len(s) > 1 and s != "\x1b\x1b"])
def test_every_key_of_textual_is_passed_on(sequence: str) -> None:
    """And what follows it is a separate key."""
    alone, followed = keys(Keyboard().send(sequence.encode())), keys(Keyboard().send(sequence.encode() + b"j"))
    assert alone or sequence in (*IGNORED, *POSITIONS)
    assert followed == [*alone, "j"]


def test_keys_of_newer_terminals_are_read() -> None:
    assert keys(Keyboard().send(b"\x1b[27u\x1b[97;5u\x1b[1;5A\x1b[57399u")) == ["escape", "ctrl+a", "ctrl+up", "0"]


@pytest.mark.parametrize("text", ["é", "日本語", "日本語の入力方式で書いた文", "👩\u200d🔬"])
def test_text_of_an_input_method_is_read(text: str) -> None:
    """In kitty's protocol, with its characters as numbers."""
    data = f"\x1b[0;;{':'.join(str(ord(character)) for character in text)}u".encode()
    keyboard = Keyboard()
    messages = keyboard.send(data) + keyboard.send(b"j")
    assert "".join(message.character or "" for message in messages if isinstance(message, Key)) == text + "j"


def test_mouse_is_read() -> None:
    (message,) = Keyboard().send(b"\x1b[<0;5;7M")
    assert isinstance(message, MouseDown)
    assert (message.x, message.y) == (4, 6)


def test_escape_is_a_key_if_nothing_follows() -> None:
    keyboard = Keyboard()
    assert keys(keyboard.send(b"\x1b", wait=0.2)) == ["escape"]
    assert keys(keyboard.send(b"j")) == ["j"]


@pytest.mark.parametrize("letter", "cqry[]OPX_^")
def test_alt_with_a_letter_is_not_the_letter(letter: str) -> None:
    keyboard = Keyboard()
    found = keyboard.send(b"\x1b" + letter.encode(), wait=0.2)
    assert all(
        message.character is None and message.key.startswith("alt+") for message in found if isinstance(message, Key)
    )
    assert keys(keyboard.send(b"j\x1b[A")) == ["j", "up"]


@pytest.mark.parametrize("data", [b"\xe9", b"\xe3", b"\xff", b"\xc3\x28"[:1], b"\xed\xa0\x80", b"\xf0\x9f"])
def test_byte_that_is_not_utf8_is_a_replacement_character(data: bytes) -> None:
    keyboard = Keyboard()
    messages = keyboard.send(data, wait=0.2)
    assert {message.character for message in messages if isinstance(message, Key)} == {SPOKEN}
    assert keys(keyboard.send(b"j")) == ["j"]


def test_character_in_two_pieces_is_one() -> None:
    keyboard = Keyboard()
    first, second = "é".encode()[:1], "é".encode()[1:]
    messages = keyboard.send(first) + keyboard.send(second)
    assert [message.character for message in messages if isinstance(message, Key)] == ["é"]


def test_every_byte_is_survived() -> None:
    for first in range(256):
        keyboard = Keyboard()
        for second in range(256):
            keyboard.send(bytes((first, second)))
        keyboard.send(b"", wait=20)
        assert keys(keyboard.send(b"j")) == ["j"], first


def test_paste_is_one_text_whatever_it_holds() -> None:
    keyboard = Keyboard()
    (message,) = keyboard.send(b"\x1b[200~c\xe9\x1b[?62;22cq\x1bcy\0 " + b"z" * 50 + b"\x1b[201~")
    assert isinstance(message, Paste)
    assert message.text == f"c{SPOKEN}[?62;22cqcy " + "z" * 50
    assert keys(keyboard.send(b"j")) == ["j"]


def test_paste_that_never_ends_is_ended() -> None:
    keyboard = Keyboard()
    (message,) = keyboard.send(b"\x1b[200~cq", wait=20)
    assert isinstance(message, Paste)
    assert keys(keyboard.send(b"j")) == ["j"]
