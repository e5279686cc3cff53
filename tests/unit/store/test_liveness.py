"""Whether the owner of a study still lives, as another process judges it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mtui.core.errors import StudyBusyError
from mtui.core.store.lease import Lease, LeaseState, Liveness
from mtui.core.store.lease_owner import Owner, process_start
from tests.unit.store.owners import ELSEWHERE, HERE, beating, put
from tests.waiting import wait_until


def test_suspended_driver_is_alive_and_named_as_such(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "600"])
    try:
        owner = put(tmp_path, replace(HERE, pid=process.pid, start=process_start(process.pid)))
        assert Liveness(tmp_path, owner).words == owner.words
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        liveness = Liveness(tmp_path, owner)
        assert liveness.judge() is LeaseState.ALIVE
        assert liveness.words == f"{owner.words}, which is suspended: fg, or kill -CONT {process.pid}"
        elsewhere = put(tmp_path, replace(owner, host="elsewhere"))
        assert Liveness(tmp_path, elsewhere).words == elsewhere.words
    finally:
        process.kill()
        process.wait()


def test_zombie_counts_as_dead(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    put(tmp_path, replace(HERE, pid=process.pid, start=process_start(os.getpid())))
    assert process_start(process.pid) == ""
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2
    process.wait()


# --- by its job


@pytest.mark.parametrize(("ended", "standing"), [(True, LeaseState.DEAD), (False, LeaseState.UNKNOWN)])
def test_owner_whose_slurm_job_has_ended_is_gone(tmp_path: Path, ended: bool, standing: LeaseState) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, slurm_job="12"))
    asked: list[str] = []

    def job_ended(owner: Owner) -> bool:
        asked.append(owner.slurm_job)
        return ended

    liveness = Liveness(tmp_path, owner, job_ended=job_ended)
    assert liveness.judge() is standing
    assert asked == ["12"]


def test_owner_in_a_slurm_job_is_judged_by_its_heartbeat_where_slurm_cannot_be_queried(tmp_path: Path) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, slurm_job="12"))

    liveness = Liveness(tmp_path, owner)

    assert liveness.judge() is LeaseState.UNKNOWN


@pytest.mark.parametrize(("slurm_job", "expected"), [("12", ["12"]), ("", [])], ids=["in a job", "without a job"])
def test_slurm_is_queried_for_the_owners_job_and_not_at_every_look(
    tmp_path: Path, slurm_job: str, expected: list[str]
) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, slurm_job=slurm_job))
    asked: list[str] = []

    def job_ended(owner: Owner) -> bool:
        asked.append(owner.slurm_job)
        return False

    liveness = Liveness(tmp_path, owner, job_ended=job_ended)
    liveness.judge()
    liveness.judge()

    assert asked == expected


# --- by its heartbeat


def test_old_heartbeat_of_another_host_is_shown_to_readers_and_decides_nothing(tmp_path: Path) -> None:
    owner = put(tmp_path, ELSEWHERE)
    beat = tmp_path / "000001.beat"
    os.utime(beat, (time.time() - 600, time.time() - 600))
    liveness = Liveness(tmp_path, owner, silent_after=60)
    assert liveness.judge() is LeaseState.SILENT
    assert 599 < liveness.last_sign_ago < 660
    with beating(tmp_path, owner), pytest.raises(StudyBusyError):  # its clock may be wrong by as much
        Lease.acquire(tmp_path, silent_after=60)
    beat.write_text("a later one\n")
    assert liveness.judge() is LeaseState.ALIVE
    os.utime(beat, (time.time() - 600, time.time() - 600))
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2


def test_age_of_an_owner_without_a_heartbeat_counts_from_its_begin(tmp_path: Path) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, since=time.time() - 300))
    (tmp_path / "000001.beat").unlink()
    assert Liveness(tmp_path, owner).judge() is LeaseState.SILENT


# --- a driver that ended in a process that lives


def raise_full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_process_that_lives_holds_the_lease_only_while_its_heartbeat_moves(tmp_path: Path) -> None:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    owner = put(tmp_path, replace(HERE, pid=process.pid, start=process_start(process.pid)))
    liveness = Liveness(tmp_path, owner, silent_after=0.2)
    assert liveness.judge() is LeaseState.ALIVE
    wait_until(lambda: liveness.judge() is LeaseState.DEAD, 10, "its heartbeat does not change")
    (tmp_path / "000001.beat").write_text("2\n")
    assert liveness.judge() is LeaseState.ALIVE
    os.utime(tmp_path / "000001.beat", (time.time() - 70, time.time() - 70))
    assert Liveness(tmp_path, owner).judge() is LeaseState.SILENT
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2
    process.communicate()


def test_release_that_cannot_be_written_is_known_in_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease.acquire(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", raise_full)
        patch.setattr(Path, "rename", raise_full)
        lease.release()
    assert Liveness(tmp_path, lease.owner).judge() is LeaseState.DEAD
    assert Lease.acquire(tmp_path).owner.epoch == 2


def test_lease_can_be_released_without_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = Lease.acquire(tmp_path)
    monkeypatch.setattr(Path, "touch", raise_full)
    lease.release()
    assert Liveness(tmp_path, lease.owner).judge() is LeaseState.RELEASED
