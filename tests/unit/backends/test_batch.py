"""Which batch system a plan gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtui.core.backends import batch
from mtui.core.backends.batch import batch_system, require_batch_system, within_abilities
from mtui.core.backends.slurm import Slurm
from mtui.core.errors import BackendMissing
from mtui.core.spec.study_spec import BATCH_SYSTEMS, MtuiBlock, PackingOptions
from tests.plans import plan, step
from tests.unit.backends.fake import Fake

LOCAL = plan(step("a", local=True))
SLURM = plan(step("a"))


def test_every_type_that_a_study_may_name_has_a_backend() -> None:
    assert set(batch._SYSTEMS) == set(BATCH_SYSTEMS)


def test_a_study_of_this_machine_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    require_batch_system(LOCAL)
    assert batch_system(LOCAL, tmp_path, tmp_path / "log") is None


def test_a_study_of_slurm_gets_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Fake(tmp_path).folder))
    require_batch_system(SLURM)
    assert isinstance(batch_system(SLURM, tmp_path, tmp_path / "log"), Slurm)


def test_a_machine_without_it_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendMissing):
        require_batch_system(SLURM)


@pytest.mark.parametrize("able", [True, False])
def test_what_it_cannot_do_is_not_planned(able: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for ability in ("arrays", "binds", "allocates"):
        monkeypatch.setattr(Slurm, ability, able)
    wishes = MtuiBlock(pack=PackingOptions(), array=50)
    assert within_abilities(SLURM, wishes) == (wishes if able else MtuiBlock(array=1, submit_ahead=False))
    assert within_abilities(LOCAL, wishes) == wishes
