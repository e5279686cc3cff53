"""`mtui` with no terminal: the user's studies as a table."""

from __future__ import annotations

from ..core.store.known import glance, known
from ..core.store.lease import Standing
from ..core.study.status import Status
from .text import safe, table


def studies_text() -> str:
    """One line per study: name, how many are done, who drives or how it ended, where it is."""
    rows = [("STUDY", "DONE", "DRIVER", "DIRECTORY")]
    for root in known():
        seen = glance(root)
        counts = seen.counts or {}
        done = f"{counts.get(Status.FINISHED.value, 0):,}/{sum(counts.values()):,}" if counts else "?"
        driven = seen.standing in (Standing.ALIVE, Standing.UNKNOWN)
        rows.append((safe(seen.name), done, "driven" if driven else seen.result or "no driver", safe(str(root))))
    if len(rows) == 1:
        return "No study was started or opened here yet. Start one with: mtui STUDY.yaml (mtui --help tells the rest)"
    return "\n".join(table(rows, right=frozenset({1})))
