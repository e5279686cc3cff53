"""The list of the user's studies: `mtui` without a terminal as a table, `mtui studies --json` as JSON."""

from __future__ import annotations

from ...core.engine.status import Status
from ...core.store.recent_studies import StudySummary, list_recent_studies, summarize_study
from .text import safe, table

NO_STUDIES = (  # shown if there are no studies, also by the app
    "mtui runs workflow studies on Slurm clusters and on this machine, and shows their progress.",
    "You have not started or opened a study yet.",
    "",
    "mtui init          writes a commented example study, study.yaml",
    "mtui STUDY.yaml    starts a study; Maestro's study files work unchanged",
    "mtui DIR           opens a study directory, also one of Maestro",
    "mtui doctor        checks this terminal, Slurm and the file system",
    "mtui --help        lists all verbs",
)


def studies_text() -> str:
    """Return one line per study: name, progress, driver or result, directory."""
    rows = [("STUDY", "DONE", "DRIVER", "DIRECTORY")]
    for root in list_recent_studies():
        seen = summarize_study(root)
        counts = seen.counts or {}
        done = f"{counts.get(Status.FINISHED.value, 0):,}/{sum(counts.values()):,}" if counts else "?"
        rows.append((safe(seen.name), done, "driven" if _driver(seen) else seen.result or "no driver", safe(str(root))))
    if len(rows) == 1:
        return "\n".join(NO_STUDIES)
    return "\n".join(table(rows, right=frozenset({1})))


def studies_json() -> dict[str, object]:
    """Return all known studies as a JSON record, the one visited last first."""
    return {
        "studies": [
            {
                "study": seen.name,
                "directory": str(root),
                "result": seen.result,
                "driver": _driver(seen),
                "counts": seen.counts,
                "last_change_at": seen.last_change,
            }
            for root in list_recent_studies()
            for seen in (summarize_study(root),)
        ]
    }


def _driver(seen: StudySummary) -> str:
    """Return the current driver as text; empty if there is none."""
    return seen.driver.words if seen.driver and seen.standing and seen.standing.drives else ""
