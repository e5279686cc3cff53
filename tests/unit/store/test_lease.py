"""The lease: one driver at a time, and the next one as soon as that one is certainly gone."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import pytest

from mtui.core.errors import StudyBusyError, StudyDirectoryError
from mtui.core.store import lease as module
from mtui.core.store.lease import Lease
from mtui.core.store.lease_owner import read_current_owner, this_host
from tests.unit.store.owners import ELSEWHERE, HERE, beating, ended_process, put

# --- taking


def test_first_driver_takes_epoch_1_and_leaves_no_partial_files(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    assert (lease.owner.epoch, lease.owner.pid, lease.owner.host) == (1, os.getpid(), this_host())
    assert lease.before is None
    assert read_current_owner(tmp_path) == lease.owner
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000001", "000001.beat"]


def test_second_driver_is_refused_and_shows_who_holds_the_study(tmp_path: Path) -> None:
    owner = Lease.acquire(tmp_path).owner
    with pytest.raises(StudyBusyError) as caught:
        Lease.acquire(tmp_path)
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
    assert f"process {os.getpid()} on {this_host()} since {since}" in caught.value.message
    assert caught.value.hint


def test_owner_inside_of_a_slurm_job_is_named_with_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    Lease.acquire(tmp_path)
    with pytest.raises(StudyBusyError, match=r"\(Slurm job 4711\)"):
        Lease.acquire(tmp_path)


def test_driver_that_released_the_study_is_followed_at_once(tmp_path: Path) -> None:
    first = Lease.acquire(tmp_path)
    first.release()
    second = Lease.acquire(tmp_path, silent_after=60)
    assert (second.owner.epoch, second.before) == (2, first.owner)


def test_owner_on_another_host_that_released_the_study_is_followed_at_once(tmp_path: Path) -> None:
    put(tmp_path, ELSEWHERE)
    (tmp_path / "000001.released").touch()
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_dead_process_of_this_host_is_followed_at_once(tmp_path: Path) -> None:
    pid, start = ended_process()
    put(tmp_path, replace(HERE, pid=pid, start=start))
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_process_id_that_was_used_again_is_not_taken_for_the_owner(tmp_path: Path) -> None:
    put(tmp_path, replace(HERE, start="1"))
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_owner_from_before_a_reboot_is_followed_at_once(tmp_path: Path) -> None:
    put(tmp_path, replace(HERE, boot="an earlier one"))
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_owner_on_another_host_is_refused_while_its_heartbeat_moves(tmp_path: Path) -> None:
    owner = put(tmp_path, ELSEWHERE)
    with beating(tmp_path, owner), pytest.raises(StudyBusyError, match="on elsewhere"):
        Lease.acquire(tmp_path, silent_after=60)


@pytest.mark.parametrize("beat", ["7\n", ""])
def test_owner_on_another_host_is_followed_after_it_was_silent_long_enough(tmp_path: Path, beat: str) -> None:
    put(tmp_path, ELSEWHERE, beat)
    begin = time.monotonic()
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2
    assert time.monotonic() - begin >= 0.3


def test_owner_on_another_host_without_a_heartbeat_file_is_given_the_same_time(tmp_path: Path) -> None:
    put(tmp_path, ELSEWHERE)
    (tmp_path / "000001.beat").unlink()
    begin = time.monotonic()
    assert Lease.acquire(tmp_path, silent_after=0.3).owner.epoch == 2
    assert time.monotonic() - begin >= 0.3


def test_owner_that_is_known_to_be_gone_is_followed_at_once_and_no_other_is(tmp_path: Path) -> None:
    gone = put(tmp_path, ELSEWHERE)
    assert Lease.acquire(tmp_path, gone=gone, silent_after=60).owner.epoch == 2
    with pytest.raises(StudyBusyError):
        Lease.acquire(tmp_path, gone=gone)


def test_clock_of_the_other_host_does_not_matter(tmp_path: Path) -> None:
    owner = put(tmp_path, replace(ELSEWHERE, since=time.time() + 1e6))
    os.utime(tmp_path / "000001.beat", (1, 1))
    with beating(tmp_path, owner), pytest.raises(StudyBusyError):
        Lease.acquire(tmp_path, silent_after=60)


def race(folder: Path, ready: Barrier, over: Event, results: Any) -> None:
    ready.wait()
    try:
        lease = Lease.acquire(folder)
    except StudyBusyError:
        results.put(0)
    else:
        results.put(lease.owner.epoch)
        over.wait(60)


@pytest.mark.parametrize("left_by", ["nobody", "a dead process"])
def test_exactly_one_of_twenty_processes_gets_the_lease(tmp_path: Path, left_by: str) -> None:
    if left_by == "a dead process":
        put(tmp_path, replace(HERE, start="1"))
    fork = multiprocessing.get_context("fork")
    ready, over, results = fork.Barrier(20), fork.Event(), fork.Queue()
    processes = [fork.Process(target=race, args=(tmp_path, ready, over, results)) for _ in range(20)]
    for process in processes:
        process.start()
    epochs = sorted(results.get(timeout=60) for _ in processes)
    over.set()
    for process in processes:
        process.join()
    assert epochs == [0] * 19 + [1 if left_by == "nobody" else 2]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_lease_that_cannot_be_kept_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Lease, "beat", full)
    with pytest.raises(StudyDirectoryError, match="No space left"):
        Lease.acquire(tmp_path)
    monkeypatch.undo()
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


def test_lease_whose_folder_cannot_be_synced_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mtui.core.durable_files.sync_directory", full)
    with pytest.raises(StudyDirectoryError, match="No space left"):
        Lease.acquire(tmp_path)
    monkeypatch.undo()
    assert Lease.acquire(tmp_path, silent_after=60).owner.epoch == 2


# --- holding


def test_heartbeat_counts_up_when_it_is_due_and_not_before(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    now = time.monotonic()

    def beat(at: float) -> str:
        lease.beat(at)
        return (tmp_path / "000001.beat").read_text()

    assert [beat(now), beat(now + 60), beat(now + 61), beat(now + 120)] == ["1\n", "2\n", "2\n", "3\n"]


def test_heartbeat_moves_well_before_others_call_it_silent() -> None:
    assert module.BEAT_EVERY * 3 <= module.SILENT_AFTER


def test_heartbeat_needs_no_new_file(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    file = (tmp_path / "000001.beat").stat().st_ino
    lease.beat(time.monotonic() + 60)
    assert (tmp_path / "000001.beat").stat().st_ino == file


def test_heartbeat_into_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "owner"
    folder.mkdir()
    lease = Lease.acquire(folder)
    folder.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        lease.beat(time.monotonic() + 60)


def test_driver_may_act_only_while_nobody_can_have_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = time.monotonic()
    lease = Lease.acquire(tmp_path)
    monkeypatch.setattr(time, "monotonic", lambda: begin + module.ACT_FOR - 1)
    assert lease.is_fresh
    monkeypatch.setattr(time, "monotonic", lambda: begin + module.ACT_FOR + 1)
    assert not lease.is_fresh
    lease.beat(time.monotonic())
    assert lease.is_fresh
    assert 2 * module.ACT_FOR <= module.SILENT_AFTER


def test_lease_is_lost_once_another_has_a_higher_epoch(tmp_path: Path) -> None:
    first = Lease.acquire(tmp_path)
    assert not first.is_lost()
    first.release()
    assert not first.is_lost()
    second = Lease.acquire(tmp_path)
    assert first.is_lost()
    assert not second.is_lost()


def test_lease_is_lost_when_its_file_was_removed(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    (tmp_path / "000001").unlink()
    assert lease.is_lost()


def test_lease_is_not_known_to_be_lost_when_its_directory_is_away(tmp_path: Path) -> None:
    folder = tmp_path / "owner"
    folder.mkdir()
    lease = Lease.acquire(folder)
    folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        lease.is_lost()
    (tmp_path / "away").rename(folder)
    assert not lease.is_lost()
