"""A journal of the time when causes were texts: each verb and the app show it in the same words for ever.

`journal_v1_causes.jsonl` and `journal_v1_causes.txt` were written by the last mtui that wrote causes as texts.
"""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

from mtui.core.engine.state import StudyState
from mtui.core.store.history import History
from mtui.core.store.journal import parse_lines
from mtui.core.store.study_directory import create_directory
from mtui.core.store.study_file import Settings, StudyFile
from mtui.tui.report.attempt_table import table_of_attempts
from mtui.tui.report.content import report_of
from mtui.tui.views.event_text import EventLines, history_text
from mtui.tui.views.status_view import failure_lines, status_json
from mtui.tui.views.text import Paint
from mtui.tui.views.why_text import why_text
from tests.plans import plan, step

HERE = Path(__file__).parent
JOURNAL = HERE / "journal_v1_causes.jsonl"
SHOWN = HERE / "journal_v1_causes.txt"
PLAN = plan(step("sim", uses="X"), step("use", "sim", uses="X"), rows={"X": range(30)})
PLAIN = Paint(io.StringIO())


def shown(root: Path) -> list[str]:
    """What is shown of the journal: the lines of a driver, history, why, status, report."""
    directory = create_directory(root / "out", "", [])
    shutil.copy(JOURNAL, directory.journal / "00000001.jsonl")
    study = StudyFile("0a1b2c3d", 1.0, "s.yaml", Settings(), PLAN)
    state, lines = StudyState(PLAN), list[str]()
    report_events = EventLines(False, lines.append)
    for event in parse_lines(JOURNAL.read_bytes(), str(JOURNAL)):
        state.apply(event)
        report_events(event, state)
    found = ["# events", *(line[10:].rpartition("  [")[0] for line in lines)]
    indices = [index for index in range(len(PLAN.instances)) if index in state.attempts or state.cause(index)]
    for index in indices:
        found += [
            f"# {PLAN.instances[index].name}",
            *(history_text(reported, index) for reported in History(directory.journal, index).read()),
        ]
        found += why_text(directory, study, state, index, PLAIN).splitlines()
    found += ["# status", *failure_lines(directory, state, PLAIN)]
    record: dict[str, Any] = status_json(directory, state)
    found += [f"{item['name']}: {item['cause']}" for item in (*record["allocations"], *record["instances"])]
    report = report_of(study, state, "/out", 1_700_001_000.0, lambda index: (f"/out/{index}.err", []), {})
    found += ["# report", *(f"{failure.status}: {failure.cause} ({failure.count})" for failure in report.failures)]
    found += [example.cause for failure in report.failures for example in failure.examples]
    found += [row["cause"] for row in csv.DictReader(io.StringIO(table_of_attempts(study, state, {})))]
    return [line.replace(str(root), "ROOT") for line in found]


def test_old_journal_is_shown_in_the_words_that_it_was_written_with(tmp_path: Path) -> None:
    assert shown(tmp_path) == SHOWN.read_text(encoding="utf-8").splitlines()
