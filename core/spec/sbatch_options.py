"""Parses the options of `#SBATCH` lines as sbatch does. sbatch_objections.py has those that mtui cannot honour.

Source: sbatch 22.05, with which `tests/slurm/test_directives.py` compares; the manual for newer options. sbatch reads
the lines up to the first command, joins their words and passes them to getopt_long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..directive_text import directive_word

PREFIX = "#SBATCH"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLANKS = " \t\n\v\f\r"  # for sbatch; Unicode has more
_PLAIN_WORD = re.compile(f"[^{_BLANKS}]+")
# Directives of the plugins datawarp and lua, which sites may name otherwise.
BURST_BUFFER = re.compile(r"#(DW|BB(_\w+)?)\b")
_DROPPED = ("wait", "clusters")
_MAY_BE_DROPPED = re.compile("[WM]|wait|cl")  # spares parsing most lines twice
_SPECIAL = re.compile(r"[\"'\\#]")

_SHORT = {
    "A": "account", "a": "array", "b": "begin", "D": "chdir", "M": "clusters", "C": "constraint", "S": "core-spec",
    "c": "cpus-per-task", "d": "dependency", "m": "distribution", "e": "error", "x": "exclude",
    "B": "extra-node-info", "G": "gpus", "h": "help", "H": "hold", "i": "input", "J": "job-name", "L": "licenses",
    "k": "no-kill", "F": "nodefile", "w": "nodelist", "N": "nodes", "n": "ntasks", "o": "output",
    "O": "overcommit", "s": "oversubscribe", "p": "partition", "q": "qos", "Q": "quiet", "t": "time", "v": "verbose",
    "V": "version", "W": "wait",
}  # fmt: skip
_FLAGS = _names(
    "consolidate-segments contiguous external help hold ignore-pbs no-requeue overcommit oversubscribe parsable quiet "
    "reboot requeue spread-job spread-segments stepmgr test-only usage use-min-nodes verbose version wait"
)
# A value only as --name=value.
_OPTIONAL = _names("exclusive get-user-env nice no-kill oom-kill-step propagate resv-ports")
_VALUED = _names(
    "account acctg-freq array batch bb bbf begin chdir cluster-constraint clusters comment constraint container "
    "container-id container-type core-spec cores-per-socket cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot "
    "dependency distribution error exclude export export-file extra extra-node-info gid gpu-bind gpu-freq gpus "
    "gpus-per-node gpus-per-socket gpus-per-task gres gres-flags hint input job-name kill-on-invalid-dep licenses "
    "mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu mincpus network nodefile nodelist nodes "
    "ntasks ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket open-mode output partition power prefer "
    "priority profile qos reservation segment signal sockets-per-node switches thread-spec threads-per-core time "
    "time-min tmp tres-bind tres-per-task uid wait-all-nodes wckey wrap"
)
KNOWN = _FLAGS | _OPTIONAL | _VALUED
_HETEROGENEOUS = ("hetjob", "packjob")

# Not read in a script: sbatch accepts them on its command line only.
COMMAND_LINE = _names("help ignore-pbs parsable quiet usage verbose version wrap")


@dataclass(frozen=True, slots=True)
class SbatchOption:
    """One option as its author wrote it. `name` is its long name without dashes, also if it was abbreviated."""

    name: str
    value: str = ""
    line: int = 0  # index of the line that it begins in
    words: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The option as written."""
        return " ".join(self.words)

    @property
    def is_known(self) -> bool:
        return self.name in KNOWN

    @property
    def is_read(self) -> bool:
        """Whether sbatch reads it in a script."""
        return self.text.startswith("-") and self.name not in COMMAND_LINE

    @property
    def is_heterogeneous(self) -> bool:
        return self.name in _HETEROGENEOUS


def directive_lines(script: str) -> list[int]:
    """Return the line numbers (from 0) of the `#SBATCH` lines that sbatch reads: those before the first command."""
    found: list[int] = []
    for number, line in enumerate(script.split("\n")):  # splitlines() would also split at Unicode line breaks
        if line.startswith(PREFIX):
            found.append(number)
        elif _begins_command(line):
            break
    return found


def _begins_command(line: str) -> bool:
    return line.lstrip(" \t\r\v\f")[:1] not in ("", "#")


def directive_texts(script: str) -> list[str]:
    """Return what follows `#SBATCH` in the lines that sbatch reads."""
    lines = script.split("\n")
    return [lines[number].removeprefix(PREFIX).strip() for number in directive_lines(script)]


