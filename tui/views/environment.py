"""Settings of the user's environment: pager, editor and shell, and whether the locale supports UTF-8."""

from __future__ import annotations

import locale
import os
import shlex

from ...core.text_encoding import terminal_encoding


def pager_command() -> list[str]:
    return _command("PAGER", "less")


def editor_command() -> list[str]:
    return _command("VISUAL" if os.environ.get("VISUAL") else "EDITOR", "vi")


def shell_command() -> list[str]:
    return _command("SHELL", "/bin/sh")


def _command(variable: str, default: str) -> list[str]:
    """Return the program that an environment variable names, with its options; `default` if it is empty or invalid."""
    try:
        return shlex.split(os.environ.get(variable, "")) or [default]
    except ValueError:
        return [default]


def has_utf8() -> bool:
    """Return whether the locale supports UTF-8."""
    python = locale.getpreferredencoding(False).lower().replace("-", "")  # always utf8 in Python's UTF-8 mode
    return python == "utf8" and terminal_encoding() == "utf-8"
