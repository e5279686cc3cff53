"""Turns the bytes that a terminal sends into keys, mouse events and pastes.

Textual splits a control sequence that it does not know into single keys. But terminals also send what no one pressed:
late answers to queries of this or another program, cut into pieces by a slow connection, and bytes that are not UTF-8.
Here a control sequence is read to its end, as ECMA-48 defines it, and Textual gets it only if it is a known key or
mouse event. Everything else that begins with ESC does nothing.
"""

from __future__ import annotations

import re
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import suppress

from textual import constants
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.events import Key, Paste
from textual.keys import KEY_NAME_REPLACEMENTS
from textual.message import Message

_PATIENCE = 2.0  # seconds without a byte until the rest of a control sequence is no longer waited for
_PASTE_PATIENCE = 10.0  # the same for a paste: its rest must not become keys
_LONGEST = 32  # characters of a sequence that Textual reads
_KEPT = 1 << 10  # characters of a sequence that are kept; longer ones are no keys

_ESC, _BELL, _CANCELS = "\x1b", "\x07", "\x18\x1a"
_PASTE_START, _PASTE_END = "\x1b[200~", "\x1b[201~"
_STRINGS = "]PX^_"  # what follows the ESC that begins OSC, DCS, SOS, PM and APC
_C1 = {
    "\x9b": "\x1b[",
    "\x8f": "\x1bO",
    "\x9d": "\x1b]",
    "\x90": "\x1bP",
    "\x98": "\x1bX",
    "\x9e": "\x1b^",
    "\x9f": "\x1b_",
}

# The sequences that are keys and events besides those in Textual's table of keys.
_KNOWN = re.compile(
    r"""\x1b\[(?:
        \d{1,7}(?::\d{1,7})* (?:;[\d:]{0,28}){0,2} u                # a character with modifiers, of kitty's protocol
      | <\d{1,3};-?\d{1,6};-?\d{1,6}[Mm]                             # the mouse, SGR
      | [IO]                                                         # the focus
      | 48;[1-9]\d{0,4};[1-9]\d{0,4};[1-9]\d{0,5};[1-9]\d{0,5}t      # the size
      | \?(?:2026|2048);\d\$y                                        # the two modes that Textual queries
    )""",
    re.VERBOSE | re.DOTALL,
)

# A key with modifiers. Textual takes the number of one that it does not know for a character.
_FUNCTION_KEY = re.compile(r"\x1b\[(\d{1,7}) (?:;[\d:]{0,12}){0,2} ([~ABCDEFHPQRS])", re.VERBOSE)

# A text that a key or an input method inserts, in kitty's protocol. Older releases of Textual do not know it.
_TEXT = re.compile(r"\x1b\[\d{1,7};\d{0,3};((?:\d{1,7}:?)+)u")

# How the rest of an answer begins whose start came so much earlier that it was taken for the key Escape, or for Alt
# with a letter. No one presses these characters at the same time.
_RESTS = {
    "\x1b": re.compile(r"\[[ -~]|\][\dlL]|P[01>!]|_G"),
    "\x1b[": re.compile(r"[?>=<]\d|\d+[;\d]*[^\d;]"),
    "\x1b]": re.compile(r"\d+;|[lL]."),
    "\x1bP": re.compile(r"[01>!][$+|!\d]"),
    "\x1b_": re.compile(r"G[a-z]"),
}


