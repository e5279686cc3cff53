"""Questions on the terminal."""

from __future__ import annotations

import sys


def agrees(question: str) -> bool:
    """Ask on stderr, because stdout may carry JSON; return whether the answer is yes.

    The end of the input, and bytes of another encoding, are no yes. Whoever calls this has checked that stdin is a
    terminal.
    """
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        answer = sys.stdin.readline()
    except OSError:  # the terminal is gone
        answer = ""
    if not answer:
        print(file=sys.stderr)
    return answer.strip().lower() in ("y", "yes")