def parse_options(texts: Iterable[str]) -> list[SbatchOption]:
    """Parse the texts of `#SBATCH` lines. A word that is no option is returned under its own name."""
    words = [(number, word) for number, text in enumerate(texts) for word in split_words(text)]
    found: list[SbatchOption] = []
    position = 0
    while position < len(words):
        line, word = words[position]
        position += 1
        if word == "--":  # ends the options
            return [*found, *(SbatchOption(rest, "", at, (rest,)) for at, rest in words[position - 1 :])]
        if word.startswith("--"):
            given, equals, value = word[2:].partition("=")
            name = long_name(given)
            separate = not equals and name in _VALUED
            # An option of a site's plugin, which only its sbatch knows, may have its value as the next word.
            separate = separate or not (equals or name in KNOWN or _is_option(words, position))
            if separate and position < len(words):
                value = words[position][1]
                position += 1
                found.append(SbatchOption(name, value, line, (word, value)))
            else:
                found.append(SbatchOption(name, value, line, (word,)))
        elif word.startswith("-") and len(word) > 1:
            position = _read_short(words, position, found)
        else:
            found.append(SbatchOption(word, "", line, (word,)))
    return found


def _read_short(words: Sequence[tuple[int, str]], position: int, found: list[SbatchOption]) -> int:
    """Read a word of short options such as `-n4` or `-Hs`; return the position after it and its value."""
    line, word = words[position - 1]
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter, letter)
        if name in _FLAGS or name in _OPTIONAL:
            found.append(SbatchOption(name, "", line, (f"-{letter}",)))
        elif letters or position >= len(words) or (name not in KNOWN and _is_option(words, position)):
            found.append(SbatchOption(name, letters, line, (f"-{letter}{letters}",)))
            break
        else:
            value = words[position][1]
            found.append(SbatchOption(name, value, line, (f"-{letter}", value)))
            return position + 1
    return position


def _is_option(words: Sequence[tuple[int, str]], position: int) -> bool:
    return position >= len(words) or words[position][1].startswith("-")


def long_name(given: str) -> str:
    """Return the long name that an abbreviation stands for; the abbreviation itself if it is unknown or ambiguous."""
    if given in KNOWN:
        return given
    meant = [name for name in KNOWN if given and name.startswith(given)]
    return meant[0] if len(meant) == 1 else given


def split_words(text: str) -> list[str]:
    """Split the text of a `#SBATCH` line into words as sbatch does.

    A backslash escapes the next character, also within quotes but no blank outside of them, where a # begins a comment.
    An empty word (`""`, or a backslash before a blank) ends the line.
    """
    if not _SPECIAL.search(text):
        return _PLAIN_WORD.findall(text)
    words: list[str] = []
    word, quote, escaped, is_quoted = "", "", False, False
    for sign in text:
        if sign in _BLANKS and not quote:
            if not word and (is_quoted or escaped):
                break
            words += [word] if word else []
            word, escaped, is_quoted = "", False, False
        elif escaped:
            word, escaped = word + sign, False
        elif sign == "\\":
            escaped = True
        elif quote:
            quote, word = ("", word) if sign == quote else (quote, word + sign)
        elif sign in "\"'":
            quote, is_quoted = sign, True
        elif sign == "#":
            break
        else:
            word += sign
    return [*words, word] if word else words


def passed_lines(script: str) -> list[str]:
    """Return the `#SBATCH` lines of a script that are passed to sbatch, without `--wait` and `--clusters`.

    With `--wait` sbatch would block until the job has ended; mtui waits for the job itself. A cluster that is named is
    the one to which sbatch submits anyway: see `named_cluster`.
    """
    lines = script.split("\n")
    return without_dropped([lines[number] for number in directive_lines(script)])


def without_dropped(lines: Iterable[str]) -> list[str]:
    """Return `#SBATCH` lines as they are passed to sbatch: without the options that `passed_lines` names."""
    found: list[str] = []
    for line in lines:
        text = line.removeprefix(PREFIX)
        options = parse_options([text]) if _MAY_BE_DROPPED.search(text) else []
        if any(option.name in _DROPPED for option in options):
            kept = [directive_word(word) for option in options if option.name not in _DROPPED for word in option.words]
            found += [f"{PREFIX} {' '.join(kept)}"] if kept else []
        else:
            found.append(line)
    return found


def named_cluster(options: Iterable[SbatchOption]) -> str:
    """Return the cluster that the options name; empty without one. Jobs are submitted only if it is this machine's."""
    return next((option.value for option in reversed(list(options)) if option.name == "clusters"), "")


def burst_buffer_lines(script: str) -> list[str]:
    """Return the lines before the first command that Slurm's burst buffer plugins read from the submitted script."""
    if "#BB" not in script and "#DW" not in script:
        return []
    found: list[str] = []
    for line in script.split("\n"):
        if BURST_BUFFER.match(line):
            found.append(line)
        elif _begins_command(line):
            break
    return found


def has_escaped_blank(text: str) -> bool:
    """Return whether a blank outside of quotes has a backslash before it.

    It ends the word for sbatch 22.05 and is part of the word for 24.11 and later.
    """
    inside = re.sub(r"\\[^\s]|\"(\\.|[^\"\\])*\"|'(\\.|[^'\\])*'", "", text)
    return bool(re.search(r"^[^#]*\\\s", inside))


def has_open_quote(text: str) -> bool:
    """Return whether a quotation mark in a `#SBATCH` line has no counterpart; sbatch refuses the script."""
    quote, escaped = "", False
    for sign in text:
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#":
            break
    return bool(quote)