class TerminalInput:
    """Parses the input of one terminal. `now` is a monotonic time in seconds."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("surrogateescape")
        self._textual = XTermParser()
        self._sequence = ""  # the control sequence that is being read
        self._pasted: list[str] | None = None  # what has been pasted so far
        self._at = 0.0  # time of the last byte
        self._late = ""  # the start of a sequence that was given up, and may have a rest
        self._has_part = False  # the last byte begins a character

    def feed(self, data: bytes, now: float) -> Iterator[Message]:
        """Parse what was read."""
        text = self._decoder.decode(data)
        self._has_part = not data.isascii() and bool(self._decoder.getstate()[0])
        if self._late and now - self._at < _PATIENCE and _RESTS[self._late].match(text):
            self._sequence = self._late
        self._late = ""
        self._at = now
        for at, character in enumerate(text):
            yield from self._read(_as_text(character, text[at + 1 :]) if character > "\x7f" else character)

    def tick(self, now: float) -> Iterator[Message]:
        """Parse what is complete because nothing follows it. To be called when there is nothing to read."""
        waited = now - self._at
        if self._has_part and waited >= constants.ESCAPE_DELAY:
            self._has_part = False
            for _ in self._decoder.decode(b"", final=True):
                yield from self._read("\N{REPLACEMENT CHARACTER}")
            self._decoder.reset()
        if self._pasted is not None:
            if waited >= _PASTE_PATIENCE:
                yield from self._end_paste("".join(self._pasted))
        elif self._sequence in _RESTS or len(self._sequence) == 2:
            if waited >= constants.ESCAPE_DELAY:
                begun, self._sequence = self._sequence, ""
                self._late = begun if begun in _RESTS else ""
                yield _escape() if begun == _ESC else _alt(begun[1])
        elif self._sequence and waited >= _PATIENCE:
            self._sequence = ""

    def _read(self, character: str) -> Iterator[Message]:
        begun = self._sequence
        if self._pasted is not None:
            yield from self._paste(character)
        elif not begun:
            if character == _ESC or character in _C1:
                self._sequence = _C1.get(character, _ESC)
            else:
                yield from self._pass_on(character)
        elif begun[1:2] and begun[1] in _STRINGS:
            yield from self._read_string(begun, character)
        elif character == _ESC:
            self._sequence = _ESC
            if begun == _ESC:
                yield _escape()
        elif begun == _ESC:
            yield from self._read_second(character)
        elif character in _CANCELS:
            self._sequence = ""
        elif not " " <= character <= "~" and not begun.startswith("\x1b[M"):
            self._sequence = ""  # no sequence has such a character: the rest of this one is lost
            yield from self._read(character)
        else:
            yield from self._continue(begun + character)

    def _read_second(self, character: str) -> Iterator[Message]:
        """Read the character after ESC."""
        self._sequence = _ESC + character
        if character in "[O" or character in _STRINGS:
            return
        sequence, self._sequence = self._sequence, ""
        if sequence in ANSI_SEQUENCES_KEYS:
            yield from self._pass_on(sequence)
        else:
            yield _alt(character)

    def _read_string(self, begun: str, character: str) -> Iterator[Message]:
        """Skip a string up to its end: BEL or ST."""
        if begun.endswith(_ESC):
            self._sequence = "" if character == "\\" else _ESC
            if character != "\\":  # another sequence begins inside of the string
                yield from self._read(character)
        elif character == _ESC:
            self._sequence = begun + _ESC
        elif character in (_BELL, "\x9c") or character in _CANCELS:
            self._sequence = ""
        elif len(begun) == 2:
            self._sequence = begun + character  # more is not kept

    def _continue(self, sequence: str) -> Iterator[Message]:
        """Handle a sequence that begins with CSI or SS3, if it is complete."""
        if len(sequence) <= _KEPT:
            self._sequence = sequence
        if not _is_complete(sequence):
            return
        self._sequence = ""
        if sequence == _PASTE_START:
            self._pasted = []
        elif text := _TEXT.fullmatch(sequence):
            for code in text[1].split(":"):
                if code and int(code) <= sys.maxunicode:
                    yield from self._pass_on(chr(int(code)))
        elif len(sequence) <= _LONGEST and _is_known(sequence):
            yield from self._pass_on(sequence)

    def _paste(self, character: str) -> Iterator[Message]:
        assert self._pasted is not None
        self._pasted.append(character)
        if character == "~" and "".join(self._pasted[-len(_PASTE_END) :]) == _PASTE_END:
            yield from self._end_paste("".join(self._pasted[: -len(_PASTE_END)]))

    def _end_paste(self, text: str) -> Iterator[Message]:
        self._pasted = None
        yield Paste(text.replace("\0", "").replace(_ESC, ""))

    def _pass_on(self, sequence: str) -> Iterator[Message]:
        """Have Textual translate a character or a complete sequence."""
        try:
            messages = list(self._textual.feed(sequence))
        except (ValueError, OverflowError, ZeroDivisionError):  # numbers that no terminal has
            messages = []
        if not messages:  # an older Textual may wait for the rest of a sequence that it does not know
            self._renew()
        for message in messages:
            if not isinstance(message, Key) or _is_valid(message.character):
                yield message

    def _renew(self) -> None:
        before, self._textual = self._textual, XTermParser()
        self._textual.last_x, self._textual.last_y = before.last_x, before.last_y
        self._textual.mouse_pixels = before.mouse_pixels
        self._textual.terminal_size = before.terminal_size
        self._textual.terminal_pixel_size = before.terminal_pixel_size


def _is_complete(sequence: str) -> bool:
    last = sequence[-1]
    if sequence.startswith("\x1b[M"):
        return len(sequence) == 6
    if sequence.startswith("\x1b[["):  # function keys of the Linux console
        return len(sequence) == 4
    if last == "$" and sequence in ANSI_SEQUENCES_KEYS:  # rxvt, with Shift
        return True
    return len(sequence) > 2 and "@" <= last <= "~"


def _is_known(sequence: str) -> bool:
    if function := _FUNCTION_KEY.fullmatch(sequence):
        return sequence in ANSI_SEQUENCES_KEYS or f"{int(function[1])}{function[2]}" in FUNCTIONAL_KEYS
    return sequence in ANSI_SEQUENCES_KEYS or bool(_KNOWN.fullmatch(sequence))


def _as_text(character: str, following: str) -> str:
    """Return a character; of a byte that is not UTF-8, what it stands for.

    It is a control character of eight bits only if an answer follows: terminals that are not UTF-8 send the same
    bytes for letters, and for Alt with a letter.
    """
    if not "\udc80" <= character <= "\udcff":
        return character
    control = chr(ord(character) - 0xDC00)
    begun = _C1.get(control, "")
    if control == "\x9c" or (begun in _RESTS and _RESTS[begun].match(following)):
        return control
    return "\N{REPLACEMENT CHARACTER}"


def _is_valid(character: str | None) -> bool:
    with suppress(UnicodeEncodeError):
        return bool((character or "").isascii() or (character or "").encode())
    return False


def _escape() -> Key:
    return Key("escape", _ESC)


def _alt(character: str) -> Key:
    """Return the key Alt with a character, which is not inserted where text is typed."""
    with suppress(KeyError):
        return Key(f"alt+{_NAMES[character]}", None)
    name = f"shift+{character.lower()}" if character.isupper() else character
    return Key(f"alt+{KEY_NAME_REPLACEMENTS.get(name, name)}", None)


_NAMES = {" ": "space", "\r": "enter", "\t": "tab", "\x7f": "backspace"}
