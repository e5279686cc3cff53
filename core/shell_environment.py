"""Keeps environment variables that shells such as dash drop: those whose names are no identifiers.

Functions that bash exports are such variables (`BASH_FUNC_module%%`). mtui's shell scripts find them in the environment
with which the kernel started their shell, and give them back with env(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# bash as sh would call the user's functions in place of builtins and programs. job.sh, fallback.sh and srun.sh have the
# same lines.
UNSET_FUNCTIONS = r"""
unset -f [ awk cat cd command date echo env exec kill mkdir printf pwd read rm sed shift shopt sleep srun stat tail \
    test tr true uname wait
""".strip()
# Sets mtui_dropped to the variables, as quoted words for `env`.
SET_DROPPED = r"""
mtui_dropped=$(
    PATH=/usr/bin:/bin:$PATH
    LC_ALL=C sed -z "/^[^-=][^=]*=/!d; /^[A-Za-z_][A-Za-z0-9_]*=/d; s/'/'\\\\''/g; s/^/'/; s/\$/' /" \
        "/proc/$$/environ" 2>/dev/null | tr -d '\0'
)
""".strip()
FIND_DROPPED = f"{UNSET_FUNCTIONS}\n{SET_DROPPED}"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def has_dropped(names: Iterable[str]) -> bool:
    """Return whether sh may drop any of these variables."""
    return not all(map(_IDENTIFIER.fullmatch, names))
