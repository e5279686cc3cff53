"""What the user's environment names for the app: pager, editor and shell, and whether the locale shows UTF-8."""

from __future__ import annotations

import locale
import os
import shlex


def pager_command() -> list[str]:
    return _command("PAGER", "less")


def editor_command() -> list[str]:
    return _command("VISUAL" if os.environ.get("VISUAL") else "EDITOR", "vi")


def shell_command() -> list[str]:
    return _command("SHELL", "/bin/sh")


def _command(variable: str, default: str) -> list[str]:
    """The program that an environment variable names, with its options; `default` if it is empty or unreadable."""
    try:
        return shlex.split(os.environ.get(variable, "")) or [default]
    except ValueError:
        return [default]


def has_utf8() -> bool:
    """Whether the locale can show more than ASCII."""
    return locale.getpreferredencoding(False).lower().replace("-", "") == "utf8"
