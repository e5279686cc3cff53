"""Quotes and bounds free text for `#SBATCH` lines. sbatch has special rules: a backslash escapes everywhere."""

from __future__ import annotations

import re

# Bytes. Slurm refuses a comment of more than 1,024 (MAX_COMMENT_LEN in src/slurmctld/job_mgr.c).
_LONGEST_COMMENT = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NEEDS_QUOTES = re.compile(r"[\s#'\"\\]")


def directive_word(text: str) -> str:
    """Return a text as one word of a `#SBATCH` line, quoted if sbatch would split or change it."""
    if not _NEEDS_QUOTES.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def comment_value(text: str) -> str:
    """Return the value of --comment for a text, in quotation marks.

    Maestro writes the text as it is. That is kept unless sbatch would refuse the line or cut the comment: quotation
    marks become apostrophes then, and backslashes are escaped.
    """
    text = shortened(_CONTROL.sub(" ", text), _LONGEST_COMMENT)
    if _is_one_word(text):
        return f'"{text}"'
    return '"' + text.replace("\\", "\\\\").replace('"', "'") + '"'


def shortened(text: str, longest: int) -> str:
    """Return a text that has at most `longest` bytes in UTF-8; a longer one is cut and ends with `...`."""
    data = text.encode("utf-8", "surrogateescape")
    if len(data) <= longest:
        return text
    return data[: longest - 3].decode("utf-8", "ignore") + "..."


def _is_one_word(text: str) -> bool:
    """Return whether sbatch reads a text in quotation marks as one word; a quotation mark in it ends the quotation."""
    parts = re.sub(r"\\.", "", text).split('"')  # without what a backslash escapes
    is_closed = len(parts) % 2 == 1 and "\\" not in parts[-1]
    return is_closed and not any(re.search(r"[\s#']", outside) for outside in parts[1::2])
