"""UTF-8 in file names and text whatever the locale: studies written in one locale are read in another."""

from __future__ import annotations

import codecs
import locale
import os
import sys
from pathlib import Path


def use_utf8() -> None:
    """Restart this process in Python's UTF-8 mode if file names have another encoding. Call this first in `main`.

    Also removes LC_CTYPE if Python set it (PEP 538): scripts get the environment of the user.
    """
    if _is_coerced():
        del os.environ["LC_CTYPE"]
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _is_coerced() -> bool:
    """Return whether LC_CTYPE is in the environment although the process was started without it."""
    if "LC_CTYPE" not in os.environ:
        return False
    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:
        return False
    return not given.startswith(b"LC_CTYPE=") and b"\0LC_CTYPE=" not in given


def terminal_encoding() -> str:
    """Return the encoding of the locale, which the terminal has; "utf-8" for the locales C and POSIX, as in Python."""
    try:
        name = codecs.lookup(locale.nl_langinfo(locale.CODESET)).name
    except LookupError:
        return "utf-8"
    return "utf-8" if name == "ascii" else name
