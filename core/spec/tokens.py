"""Tokens `$(NAME)`: finding them in text, and locating them in the file.

Tokens are replaced as plain text without quoting, as in Maestro: a token works inside quotes, and text that only looks
like one (`$(date)`) is left for the shell.
"""

from __future__ import annotations

import bisect
import difflib
import re
from collections.abc import Collection, Iterator

from .problems import Place

# One word, with an optional attribute: $(SIZE), $(SIZE.label), $(run-sim.workspace). With spaces it is a shell command.
WORD_TOKEN = re.compile(r"\$\(([^\s()$'\"`|&;<>]+)\)")

# A value that is one token; numeric keys such as `nodes` accept it instead of a number.
ONLY_TOKEN = re.compile(r"\$\(\w+\)")

# $(STEP.workspace). Unlike in Maestro, it ends at the first ")", so that adjacent tokens stay separate. A step name may
# contain blanks and parameter tokens.
WORKSPACE_TOKEN = re.compile(r"\$\(((?:[^()$\n]|\$\([\w.]+\))+)\.workspace\)")

_ATTRIBUTES = ("workspace", "label", "name")


def words(text: str) -> Iterator[str]:
    """Yield the word of every `$(word)` in the text that looks like a token."""
    return (match.group(1) for match in WORD_TOKEN.finditer(text))


def uses_parameter(text: str, key: str) -> bool:
    """Return whether the text uses parameter `key`: `$(KEY)` or `$(KEY.anyword)`."""
    return f"$({key}" in text and re.search(rf"\$\({re.escape(key)}(\.\w+)?\)", text) is not None


def looks_meant(word: str, known: Collection[str], shell_reads_it: bool) -> bool:
    """Return whether an unknown `$(word)` was probably meant as a token and not as a shell command.

    Shell commands are short lower-case words: `$(date)`, `$(pwd)`, `$(nproc)`. In a value that no shell reads (a node
    count, a name) every word is meant as a token.
    """
    if not shell_reads_it:
        return True
    base, dot, attribute = word.partition(".")
    if dot and attribute in _ATTRIBUTES:
        return True
    if base.upper() == base and base.lower() != base:
        return True
    return bool(difflib.get_close_matches(word, known, n=1, cutoff=0.85))


class SourceText:
    """The text of the file, to locate a problem inside a value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def find(self, needle: str, stretch: tuple[int, int]) -> Place:
        """Return the first place of `needle` between two offsets; the first offset if folding or escapes hide it."""
        offset = self._text.find(needle, *stretch)
        return self.place(offset if offset >= 0 else stretch[0])

    def place(self, offset: int) -> Place:
        """Convert an offset to line and column."""
        line = bisect.bisect_right(self._line_starts, offset)
        return Place(line, offset - self._line_starts[line - 1] + 1)
