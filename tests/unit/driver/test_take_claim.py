"""The claim that a driver takes so that a bound job can never begin."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mtui.core.driver.withdraw import take_claim
from mtui.core.study.observer import VOID


def test_claim_is_taken_once_and_known_as_the_drivers_own(tmp_path: Path) -> None:
    claim = tmp_path / "0.1"
    assert take_claim(claim)
    assert claim.read_text() == f"{VOID}\n"
    assert take_claim(claim)  # as after a driver that died behind it
    assert list(tmp_path.iterdir()) == [claim]


@pytest.mark.parametrize("owner", ["11\n", "11_4\n", "4711\n", "", "voi"])
def test_claim_of_a_job_is_left_to_it(tmp_path: Path, owner: str) -> None:
    claim = tmp_path / "0.1"
    claim.write_text(owner)
    assert not take_claim(claim)
    assert claim.read_text() == owner


def test_claim_that_cannot_be_written_is_left_as_it_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match="No space"):
            take_claim(tmp_path / "0.1")
    assert list(tmp_path.iterdir()) == []
    assert take_claim(tmp_path / "0.1")
    with pytest.raises(FileNotFoundError):
        take_claim(tmp_path / "gone" / "0.1")
