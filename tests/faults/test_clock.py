"""A wall clock that jumps: it is for people, and decides nothing."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

from mtui.core.driver import Driver
from mtui.core.engine.events import Event
from mtui.core.engine.state import StudyState
from mtui.core.store.study_file import Settings
from mtui.core.study_creation import PlanOptions, create_study, plan_study
from tests import mtui


def _silent(event: Event, state: StudyState) -> None:
    del event, state


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0, -2e9])
def test_clock_that_jumps_at_every_look_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    trace = tmp_path / "trace"
    steps = (
        f"- {{name: a, description: d, run: {{cmd: 'echo $(I) >> {trace}'}}}}\n"
        f"- {{name: b, description: d, run: {{cmd: 'echo all >> {trace}', depends: ['a_*']}}}}"
    )
    spec = mtui.write_study(tmp_path / "s.yaml", steps, parameters="  I: {values: [1, 2, 3], label: I.%%}")
    options = PlanOptions(out=str(tmp_path / "out"))
    directory, study = create_study(plan_study(spec, options), options, Settings())
    start, looks = time.time(), itertools.count()
    monkeypatch.setattr(time, "time", lambda: max(0.0, start + jump * (next(looks) % 3)))
    driver = Driver(directory, study, _silent)
    assert driver.run() == "finished"
    assert sorted(trace.read_text().split()) == ["1", "2", "3", "all"]
