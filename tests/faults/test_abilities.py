"""A batch system that has no job arrays, or cannot hold a job until others end, gets neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.backends.slurm import Slurm
from mtui.core.driver import Driver
from mtui.core.engine import events as ev
from mtui.core.engine.state import StudyState
from mtui.core.store.study_file import Settings
from mtui.core.study_creation import PlanOptions, create_study, plan_study
from tests import mtui
from tests.faults.fake_slurm import FakeSlurm

STEPS = """\
- {name: a, description: d, run: {procs: 1, cmd: 'echo $(X)'}}
- {name: b, description: d, run: {procs: 1, cmd: 'echo $(X)', depends: [a]}}
"""


def drive(folder: Path) -> list[ev.Event]:
    """DriverContext a study of two steps and three rows to its end, in this process; all its events."""
    rows = "  X: {values: [1, 2, 3], label: X.%%}"
    batch = "{type: slurm, host: h, bank: b, queue: q}"
    spec = mtui.write_study(folder / "study.yaml", STEPS, batch=batch, parameters=rows)
    options = PlanOptions(out=str(folder / "out"))
    directory, study = create_study(plan_study(spec, options), options, Settings(poll=1))
    seen: list[ev.Event] = []

    def listen(event: ev.Event, state: StudyState) -> None:
        del state
        seen.append(event)

    assert Driver(directory, study, listen).run() == "finished"
    return seen


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FakeSlurm(tmp_path / "slurm").env.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("able", [True, False])
def test_what_a_backend_cannot_do_is_not_requested(able: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slurm, "arrays", able)
    monkeypatch.setattr(Slurm, "binds", able)
    events = drive(tmp_path)
    intents = [event for event in events if isinstance(event, ev.SubmitIntended)]
    assert any(len(intent.members) > 1 for intent in intents) is able
    if not able:
        assert not any(intent.after for intent in intents)
        ended = {event.instance: place for place, event in enumerate(events) if isinstance(event, ev.Ended)}
        for place, event in enumerate(events):
            if isinstance(event, ev.SubmitIntended):
                assert all(ended[index - 3] < place for index, _ in event.members if index >= 3)
